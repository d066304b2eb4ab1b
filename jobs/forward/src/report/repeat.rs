//! Keeps the log readable while the same error comes again and again: the first few of a kind in each interval are
//! written, the others are counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The most kinds that are kept apart; all others share one allowance.
const MOST_KINDS: usize = 256;

/// Decides which repeated log lines are written. The clock is passed in.
#[derive(Debug)]
pub struct Repeats<K> {
    first: u32,
    interval: Duration,
    kinds: HashMap<Option<K>, Kind>,
}

#[derive(Debug)]
struct Kind {
    since: Instant,
    written: u32,
    held_back: u64,
}

impl<K: Eq + Hash> Repeats<K> {
    /// The first `first` of a kind are written in each `interval`.
    pub fn new(first: u32, interval: Duration) -> Self {
        Self {
            first,
            interval,
            kinds: HashMap::new(),
        }
    }

    /// One more of this kind. `Some(n)`: write it, and say that `n` of its kind were held back since the last one that
    /// was written. `None`: be silent.
    pub fn admit(&mut self, kind: K, now: Instant) -> Option<u64> {
        let mut key = Some(kind);
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&key) {
            key = None;
        }
        let kind = self.kinds.entry(key).or_insert(Kind {
            since: now,
            written: 0,
            held_back: 0,
        });
        if now.duration_since(kind.since) >= self.interval {
            kind.since = now;
            kind.written = 0;
        }
        if kind.written < self.first {
            kind.written += 1;
            return Some(std::mem::take(&mut kind.held_back));
        }
        kind.held_back += 1;
        None
    }

    /// What was held back and not yet told, for a last line a kind at the run's end; `None` stands for the kinds
    /// that share one allowance.
    pub fn held_back(&mut self) -> Vec<(Option<K>, u64)> {
        self.kinds
            .drain()
            .filter(|(_, kind)| kind.held_back > 0)
            .map(|(key, kind)| (key, kind.held_back))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_first_few_and_counts_the_rest() {
        let mut repeats = Repeats::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| repeats.admit("refused", start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(repeats.admit("timeout", start), Some(0));
        let later = start + Duration::from_secs(10);
        assert_eq!(repeats.admit("refused", later), Some(3));
        assert_eq!(repeats.admit("refused", later), Some(0));
        assert_eq!(repeats.admit("refused", later), None);
        assert_eq!(repeats.held_back(), [(Some("refused"), 1)]);
        assert_eq!(repeats.held_back(), []);
    }

    #[test]
    fn a_flood_of_kinds_is_bounded() {
        let mut repeats = Repeats::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let written = (0..100_000)
            .filter(|kind| repeats.admit(*kind, now).is_some())
            .count();
        assert_eq!(written, MOST_KINDS + 1);
        assert_eq!(repeats.kinds.len(), MOST_KINDS + 1);
        let held: u64 = repeats.held_back().iter().map(|(_, count)| count).sum();
        assert_eq!(held, 100_000 - MOST_KINDS as u64 - 1);
    }
}
