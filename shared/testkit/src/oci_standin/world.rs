//! What there is: objects, secrets, who may sign, the troubles to come, and what was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Public};

use super::answer::Trouble;
use super::identity::Authority;

/// The tenancy.
pub const TENANCY: &str = "ocid1.tenancy.oc1..standin";
/// The region.
pub const REGION: &str = "sa-saopaulo-1";
/// The Object Storage namespace.
pub const NAMESPACE: &str = "standinns";
/// The vault.
pub(super) const VAULT: &str = "ocid1.vault.oc1.sa-saopaulo-1.standin";

/// Everything, behind one lock; the authority never changes.
pub(super) struct World {
    pub(super) authority: &'static Authority,
    inner: Mutex<Inner>,
}

/// What changes.
#[derive(Default)]
pub(super) struct Inner {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) secrets: BTreeMap<String, Secret>,
    /// Public keys by `<tenancy>/<user>/<fingerprint>`.
    pub(super) api_max_keys: BTreeMap<String, PKey<Public>>,
    /// How many tokens were issued; those numbered below `first_valid` are revoked.
    pub(super) tokens: u64,
    pub(super) first_valid: u64,
    pub(super) troubles: Vec<(String, Trouble, usize)>,
    pub(super) seen: Vec<Seen>,
    pub(super) ahead: i64,
}

/// One request as it arrived, and how it was answered.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The names of the signed headers, or empty.
    pub signed: String,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
}

#[derive(Clone)]
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: String,
    pub(super) content_type: String,
}

pub(super) struct Secret {
    pub(super) ocid: String,
    pub(super) versions: Vec<Vec<u8>>,
    pub(super) is_expired: bool,
}

impl World {
    pub(super) fn new() -> Result<Self> {
        let mut inner = Inner::default();
        for bucket in ["config", "avro-schema-bucket"] {
            inner.buckets.insert(bucket.to_owned(), BTreeMap::new());
        }
        Ok(Self {
            authority: Authority::get()?,
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// What time it is here.
    pub(super) fn now(&self) -> SystemTime {
        let shift = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 {
            SystemTime::now() - shift
        } else {
            SystemTime::now() + shift
        }
    }

    pub(super) fn revoke_all(&mut self) {
        self.api_max_keys.clear();
        self.first_valid = self.tokens;
    }

    pub(super) fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.contains_key(bucket)
    }

    pub(super) fn make_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub(super) fn put_object(&mut self, bucket: &str, object: &str, bytes: Vec<u8>) {
        self.store(bucket, object, bytes, "application/octet-stream");
    }

    /// Stores an object; the entity tag follows the content.
    pub(super) fn store(
        &mut self,
        bucket: &str,
        object: &str,
        bytes: Vec<u8>,
        content_type: &str,
    ) -> Object {
        let digest = hash(MessageDigest::sha256(), &bytes).map(|digest| digest.to_vec());
        let etag = digest
            .unwrap_or_default()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let stored = Object {
            bytes,
            etag,
            content_type: content_type.to_owned(),
        };
        self.buckets
            .entry(bucket.to_owned())
            .or_default()
            .insert(object.to_owned(), stored.clone());
        stored
    }

    pub(super) fn stored(&self, bucket: &str, object: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(object)
    }

    pub(super) fn object(&self, bucket: &str, object: &str) -> Option<Vec<u8>> {
        self.stored(bucket, object)
            .map(|object| object.bytes.clone())
    }

    pub(super) fn put_secret(&mut self, name: &str, bytes: &[u8]) -> String {
        let number = self.secrets.len();
        let secret = self
            .secrets
            .entry(name.to_owned())
            .or_insert_with(|| Secret {
                ocid: format!("ocid1.vaultsecret.oc1.{REGION}.standin{number}"),
                versions: Vec::new(),
                is_expired: false,
            });
        secret.versions.push(bytes.to_vec());
        secret.ocid.clone()
    }

    pub(super) fn expire_secret(&mut self, name: &str) {
        if let Some(secret) = self.secrets.get_mut(name) {
            secret.is_expired = true;
        }
    }

    pub(super) fn trouble(&mut self, path: &str, trouble: Trouble, times: usize) {
        self.troubles.push((path.to_owned(), trouble, times));
    }

    /// The trouble that this request meets; counted down.
    pub(super) fn trouble_of(&mut self, target: &str) -> Option<Trouble> {
        let (_, trouble, times) = self
            .troubles
            .iter_mut()
            .find(|(path, _, times)| *times > 0 && target.contains(path.as_str()))?;
        *times -= 1;
        Some(trouble.clone())
    }
}
