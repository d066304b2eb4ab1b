//! TLS of the clients: the authorities, the client certificate, and the check of the broker's name.

use std::path::Path;

use openssl::pkey::PKey;
use openssl::x509::X509;
use rdkafka::ClientConfig;
use runtime::secret::Secret;
use settings::{SettingError, Settings, pem};

use crate::settings::{
    KAFKA_SSL_CA_LOCATION, KAFKA_SSL_CERTIFICATE, KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM,
    KAFKA_SSL_KEY, KAFKA_SSL_KEY_PASSWORD,
};

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

#[derive(Clone, Debug, PartialEq, Eq)]
struct ClientCertificate {
    /// The certificate and those between it and the authority, in PEM.
    chain: String,
    key: Secret,
    password: Option<Secret>,
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
            config
                .set("ssl.certificate.pem", &client.chain)
                .set("ssl.key.pem", client.key.reveal());
            if let Some(password) = &client.password {
                config.set("ssl.key.password", password.reveal());
            }
        }
        let algorithm = if self.checks_name { "https" } else { "none" };
        config.set("ssl.endpoint.identification.algorithm", algorithm);
    }
}

impl ClientCertificate {
    fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        let certificate = settings.optional(&KAFKA_SSL_CERTIFICATE);
        let key = settings.secret(&KAFKA_SSL_KEY);
        let password = settings.secret(&KAFKA_SSL_KEY_PASSWORD);
        let (certificate, key) = match (certificate, key) {
            (Some(certificate), Some(key)) => (certificate, key),
            (None, None) if password.is_none() => return Ok(None),
            (None, None) => {
                return Err(wrong(
                    "KAFKA_SSL_KEY_PASSWORD is set, but KAFKA_SSL_KEY is not",
                ));
            }
            _ => {
                return Err(wrong(
                    "KAFKA_SSL_CERTIFICATE and KAFKA_SSL_KEY go together: set both or neither",
                ));
            }
        };
        let client = Self {
            chain: pem::text_or_file(&KAFKA_SSL_CERTIFICATE, certificate)?,
            key: Secret::new(pem::text_or_file(&KAFKA_SSL_KEY, key.reveal())?),
            password,
        };
        client.check()?;
        Ok(Some(client))
    }

    fn check(&self) -> Result<(), SettingError> {
        let chain = X509::stack_from_pem(self.chain.as_bytes()).unwrap_or_default();
        let leaf = chain
            .first()
            .ok_or_else(|| wrong("KAFKA_SSL_CERTIFICATE is not a certificate in PEM"))?;
        let mut asked = false;
        let key = PKey::private_key_from_pem_callback(self.key.reveal().as_bytes(), |buffer| {
            asked = true;
            let password = self.password.as_ref().map_or("", Secret::reveal).as_bytes();
            // A pass phrase that does not fit opens no key.
            let length = password.len().min(buffer.len());
            buffer[..length].copy_from_slice(&password[..length]);
            Ok(length)
        });
        let key = key.map_err(|_| match (asked, &self.password) {
            (true, Some(_)) => {
                wrong("KAFKA_SSL_KEY_PASSWORD is not the pass phrase of KAFKA_SSL_KEY")
            }
            (true, None) => wrong("KAFKA_SSL_KEY has a pass phrase: set KAFKA_SSL_KEY_PASSWORD"),
            (false, _) => wrong("KAFKA_SSL_KEY is not a private key in PEM"),
        })?;
        let is_pair = leaf.public_key().is_ok_and(|public| public.public_eq(&key));
        match is_pair {
            true => Ok(()),
            false => Err(wrong(
                "KAFKA_SSL_KEY is not the key of KAFKA_SSL_CERTIFICATE",
            )),
        }
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

fn wrong(reason: &str) -> SettingError {
    SettingError::Contradiction(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use openssl::symm::Cipher;
    use testkit::certificates::CertificateAuthority;

    use crate::config::tests::kafka;

    const BROKER: (&str, &str) = ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092");

    #[tokio::test]
    async fn a_client_certificate_selects_tls_and_is_given_to_each_client() {
        let authority = CertificateAuthority::new("authority").unwrap();
        let client = authority.client("job", "job", "urn:job").unwrap();
        let (certificate, ca) = (client.pem().unwrap(), authority.pem().unwrap());
        let cipher = Cipher::aes_256_cbc();
        let key = client
            .key
            .private_key_to_pem_pkcs8_passphrase(cipher, b"hunter2");
        let key = String::from_utf8(key.unwrap()).unwrap();
        let kafka = kafka(&[
            BROKER,
            ("KAFKA_SSL_CERTIFICATE", &certificate),
            ("KAFKA_SSL_KEY", &key),
            ("KAFKA_SSL_KEY_PASSWORD", "hunter2"),
            ("KAFKA_SSL_CA_LOCATION", &ca),
        ])
        .await
        .unwrap();
        let config = kafka.reader("group");
        for (name, value) in [
            ("security.protocol", "ssl"),
            ("ssl.certificate.pem", certificate.trim()),
            ("ssl.ca.pem", ca.trim()),
            ("ssl.endpoint.identification.algorithm", "https"),
        ] {
            assert_eq!(config.get(name).map(str::trim), Some(value), "{name}");
        }
        let shown = format!("{kafka:?} {:?}", kafka.listing(&config).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("PRIVATE KEY"));
        assert!(config.create::<rdkafka::consumer::BaseConsumer>().is_ok());
    }

    #[tokio::test]
    async fn a_certificate_without_its_key_is_an_error() {
        let authority = CertificateAuthority::new("authority").unwrap();
        let client = authority.client("job", "job", "urn:job").unwrap();
        let other = authority.client("other", "job", "urn:job").unwrap();
        let (certificate, key) = (client.pem().unwrap(), client.key_pem().unwrap());
        let other = other.key_pem().unwrap();
        let cipher = Cipher::aes_256_cbc();
        let sealed = client
            .key
            .private_key_to_pem_pkcs8_passphrase(cipher, b"hunter2");
        let sealed = String::from_utf8(sealed.unwrap()).unwrap();
        let certificate = ("KAFKA_SSL_CERTIFICATE", certificate.as_str());
        for (settings, expected) in [
            (vec![certificate], "go together"),
            (vec![("KAFKA_SSL_KEY", key.as_str())], "go together"),
            (
                vec![certificate, ("KAFKA_SSL_KEY", other.as_str())],
                "KAFKA_SSL_KEY is not the key of KAFKA_SSL_CERTIFICATE",
            ),
            (
                vec![certificate, ("KAFKA_SSL_KEY", sealed.as_str())],
                "has a pass phrase: set KAFKA_SSL_KEY_PASSWORD",
            ),
            (
                vec![
                    certificate,
                    ("KAFKA_SSL_KEY", sealed.as_str()),
                    ("KAFKA_SSL_KEY_PASSWORD", "x"),
                ],
                "KAFKA_SSL_KEY_PASSWORD is not the pass phrase",
            ),
            (
                vec![
                    certificate,
                    ("KAFKA_SSL_KEY", key.as_str()),
                    ("KAFKA_SECURITY_PROTOCOL", "plaintext"),
                ],
                "KAFKA_SECURITY_PROTOCOL is plaintext, but KAFKA_SSL_CERTIFICATE is set",
            ),
        ] {
            let mut all = vec![BROKER];
            all.extend(settings);
            let error = kafka(&all).await.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
