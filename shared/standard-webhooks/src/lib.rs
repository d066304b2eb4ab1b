//! Signatures over the body of a request, by Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>), scheme `v1`.
//!
//! [`WebhookSecret`] reads a secret and calculates a signature. The crate neither builds requests nor decides who may call:
//! the job signs with it, the ingest function verifies. The crate `standardwebhooks` rejects bodies that are not UTF-8,
//! which Avro usually is not.
//!
//! ```
//! use runtime::secret::Secret;
//! use standard_webhooks::WebhookSecret;
//!
//! // The example of the specification.
//! let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
//! let secret = WebhookSecret::parse(&secret).expect("base64 of 24 to 64 bytes");
//! let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#)?;
//! assert_eq!(standard_webhooks::field(&signature), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
//! # Ok::<(), openssl::error::ErrorStack>(())
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use runtime::secret::Secret;

/// The id of a request. It has no full stop: with one, a signature would fit several triples of id, timestamp and body.
pub const ID: &str = "webhook-id";
/// The time of an attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// The length of a signature, in bytes: an HMAC-SHA256.
pub const SIGNATURE_BYTES: usize = 32;

/// The lengths of a secret that the specification permits, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A shared secret. `Debug` does not print it.
#[derive(Clone)]
pub struct WebhookSecret(PKey<Private>);

impl WebhookSecret {
    /// Reads a secret: base64 of 24 to 64 bytes, after the prefix `whsec_` or without it. `None`: it is malformed.
    pub fn parse(text: &Secret) -> Option<Self> {
        let text = text.reveal();
        let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text));
        let bytes = bytes
            .ok()
            .filter(|bytes| SECRET_BYTES.contains(&bytes.len()))?;
        PKey::hmac(&bytes).ok().map(Self)
    }

    /// The signature over id, timestamp and body, of [`SIGNATURE_BYTES`].
    ///
    /// # Errors
    /// OpenSSL fails.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            signer.update(part)?;
        }
        signer.sign_to_vec()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A signature as it is in [`SIGNATURE`].
pub fn field(signature: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(signature))
}

/// The bytes of one signature in [`SIGNATURE`]. `None`: it is malformed, or of another scheme.
pub fn parse_field(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text.strip_prefix("v1,")?).ok()?;
    (bytes.len() == SIGNATURE_BYTES).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_24_to_64_bytes_and_is_not_printed() {
        let is_valid = |text: String| WebhookSecret::parse(&Secret::new(text)).is_some();
        for (length, expected) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
            let text = STANDARD.encode(vec![7; length]);
            assert_eq!(is_valid(format!("whsec_{text}")), expected, "{length}");
            assert_eq!(is_valid(text), expected, "{length}");
        }
        assert!(!is_valid("whsec_no base64".to_owned()));
        let secret = WebhookSecret::parse(&Secret::new(STANDARD.encode([7; 24]))).unwrap();
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }

    #[test]
    fn only_whole_signatures_of_the_scheme_are_read() {
        let signature = field(&[7; SIGNATURE_BYTES]);
        assert_eq!(parse_field(&signature), Some(vec![7; SIGNATURE_BYTES]));
        for wrong in ["", "v1,", "v1,AAAA", "v1a,AAAA", &signature[3..]] {
            assert_eq!(parse_field(wrong), None, "{wrong}");
        }
    }
}
