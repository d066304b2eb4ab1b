//! The TLS configuration and the signatures of a route.

use std::sync::Arc;
use std::time::SystemTime;

use delivery::transport::{Pem, TlsFiles};
use runtime::secret::Secret;
use standard_webhooks::WebhookSecret;

use super::auth::Secrets;
use super::text::{SignText, TlsText};
use crate::authorization::StandardWebhooks;

/// The most secrets of a signature: the current one, and its predecessor or successor.
const MAX_SECRETS: usize = 4;

impl TlsText {
    /// Reads no file. `None`: a part of it is not known.
    pub(super) fn resolve(
        self,
        secrets: &mut Secrets<'_>,
    ) -> Result<Option<Arc<TlsFiles>>, String> {
        if self.ca.is_none() && self.certificate.is_none() && self.key.is_none() {
            return Err("tls must have ca, or certificate and key".to_owned());
        }
        let parts = [&self.ca, &self.certificate, &self.key];
        let unknown = parts.into_iter().flatten();
        // Not `any`: all references are named.
        let unknown = unknown.filter(|text| secrets.is_unknown(text)).count();
        if unknown > 0 && self.certificate.is_some() == self.key.is_some() {
            return Ok(None);
        }
        let pem = |text: &str, secrets: &mut Secrets<'_>| -> Result<Pem, String> {
            Ok(Pem::from_text(&secrets.read_plain(text)?))
        };
        let ca = self.ca.map(|text| pem(&text, secrets)).transpose()?;
        let identity = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let certificate = pem(&certificate, secrets)?;
                // A path is not a secret.
                let key = match Pem::from_text(&Secret::new(&key)) {
                    Pem::Text(text) => Pem::Text(secrets.read(text.reveal())?),
                    Pem::File(_) => pem(&key, secrets)?,
                };
                Some((certificate, key))
            }
            _ => return Err("tls has only one of certificate and key".to_owned()),
        };
        Ok(Some(Arc::new(TlsFiles::new(ca, identity))))
    }
}

impl SignText {
    /// The signer, and its secrets. Those that are not known are left out.
    pub(super) fn resolve(
        self,
        secrets: &mut Secrets<'_>,
    ) -> Result<(Arc<StandardWebhooks>, Vec<Secret>), String> {
        let count = self.standard_webhooks.len();
        if !(1..=MAX_SECRETS).contains(&count) {
            return Err(format!(
                "standard_webhooks has {count} secrets, expected 1 to {MAX_SECRETS}"
            ));
        }
        let (mut parsed, mut texts) = (Vec::new(), Vec::new());
        for (position, text) in (1..).zip(&self.standard_webhooks) {
            if secrets.is_unknown(text) {
                continue;
            }
            let text = secrets.read(text)?;
            let secret = WebhookSecret::parse(&text).ok_or_else(|| {
                format!("secret {position} of standard_webhooks is malformed: expected whsec_ and base64 of 24 to 64 bytes")
            })?;
            parsed.push(secret);
            // An endpoint may repeat it without the prefix.
            texts.extend(text.reveal().strip_prefix("whsec_").map(Secret::new));
            texts.push(text);
        }
        let signer = StandardWebhooks::new(parsed, SystemTime::now);
        Ok((Arc::new(signer), texts))
    }
}
