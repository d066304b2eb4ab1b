//! The idempotency keys of earlier requests and records.
//!
//! For each key only the digests of the key and of its payload are kept. The response is not kept: it depends on the
//! payload alone. When the history is full, a new key replaces the oldest one.

use std::collections::{HashMap, HashSet, VecDeque};

use openssl::sha::sha256;

/// A SHA-256 digest, of a key or of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The digest of the same key in another scope. Keys of different scopes are different.
    pub(super) fn scoped(&self, scope: &[u8]) -> Self {
        Self(sha256(&[&self.0, scope].concat()))
    }
}

/// The status of a key for a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyStatus {
    /// Not in the history.
    New,
    /// Used with the same payload.
    Duplicate,
    /// Used with another payload.
    Reused,
}

/// The last accepted keys, and the keys of requests in progress.
#[derive(Debug)]
pub(super) struct KeyHistory {
    locked: HashSet<Digest>,
    /// The payload of each accepted key.
    payloads: HashMap<Digest, Digest>,
    /// The accepted keys, oldest first.
    order: VecDeque<Digest>,
    max_keys: usize,
}

impl KeyHistory {
    /// An empty history of at most `max_keys` accepted keys.
    pub(super) fn new(max_keys: usize) -> Self {
        Self {
            locked: HashSet::new(),
            payloads: HashMap::new(),
            order: VecDeque::new(),
            max_keys,
        }
    }

    /// The status of `key` for `payload`.
    pub(super) fn status(&self, key: &Digest, payload: &Digest) -> KeyStatus {
        match self.payloads.get(key) {
            None => KeyStatus::New,
            Some(known) if known == payload => KeyStatus::Duplicate,
            Some(_) => KeyStatus::Reused,
        }
    }

    /// Whether a request with this key is in progress.
    pub(super) fn is_locked(&self, key: &Digest) -> bool {
        self.locked.contains(key)
    }

    /// Locks a key for a request. Returns false if it is locked already.
    pub(super) fn lock(&mut self, key: Digest) -> bool {
        self.locked.insert(key)
    }

    /// Unlocks a key.
    pub(super) fn unlock(&mut self, key: &Digest) {
        self.locked.remove(key);
    }

    /// Adds an accepted key. Returns false if it is in the history already.
    pub(super) fn insert(&mut self, key: Digest, payload: Digest) -> bool {
        if self.payloads.insert(key, payload).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.max_keys
            && let Some(oldest) = self.order.pop_front()
        {
            self.payloads.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_duplicate_only_with_its_payload() {
        let (key, payload, other) = (Digest::of(b"k"), Digest::of(b"p"), Digest::of(b"o"));
        let mut keys = KeyHistory::new(10);
        assert_eq!(keys.status(&key, &payload), KeyStatus::New);
        assert_eq!(keys.status(&key, &payload), KeyStatus::New);
        assert!(keys.insert(key, payload));
        assert_eq!(keys.status(&key, &payload), KeyStatus::Duplicate);
        assert_eq!(keys.status(&key, &other), KeyStatus::Reused);
        assert_eq!(
            keys.status(&key.scoped(b"container"), &payload),
            KeyStatus::New
        );
    }

    #[test]
    fn a_key_is_locked_once() {
        let key = Digest::of(b"k");
        let mut keys = KeyHistory::new(10);
        assert!(keys.lock(key));
        assert!(!keys.lock(key));
        assert!(keys.is_locked(&key));
        keys.unlock(&key);
        assert!(!keys.is_locked(&key));
        assert!(keys.lock(key));
    }

    #[test]
    fn keeps_a_bounded_number_of_keys_and_drops_the_oldest() {
        let mut keys = KeyHistory::new(3);
        let key = |number: u32| Digest::of(&number.to_be_bytes());
        for number in 0..1000 {
            assert!(keys.insert(key(number), key(number)));
            assert!(!keys.insert(key(number), key(number)));
        }
        assert_eq!((keys.order.len(), keys.payloads.len()), (3, 3));
        assert_eq!(keys.status(&key(996), &key(996)), KeyStatus::New);
        for number in 997..1000 {
            assert_eq!(
                keys.status(&key(number), &key(number)),
                KeyStatus::Duplicate
            );
        }
    }
}
