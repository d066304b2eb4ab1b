//! What a request is signed with.

use std::time::SystemTime;

use runtime::secret::Secret;

use crate::key::PrivateKey;
use crate::ocid::Ocid;

/// The key id and key of a signature.
#[derive(Debug)]
pub(crate) struct Credentials {
    /// The `keyId` of the signature. It is secret, because it may contain a token.
    pub(crate) key_id: Secret,
    pub(crate) key: PrivateKey,
    /// When the token expires; an API key does not.
    pub(crate) expires: Option<SystemTime>,
}

impl Credentials {
    /// Whether both have the same key id and key.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.key_id == other.key_id && self.key == other.key
    }
}

/// The result of loading a principal: its credentials, tenancy and region.
pub(super) struct LoadedPrincipal {
    pub(super) credentials: Credentials,
    pub(super) tenancy: Ocid,
    pub(super) region: String,
}
