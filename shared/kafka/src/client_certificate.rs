//! The client certificate: PEM texts or files, or a PKCS#12 file.

use std::path::Path;

use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use openssl::x509::X509;
use rdkafka::ClientConfig;
use runtime::files;
use runtime::secret::Secret;
use settings::{SettingError, Settings, pem};

use crate::settings::{
    KAFKA_SSL_CERTIFICATE, KAFKA_SSL_KEY, KAFKA_SSL_KEY_PASSWORD, KAFKA_SSL_KEYSTORE_LOCATION,
    KAFKA_SSL_KEYSTORE_PASSWORD,
};

/// The maximum size of a PKCS#12 file, in bytes.
const MAX_KEYSTORE: usize = 1 << 20;

/// A certificate with its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCertificate {
    /// The certificate and those between it and the authority.
    chain: String,
    key: Secret,
    password: Option<Secret>,
    pub(crate) is_from_keystore: bool,
}

impl ClientCertificate {
    /// Reads the settings and the files that they name. `None` if there is no certificate.
    ///
    /// # Errors
    /// A file cannot be read, a text is not PEM, certificate and key do not belong together, or one of them is missing.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Option<Self>, SettingError> {
        if let Some(location) = settings.optional(&KAFKA_SSL_KEYSTORE_LOCATION) {
            return Self::from_keystore(settings, location).map(Some);
        }
        if settings.secret(&KAFKA_SSL_KEYSTORE_PASSWORD).is_some() {
            return Err(wrong(
                "KAFKA_SSL_KEYSTORE_PASSWORD is set, but KAFKA_SSL_KEYSTORE_LOCATION is not",
            ));
        }
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
            is_from_keystore: false,
        };
        client.check()?;
        Ok(Some(client))
    }

    fn from_keystore(settings: &Settings, location: &str) -> Result<Self, SettingError> {
        for other in [
            &KAFKA_SSL_CERTIFICATE,
            &KAFKA_SSL_KEY,
            &KAFKA_SSL_KEY_PASSWORD,
        ] {
            if settings.secret(other).is_some() || settings.optional(other).is_some() {
                return Err(wrong(&format!(
                    "KAFKA_SSL_KEYSTORE_LOCATION and {} exclude each other",
                    other.variable()
                )));
            }
        }
        let bytes = files::read(Path::new(location), MAX_KEYSTORE);
        let bytes = bytes.map_err(|reason| SettingError::Unreadable {
            variable: KAFKA_SSL_KEYSTORE_LOCATION.variable(),
            location: location.to_owned(),
            reason,
        })?;
        let password = settings.secret(&KAFKA_SSL_KEYSTORE_PASSWORD);
        let password = password.as_ref().map_or("", Secret::reveal);
        let parsed = Pkcs12::from_der(&bytes)
            .map_err(|_| wrong("KAFKA_SSL_KEYSTORE_LOCATION is not a PKCS#12 file"))?
            .parse2(password)
            .map_err(|_| {
                wrong(
                    "KAFKA_SSL_KEYSTORE_PASSWORD is not the password of KAFKA_SSL_KEYSTORE_LOCATION, or the file has an outdated \
                     encryption: write it again with OpenSSL 3",
                )
            })?;
        let (Some(leaf), Some(key)) = (parsed.cert, parsed.pkey) else {
            return Err(wrong(
                "KAFKA_SSL_KEYSTORE_LOCATION has no certificate with its key",
            ));
        };
        let chain = std::iter::once(leaf).chain(parsed.ca.into_iter().flatten());
        let chain = chain.map(|certificate| certificate.to_pem());
        let chain: Result<Vec<_>, _> = chain.collect();
        let pem = |bytes| String::from_utf8(bytes).unwrap_or_default();
        let (Ok(chain), Ok(key)) = (chain, key.private_key_to_pem_pkcs8()) else {
            return Err(wrong("KAFKA_SSL_KEYSTORE_LOCATION cannot be converted"));
        };
        Ok(Self {
            chain: pem(chain.concat()),
            key: Secret::new(pem(key)),
            password: None,
            is_from_keystore: true,
        })
    }

    /// Sets the properties of a client.
    pub(crate) fn apply(&self, config: &mut ClientConfig) {
        config
            .set("ssl.certificate.pem", &self.chain)
            .set("ssl.key.pem", self.key.reveal());
        if let Some(password) = &self.password {
            config.set("ssl.key.password", password.reveal());
        }
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

fn wrong(reason: &str) -> SettingError {
    SettingError::Contradiction(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use openssl::pkcs12::Pkcs12;
    use openssl::stack::Stack;
    use openssl::symm::Cipher;
    use openssl::x509::X509;
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
    async fn a_pkcs12_file_has_certificate_chain_and_key() {
        let authority = CertificateAuthority::new("authority").unwrap();
        let client = authority.client("job", "job", "urn:job").unwrap();
        let mut chain = Stack::new().unwrap();
        let issuer = authority.pem().unwrap();
        chain
            .push(X509::from_pem(issuer.as_bytes()).unwrap())
            .unwrap();
        let mut builder = Pkcs12::builder();
        builder
            .cert(&client.certificate)
            .pkey(&client.key)
            .ca(chain);
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes = builder.build2("hunter2").unwrap().to_der().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let location = ("KAFKA_SSL_KEYSTORE_LOCATION", file.path().to_str().unwrap());
        let password = ("KAFKA_SSL_KEYSTORE_PASSWORD", "hunter2");
        let settings = kafka(&[BROKER, location, password]).await.unwrap();
        let config = settings.reader("group");
        let pem = client.pem().unwrap() + &issuer;
        assert_eq!(config.get("ssl.certificate.pem"), Some(pem.as_str()));
        assert_eq!(config.get("ssl.key.pem"), Some(&*client.key_pem().unwrap()));
        assert_eq!(config.get("security.protocol"), Some("ssl"));
        let listing = settings.listing(&config).unwrap();
        let mut listed = listing.iter().filter(|line| line.name.ends_with(".pem"));
        assert!(listed.all(|line| line.source == "KAFKA_SSL_KEYSTORE_LOCATION"));
        assert!(!format!("{settings:?} {listing:?}").contains("hunter2"));

        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "hunter2").unwrap();
        let text = ("KAFKA_SSL_KEYSTORE_LOCATION", text.path().to_str().unwrap());
        let missing = ("KAFKA_SSL_KEYSTORE_LOCATION", "/no/such.p12");
        for (more, part) in [
            (vec![location], "is not the password"),
            (
                vec![location, ("KAFKA_SSL_KEYSTORE_PASSWORD", "x")],
                "is not the password",
            ),
            (vec![text, password], "is not a PKCS#12 file"),
            (vec![missing, password], "/no/such.p12"),
            (vec![password], "KAFKA_SSL_KEYSTORE_LOCATION is not"),
            (
                vec![location, password, ("KAFKA_SSL_KEY", "x")],
                "exclude each other",
            ),
        ] {
            let all = [vec![BROKER], more].concat();
            let error = kafka(&all).await.unwrap_err();
            assert!(
                error.contains(part) && !error.contains("hunter2"),
                "{error}"
            );
        }
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
