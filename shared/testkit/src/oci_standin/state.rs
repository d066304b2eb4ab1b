//! The state of the cloud: objects, secrets, keys, injected faults and recorded requests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Public};

use super::authority::Authority;
use super::names::REGION;
use super::response::Fault;

/// The state of the cloud. The authority does not change; everything else is behind one lock.
pub(super) struct State {
    pub(super) authority: &'static Authority,
    inner: Mutex<StateInner>,
}

/// The state that changes.
#[derive(Default)]
pub(super) struct StateInner {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    pub(super) secrets: BTreeMap<String, Secret>,
    /// The public keys of API keys, by `<tenancy>/<user>/<fingerprint>`.
    pub(super) api_keys: BTreeMap<String, PKey<Public>>,
    /// The number of issued tokens. Those with a number below `first_valid` are revoked.
    pub(super) tokens: u64,
    pub(super) first_valid: u64,
    pub(super) faults: Vec<(String, Fault, usize)>,
    pub(super) requests: Vec<RecordedRequest>,
    /// The difference between the cloud's clock and the system's clock, in seconds.
    pub(super) clock_offset: i64,
}

/// A recorded request and the status of its response.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    /// The method, such as `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The names of the signed headers; empty if the request is not signed.
    pub signed: String,
    /// The status of the response; 0 if there was none.
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

impl State {
    pub(super) fn new() -> Result<Self> {
        let mut inner = StateInner::default();
        for bucket in ["config", "avro-schema-bucket"] {
            inner.buckets.insert(bucket.to_owned(), BTreeMap::new());
        }
        Ok(Self {
            authority: Authority::get()?,
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, StateInner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateInner {
    /// The time of the cloud's clock.
    pub(super) fn now(&self) -> SystemTime {
        let shift = Duration::from_secs(self.clock_offset.unsigned_abs());
        if self.clock_offset < 0 {
            SystemTime::now() - shift
        } else {
            SystemTime::now() + shift
        }
    }

    pub(super) fn revoke_all(&mut self) {
        self.api_keys.clear();
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

    /// Stores an object. The entity tag depends on the content only.
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

    /// The objects of a bucket, in the order of their names.
    pub(super) fn objects(&self, bucket: &str) -> impl Iterator<Item = (&String, &Object)> {
        self.buckets.get(bucket).into_iter().flatten()
    }

    pub(super) fn delete_object(&mut self, bucket: &str, object: &str) {
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.remove(object);
        }
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

    pub(super) fn inject(&mut self, path: &str, fault: Fault, times: usize) {
        self.faults.push((path.to_owned(), fault, times));
    }

    /// Takes the next fault for this request target.
    pub(super) fn take_fault(&mut self, target: &str) -> Option<Fault> {
        let (_, fault, times) = self
            .faults
            .iter_mut()
            .find(|(path, _, times)| *times > 0 && target.contains(path.as_str()))?;
        *times -= 1;
        Some(fault.clone())
    }
}
