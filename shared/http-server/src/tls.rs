//! TLS of a listener: certificate and key, client certificates, and their replacement while the program runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Name, X509Ref};
use runtime::secret::Secret;
use settings::{SettingError, Settings, pem};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::settings::{LISTEN_SSL_CA_LOCATION, LISTEN_SSL_CERTIFICATE, LISTEN_SSL_KEY};

/// The minimum time between two checks whether a file has changed.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The verified certificate of a client, in the extensions of its requests.
#[derive(Clone, Debug)]
pub struct PeerCertificate(Arc<[String]>);

impl PeerCertificate {
    /// The names of the subject: DNS names, URIs and e-mail addresses of the subject alternative name (RFC 5280, section
    /// 4.2.1.6), and the common name.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn of(certificate: &X509Ref) -> Self {
        let mut names = Vec::new();
        for name in certificate.subject_alt_names().into_iter().flatten() {
            let text = name.dnsname().or(name.uri()).or(name.email());
            names.extend(text.map(str::to_owned));
        }
        let common = certificate.subject_name();
        for entry in common.entries_by_nid(Nid::COMMONNAME) {
            names.extend(entry.data().to_string().ok());
        }
        Self(names.into())
    }
}

/// The TLS context of a listener. New connections use the settings and files of the present; open connections continue.
pub struct TlsContext {
    settings: watch::Receiver<Arc<Settings>>,
    current: Mutex<Current>,
}

struct Current {
    material: Material,
    acceptor: SslAcceptor,
    checked: Instant,
}

/// The PEM texts of a context.
#[derive(PartialEq, Eq)]
struct Material {
    certificate: String,
    key: Secret,
    client_ca: Option<String>,
}

impl TlsContext {
    /// The context of the settings. `None` if `LISTEN_SSL_CERTIFICATE` is unset.
    ///
    /// # Errors
    /// A setting is missing without another, a file cannot be read, or a text is not PEM.
    pub fn from_settings(
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Result<Option<Self>, SettingError> {
        let material = Material::read(&settings.borrow())?;
        let Some(material) = material else {
            return Ok(None);
        };
        let current = Current {
            acceptor: material.acceptor()?,
            material,
            checked: Instant::now(),
        };
        Ok(Some(Self {
            settings,
            current: Mutex::new(current),
        }))
    }

    /// The TLS session of a new connection. Reads the files again, at most every five seconds.
    pub(crate) fn session(&self, now: Instant) -> Result<Ssl, ErrorStack> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(current.checked) >= CHECK_INTERVAL {
            current.checked = now;
            if let Err(error) = current.reload(&self.settings.borrow()) {
                warn!(%error, "reloading the TLS certificate failed; keeping the previous one");
            }
        }
        Ssl::new(current.acceptor.context())
    }
}

impl Current {
    fn reload(&mut self, settings: &Settings) -> Result<(), SettingError> {
        let Some(material) = Material::read(settings)? else {
            return Ok(());
        };
        if material != self.material {
            self.acceptor = material.acceptor()?;
            self.material = material;
            info!("TLS certificate reloaded");
        }
        Ok(())
    }
}

impl Material {
    fn read(settings: &Settings) -> Result<Option<Self>, SettingError> {
        let certificate = settings.optional(&LISTEN_SSL_CERTIFICATE);
        let key = settings.secret(&LISTEN_SSL_KEY);
        let client_ca = settings.optional(&LISTEN_SSL_CA_LOCATION);
        match (certificate, key) {
            (Some(certificate), Some(key)) => Ok(Some(Self {
                certificate: pem::text_or_file(&LISTEN_SSL_CERTIFICATE, certificate)?,
                key: Secret::new(pem::text_or_file(&LISTEN_SSL_KEY, key.reveal())?),
                client_ca: client_ca
                    .map(|path| pem::file(&LISTEN_SSL_CA_LOCATION, path))
                    .transpose()?,
            })),
            (None, None) if client_ca.is_none() => Ok(None),
            (None, None) => Err(SettingError::Contradiction(
                "LISTEN_SSL_CA_LOCATION is set, but LISTEN_SSL_CERTIFICATE is not".to_owned(),
            )),
            _ => Err(SettingError::Contradiction(
                "LISTEN_SSL_CERTIFICATE and LISTEN_SSL_KEY go together: set both or neither"
                    .to_owned(),
            )),
        }
    }

    fn acceptor(&self) -> Result<SslAcceptor, SettingError> {
        let wrong = |reason: &str| SettingError::Contradiction(reason.to_owned());
        let chain = certificates(&self.certificate)
            .ok_or_else(|| wrong("LISTEN_SSL_CERTIFICATE is not a certificate in PEM"))?;
        let key = PKey::private_key_from_pem_callback(self.key.reveal().as_bytes(), |_| Ok(0))
            .map_err(|_| wrong("LISTEN_SSL_KEY is not an unencrypted private key in PEM"))?;
        let is_pair = (chain.first())
            .is_some_and(|leaf| leaf.public_key().is_ok_and(|public| public.public_eq(&key)));
        if !is_pair {
            return Err(wrong(
                "LISTEN_SSL_KEY is not the key of LISTEN_SSL_CERTIFICATE",
            ));
        }
        let authorities = match &self.client_ca {
            None => None,
            Some(pem) => Some(certificates(pem).ok_or_else(|| {
                wrong("LISTEN_SSL_CA_LOCATION names no PEM file with certificates")
            })?),
        };
        acceptor(&chain, &key, authorities).map_err(|error| {
            SettingError::Contradiction(format!(
                "configuring TLS with LISTEN_SSL_CERTIFICATE: {error}"
            ))
        })
    }
}

/// TLS 1.2 and 1.3 (Mozilla's intermediate configuration). A client certificate is optional, because health checks have
/// none; one that does not verify ends the handshake.
fn acceptor(
    chain: &[X509],
    key: &PKey<Private>,
    authorities: Option<Vec<X509>>,
) -> Result<SslAcceptor, ErrorStack> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    if let [leaf, intermediates @ ..] = chain {
        builder.set_certificate(leaf)?;
        for certificate in intermediates {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
    }
    builder.set_private_key(key)?;
    builder.check_private_key()?;
    // Without it, OpenSSL does not resume sessions with a client certificate.
    builder.set_session_id_context(b"frontdoor")?;
    if let Some(authorities) = authorities {
        let mut store = X509StoreBuilder::new()?;
        let mut names = openssl::stack::Stack::<X509Name>::new()?;
        for authority in authorities {
            names.push(authority.subject_name().to_owned()?)?;
            store.add_cert(authority)?;
        }
        builder.set_verify_cert_store(store.build())?;
        builder.set_client_ca_list(names);
        builder.set_verify(SslVerifyMode::PEER);
    }
    Ok(builder.build())
}

/// The certificates of a PEM text, if there is at least one.
fn certificates(pem: &str) -> Option<Vec<X509>> {
    X509::stack_from_pem(pem.as_bytes())
        .ok()
        .filter(|certificates| !certificates.is_empty())
}
