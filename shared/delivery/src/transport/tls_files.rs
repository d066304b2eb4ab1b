//! The TLS configuration of an endpoint from PEM texts and files, which are read again for each connection.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use native_tls::{Certificate, Identity};
use openssl::pkey::PKey;
use openssl::x509::X509;
use runtime::files;
use runtime::secret::Secret;
use tokio_native_tls::TlsConnector;
use tracing::{info, warn};

use super::tls::TlsConfig;

/// The maximum size of a PEM file, in bytes.
const MAX_PEM: usize = 1 << 20;

/// Trusted authorities and a client certificate. The host name of the endpoint is always verified.
///
/// When a file has changed, the next connection uses its new content. If that cannot be used, the previous content stays
/// in use, and a warning is logged: a certificate and its key are not replaced at the same moment.
#[derive(Debug)]
pub struct TlsFiles {
    ca: Option<Pem>,
    /// Certificate and key.
    identity: Option<(Pem, Pem)>,
    current: Mutex<Option<Current>>,
}

/// A PEM text, or the file that contains it. `Debug` prints no text.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The text itself.
    Text(Secret),
    /// The path of a file.
    File(PathBuf),
}

struct Current {
    material: Material,
    connector: native_tls::TlsConnector,
    /// Why the files cannot be used as they are now.
    error: Option<String>,
}

/// The PEM texts of a connector.
#[derive(PartialEq, Eq)]
struct Material {
    ca: Option<Secret>,
    identity: Option<(Secret, Secret)>,
}

impl TlsFiles {
    /// `ca`: the only authorities that are trusted; `None`: those of the system. `identity`: the certificate that is
    /// presented to the endpoint, followed by those of intermediate authorities, and its private key (PKCS #8, PKCS #1 or
    /// SEC 1, not encrypted). Reads no file.
    pub fn new(ca: Option<Pem>, identity: Option<(Pem, Pem)>) -> Self {
        Self {
            ca,
            identity,
            current: Mutex::default(),
        }
    }

    /// Reads the files, and checks that they can be used.
    ///
    /// # Errors
    /// A file cannot be read, a text is not PEM of its kind, or the key is that of another certificate. The text begins
    /// with the name of the part: `ca`, `certificate` or `key`.
    pub fn check(&self) -> Result<(), String> {
        self.read()?.connector().map(drop)
    }

    /// Whether both have the same texts and the same paths.
    pub fn is_same(&self, other: &Self) -> bool {
        self.ca == other.ca && self.identity == other.identity
    }

    fn read(&self) -> Result<Material, String> {
        let read = |name: &str, pem: &Pem| pem.read().map_err(|error| format!("{name}: {error}"));
        Ok(Material {
            ca: self.ca.as_ref().map(|pem| read("ca", pem)).transpose()?,
            identity: match &self.identity {
                Some((certificate, key)) => {
                    Some((read("certificate", certificate)?, read("key", key)?))
                }
                None => None,
            },
        })
    }
}

impl TlsConfig for TlsFiles {
    fn connector(&self) -> io::Result<TlsConnector> {
        self.native_connector().map(Into::into)
    }
}

impl TlsFiles {
    /// As [`TlsConfig::connector`], for other clients.
    ///
    /// # Errors
    /// As [`TlsConfig::connector`].
    pub fn native_connector(&self) -> io::Result<native_tls::TlsConnector> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.read();
        if let (Some(current), Ok(material)) = (&mut *current, &read)
            && current.material == *material
        {
            current.error = None;
            return Ok(current.connector.clone());
        }
        let built = read.and_then(|material| {
            let connector = material.connector()?;
            Ok((material, connector))
        });
        match (built, &mut *current) {
            (Ok((material, connector)), previous) => {
                if previous.is_some() {
                    info!(files = ?self, "the TLS files have changed and are used for new connections");
                }
                *previous = Some(Current {
                    material,
                    connector: connector.clone(),
                    error: None,
                });
                Ok(connector)
            }
            (Err(error), Some(previous)) => {
                if previous.error.as_ref() != Some(&error) {
                    warn!(
                        error,
                        "the TLS files cannot be used; keeping the previous ones"
                    );
                    previous.error = Some(error);
                }
                Ok(previous.connector.clone())
            }
            (Err(error), None) => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("tls {error}"),
            )),
        }
    }
}

impl Pem {
    /// A text that begins as PEM does is the content itself, other text is a path.
    pub fn from_text(text: &Secret) -> Self {
        match text.reveal().trim_start().starts_with("-----BEGIN ") {
            true => Self::Text(text.clone()),
            false => Self::File(PathBuf::from(text.reveal().trim())),
        }
    }

    fn read(&self) -> Result<Secret, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => files::read_text(path, MAX_PEM)
                .map(Secret::new)
                .map_err(|error| format!("{}: {error}", path.display())),
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("PEM text"),
            Self::File(path) => path.fmt(f),
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Current")
    }
}

impl Material {
    fn connector(&self) -> Result<native_tls::TlsConnector, String> {
        let mut builder = native_tls::TlsConnector::builder();
        if let Some(pem) = &self.ca {
            builder.disable_built_in_roots(true);
            for authority in certificates(pem).map_err(|error| format!("ca: {error}"))? {
                let der = authority.to_der();
                let authority = der.ok().and_then(|der| Certificate::from_der(&der).ok());
                let authority = authority.ok_or("ca: a certificate cannot be encoded")?;
                builder.add_root_certificate(authority);
            }
        }
        if let Some((certificate, key)) = &self.identity {
            builder.identity(identity(certificate, key)?);
        }
        let connector = builder.build();
        connector.map_err(|error| format!("certificate: {error}"))
    }
}

fn certificates(pem: &Secret) -> Result<Vec<X509>, &'static str> {
    let found = X509::stack_from_pem(pem.reveal().as_bytes()).unwrap_or_default();
    if found.is_empty() {
        return Err("it has no certificate in PEM (-----BEGIN CERTIFICATE-----)");
    }
    Ok(found)
}

fn identity(certificate: &Secret, key: &Secret) -> Result<Identity, String> {
    let chain = certificates(certificate).map_err(|error| format!("certificate: {error}"))?;
    // Without a callback, OpenSSL prompts on the terminal for the pass phrase of an encrypted key.
    let key = PKey::private_key_from_pem_callback(key.reveal().as_bytes(), |_| Ok(0))
        .map_err(|_| "key: it is not an unencrypted private key in PEM")?;
    let is_pair = (chain.first())
        .is_some_and(|leaf| leaf.public_key().is_ok_and(|public| public.public_eq(&key)));
    if !is_pair {
        return Err("key: it is not the key of the certificate".to_owned());
    }
    // native-tls accepts only PKCS #8; OpenSSL writes it for every key that it reads.
    let key = key.private_key_to_pem_pkcs8();
    let identity = key
        .ok()
        .and_then(|key| Identity::from_pkcs8(certificate.reveal().as_bytes(), &key).ok());
    identity.ok_or_else(|| "key: its kind cannot be used for TLS".to_owned())
}
