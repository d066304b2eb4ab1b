//! RSA private keys: reading PEM, signatures, fingerprints.

use std::cell::Cell;
use std::fmt;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

use runtime::secret::Secret;

/// An RSA private key. Prints as `[redacted]`; cheap to clone.
#[derive(Clone)]
pub struct PrivateKey(PKey<Private>);

/// Why a key cannot be read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or damaged.
    #[error("it is not a PEM private key")]
    NotPem,
    /// The key is encrypted and no pass phrase is set.
    #[error("the key is encrypted and no pass phrase is set")]
    NoPassphrase,
    /// The pass phrase does not decrypt the key.
    #[error("the pass phrase does not decrypt the key")]
    WrongPassphrase,
    /// Another kind of key.
    #[error("it is not an RSA key")]
    NotRsa,
    /// OpenSSL could not sign or generate a key.
    #[error("OpenSSL rejected the key")]
    OpenSsl,
}

impl From<ErrorStack> for KeyError {
    fn from(_: ErrorStack) -> Self {
        Self::OpenSsl
    }
}

impl PrivateKey {
    /// Reads a key in PKCS#1 or PKCS#8, plain or encrypted. Text before and after it is ignored: Oracle's
    /// tools end the file with a line `OCI_API_KEY`.
    ///
    /// # Errors
    /// The text is not an RSA key, or cannot be decrypted.
    pub fn from_pem(pem: &[u8], passphrase: Option<&Secret>) -> Result<Self, KeyError> {
        let is_encrypted = Cell::new(false);
        // Without a callback, OpenSSL prompts on the terminal.
        let key = PKey::private_key_from_pem_callback(pem, |buffer| {
            is_encrypted.set(true);
            let phrase = passphrase.map_or("", Secret::reveal).as_bytes();
            let room = buffer.get_mut(..phrase.len()).ok_or_else(ErrorStack::get)?;
            room.copy_from_slice(phrase);
            Ok(phrase.len())
        });
        match key {
            Ok(key) if key.id() == Id::RSA => Ok(Self(key)),
            Ok(_) => Err(KeyError::NotRsa),
            Err(_) if !is_encrypted.get() => Err(KeyError::NotPem),
            Err(_) if passphrase.is_none() => Err(KeyError::NoPassphrase),
            Err(_) => Err(KeyError::WrongPassphrase),
        }
    }

    /// A new key of 2048 bits, for a session.
    ///
    /// # Errors
    /// OpenSSL failed.
    pub fn generate() -> Result<Self, KeyError> {
        Ok(Self(PKey::from_rsa(Rsa::generate(2048)?)?))
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256, which is deterministic.
    ///
    /// # Errors
    /// OpenSSL failed.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        Ok(signer.sign_oneshot_to_vec(text)?)
    }

    /// The fingerprint in Oracle's Console: MD5 of the public key's DER, as pairs of hex digits with colons.
    ///
    /// # Errors
    /// OpenSSL failed.
    pub fn fingerprint(&self) -> Result<String, KeyError> {
        let der = self.0.public_key_to_der()?;
        Ok(colon_hex(&openssl::hash::hash(MessageDigest::md5(), &der)?))
    }

    /// Whether this is the private key of that public key.
    pub(super) fn matches(&self, public: &PKey<Public>) -> bool {
        self.0.public_eq(public)
    }

    /// The public key as PEM.
    ///
    /// # Errors
    /// OpenSSL failed.
    pub fn public_pem(&self) -> Result<String, KeyError> {
        String::from_utf8(self.0.public_key_to_pem()?).map_err(|_| KeyError::OpenSsl)
    }
}

impl PartialEq for PrivateKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.public_eq(&other.0)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Bytes as pairs of lower-case hex digits, separated by colons.
pub(super) fn colon_hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

#[cfg(test)]
mod tests {
    use openssl::ec::{EcGroup, EcKey};
    use openssl::nid::Nid;
    use openssl::symm::Cipher;

    use super::*;
    use crate::samples::{self, SAMPLE_PEM};

    #[test]
    fn the_fingerprint_equals_that_of_the_openssl_command() {
        // openssl pkey -in sample.pem -pubout -outform DER | openssl md5 -c
        assert_eq!(
            samples::key().fingerprint().unwrap(),
            "73:61:a2:21:67:e0:df:be:7e:4b:93:1e:15:98:a5:b7"
        );
    }

    #[test]
    fn ignores_a_label_after_the_key() {
        for pem in [
            format!("{SAMPLE_PEM}OCI_API_KEY\n"),
            format!("{SAMPLE_PEM}\nOCI_API_KEY"),
        ] {
            assert!(PrivateKey::from_pem(pem.as_bytes(), None).is_ok());
        }
    }

    #[test]
    fn reads_both_forms_of_pem_plain_and_encrypted() {
        let rsa = Rsa::generate(2048).unwrap();
        let key = PKey::from_rsa(rsa.clone()).unwrap();
        let cipher = Cipher::aes_256_cbc();
        let phrase = Secret::new("open sesame");
        let bytes = phrase.reveal().as_bytes();
        for (pem, encrypted) in [
            (rsa.private_key_to_pem().unwrap(), false),
            (key.private_key_to_pem_pkcs8().unwrap(), false),
            (
                rsa.private_key_to_pem_passphrase(cipher, bytes).unwrap(),
                true,
            ),
            (
                key.private_key_to_pem_pkcs8_passphrase(cipher, bytes)
                    .unwrap(),
                true,
            ),
        ] {
            assert!(PrivateKey::from_pem(&pem, Some(&phrase)).is_ok());
            if encrypted {
                let wrong = Secret::new("open barley");
                let error = |phrase| PrivateKey::from_pem(&pem, phrase).unwrap_err();
                assert_eq!(error(Some(&wrong)), KeyError::WrongPassphrase);
                assert_eq!(error(None), KeyError::NoPassphrase);
                assert_eq!(
                    error(Some(&Secret::new("x".repeat(5000)))),
                    KeyError::WrongPassphrase
                );
            }
        }
    }

    #[test]
    fn reports_what_other_text_is() {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let curve = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let pem = curve.private_key_to_pem_pkcs8().unwrap();
        let error = |pem: &[u8]| PrivateKey::from_pem(pem, None).unwrap_err();
        assert_eq!(error(&pem), KeyError::NotRsa);
        assert_eq!(error(b""), KeyError::NotPem);
        assert_eq!(
            error(b"-----BEGIN RSA PRIVATE KEY-----\nAAAA"),
            KeyError::NotPem
        );
        assert_eq!(
            error(samples::key().public_pem().unwrap().as_bytes()),
            KeyError::NotPem
        );
    }

    #[test]
    fn a_key_prints_as_redacted() {
        assert_eq!(format!("{:?}", samples::key()), "[redacted]");
    }
}
