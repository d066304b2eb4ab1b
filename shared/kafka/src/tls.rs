//! TLS of the clients: the authorities, the client certificate, and the check of the broker's name.

use std::path::Path;

use rdkafka::ClientConfig;
use settings::{SettingError, Settings, pem};

use crate::client_certificate::ClientCertificate;
use crate::settings::{KAFKA_SSL_CA_LOCATION, KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM};

/// Initializes OpenSSL so that its memory is valid until the process has ended. Call it first in `main`.
///
/// Otherwise librdkafka initializes it, and OpenSSL frees its memory when `main` returns. Threads that are not waited for
/// (requests for a token, probes of brokers) may use it then: the process would end with SIGSEGV.
pub fn initialize() {
    openssl_sys::init();
}

/// The settings of TLS with the content of the files that they name. Reading them again and comparing shows whether a file
/// was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    authorities: Option<Authorities>,
    client: Option<ClientCertificate>,
    checks_name: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Authorities {
    Text(String),
    /// A file with its content, or a directory.
    Location(String, Option<String>),
}

impl ClientTls {
    /// Reads the settings and the files that they name.
    ///
    /// # Errors
    /// A file cannot be read, a text is not PEM, certificate and key do not belong together, or one of them is missing.
    pub fn from_settings(settings: &Settings) -> Result<Self, SettingError> {
        let authorities = match settings.optional(&KAFKA_SSL_CA_LOCATION) {
            Some(text) if is_pem(text) => Some(Authorities::Text(text.to_owned())),
            Some(location) => {
                let content = match Path::new(location).is_dir() {
                    true => None,
                    false => Some(pem::file(&KAFKA_SSL_CA_LOCATION, location)?),
                };
                Some(Authorities::Location(location.to_owned(), content))
            }
            None => None,
        };
        let algorithm = &KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM;
        Ok(Self {
            authorities,
            client: ClientCertificate::from_settings(settings)?,
            checks_name: settings.choice(
                algorithm,
                &[("https", true), ("none", false)],
                "https or none",
            )?,
        })
    }

    /// Whether there is a client certificate.
    pub(crate) fn has_certificate(&self) -> bool {
        self.client.is_some()
    }

    /// Whether the client certificate is in a PKCS#12 file.
    pub(crate) fn has_keystore(&self) -> bool {
        let client = self.client.as_ref();
        client.is_some_and(|client| client.is_from_keystore)
    }

    /// Whether a broker with a certificate for another host is accepted.
    pub(crate) fn accepts_any_name(&self) -> bool {
        !self.checks_name
    }

    /// Sets the properties of a client that uses TLS.
    pub(crate) fn apply(&self, config: &mut ClientConfig) {
        match &self.authorities {
            Some(Authorities::Text(pem)) => {
                config.set("ssl.ca.pem", pem);
            }
            Some(Authorities::Location(location, _)) => {
                config.set("ssl.ca.location", location);
            }
            None => {
                if let Some(location) = system_ca_location() {
                    config.set("ssl.ca.location", location);
                }
            }
        }
        if let Some(client) = &self.client {
            client.apply(config);
        }
        let algorithm = if self.checks_name { "https" } else { "none" };
        config.set("ssl.endpoint.identification.algorithm", algorithm);
    }
}

/// The location of the system's CA certificates, for which the linked OpenSSL has no default. `None` if `SSL_CERT_FILE` or
/// `SSL_CERT_DIR` is set, which OpenSSL reads itself.
fn system_ca_location() -> Option<String> {
    if openssl_probe::has_ssl_cert_env_vars() {
        return None;
    }
    let found = openssl_probe::probe();
    let location = found
        .cert_file
        .or_else(|| found.cert_dir.into_iter().next())?;
    location.into_os_string().into_string().ok()
}

fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}
