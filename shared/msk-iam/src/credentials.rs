//! Credentials of AWS.

use std::time::SystemTime;

use runtime::redact;
use runtime::secret::Secret;

/// An access key, and until when it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id, which is no secret.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Secret,
    /// The session token of temporary credentials.
    pub session_token: Option<Secret>,
    /// When temporary credentials expire, if known.
    pub expires_at: Option<SystemTime>,
}

impl Credentials {
    /// Masks the secrets in text from other programs from now on.
    pub(crate) fn protect(&self) {
        redact::protect("AWS secret access key", [self.secret_access_key.clone()]);
        redact::protect("AWS session token", self.session_token.clone());
    }
}
