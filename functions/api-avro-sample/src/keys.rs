//! Which idempotency keys came before, with what payload. Pure: no clock, no I/O.
//!
//! A remembered key costs two digests, whatever its length: an answer is a function of its payload, so it is made
//! again rather than kept. The oldest key is forgotten when a new one finds no room.

use std::collections::{HashMap, HashSet, VecDeque};

use openssl::sha::sha256;

/// A SHA-256 digest, of a key or of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The same key, as one of that kind: no two kinds share a digest.
    pub(super) fn within(&self, kind: &[u8]) -> Self {
        Self(sha256(&[&self.0, kind].concat()))
    }
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Never met, or forgotten.
    New,
    /// Answered before, for this very payload.
    Same,
    /// Answered before, for another payload.
    Other,
}

/// The keys under way and the last ones answered.
#[derive(Debug)]
pub(super) struct Keys {
    running: HashSet<Digest>,
    answered: HashMap<Digest, Digest>,
    order: VecDeque<Digest>,
    most: usize,
}

impl Keys {
    /// Remembers at most that many answered keys.
    pub(super) fn new(most: usize) -> Self {
        Self {
            running: HashSet::new(),
            answered: HashMap::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// What is known of `key`, for a request with that payload.
    pub(super) fn seen(&self, key: &Digest, payload: &Digest) -> Seen {
        match self.answered.get(key) {
            None => Seen::New,
            Some(known) if known == payload => Seen::Same,
            Some(_) => Seen::Other,
        }
    }

    /// Whether a request with that key is under way.
    pub(super) fn is_running(&self, key: &Digest) -> bool {
        self.running.contains(key)
    }

    /// Marks a key as under way; false when it is already.
    pub(super) fn begin(&mut self, key: Digest) -> bool {
        self.running.insert(key)
    }

    /// The request with that key is over, answered or not.
    pub(super) fn end(&mut self, key: &Digest) {
        self.running.remove(key);
    }

    /// Remembers that `key` was answered for that payload; false when it was already.
    pub(super) fn answered(&mut self, key: Digest, payload: Digest) -> bool {
        if self.answered.insert(key, payload).is_some() {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.answered.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_payload() {
        let (key, payload, other) = (Digest::of(b"k"), Digest::of(b"p"), Digest::of(b"o"));
        let mut keys = Keys::new(10);
        assert_eq!(keys.seen(&key, &payload), Seen::New);
        assert_eq!(keys.seen(&key, &payload), Seen::New);
        assert!(keys.answered(key, payload));
        assert_eq!(keys.seen(&key, &payload), Seen::Same);
        assert_eq!(keys.seen(&key, &other), Seen::Other);
        assert_eq!(keys.seen(&key.within(b"container"), &payload), Seen::New);
    }

    #[test]
    fn a_key_is_under_way_once() {
        let key = Digest::of(b"k");
        let mut keys = Keys::new(10);
        assert!(keys.begin(key));
        assert!(!keys.begin(key));
        assert!(keys.is_running(&key));
        keys.end(&key);
        assert!(!keys.is_running(&key));
        assert!(keys.begin(key));
    }

    #[test]
    fn memory_stays_bounded_and_the_oldest_key_goes_first() {
        let mut keys = Keys::new(3);
        let key = |number: u32| Digest::of(&number.to_be_bytes());
        for number in 0..1000 {
            assert!(keys.answered(key(number), key(number)));
            assert!(!keys.answered(key(number), key(number)));
        }
        assert_eq!((keys.order.len(), keys.answered.len()), (3, 3));
        assert_eq!(keys.seen(&key(996), &key(996)), Seen::New);
        for number in 997..1000 {
            assert_eq!(keys.seen(&key(number), &key(number)), Seen::Same);
        }
    }
}
