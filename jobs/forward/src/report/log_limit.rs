//! Limits repeated log lines: the first few of a kind in each interval are written, the rest are counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The most kinds that are counted separately; all others share one allowance.
const MOST_KINDS: usize = 256;

/// Decides which repeated log lines are written. The caller passes the clock.
#[derive(Debug)]
pub struct LogLimiter<K> {
    first: u32,
    interval: Duration,
    kinds: HashMap<Option<K>, Kind>,
}

#[derive(Debug)]
struct Kind {
    since: Instant,
    written: u32,
    suppressed: u64,
}

impl<K: Eq + Hash> LogLimiter<K> {
    /// The first `first` of a kind are written in each `interval`.
    pub fn new(first: u32, interval: Duration) -> Self {
        Self {
            first,
            interval,
            kinds: HashMap::new(),
        }
    }

    /// One more line of this kind. `Some(n)`: write it, with the count `n` of lines suppressed since the last written
    /// one. `None`: do not write it.
    pub fn admit(&mut self, kind: K, now: Instant) -> Option<u64> {
        let mut key = Some(kind);
        if self.kinds.len() >= MOST_KINDS && !self.kinds.contains_key(&key) {
            key = None;
        }
        let kind = self.kinds.entry(key).or_insert(Kind {
            since: now,
            written: 0,
            suppressed: 0,
        });
        if now.duration_since(kind.since) >= self.interval {
            kind.since = now;
            kind.written = 0;
        }
        if kind.written < self.first {
            kind.written += 1;
            return Some(std::mem::take(&mut kind.suppressed));
        }
        kind.suppressed += 1;
        None
    }

    /// The suppressed lines that no written line has counted, by kind; `None` stands for the kinds that share one
    /// allowance.
    pub fn suppressed(&mut self) -> Vec<(Option<K>, u64)> {
        self.kinds
            .drain()
            .filter(|(_, kind)| kind.suppressed > 0)
            .map(|(key, kind)| (key, kind.suppressed))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_first_lines_and_counts_the_rest() {
        let mut limiter = LogLimiter::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| limiter.admit("refused", start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admit("timeout", start), Some(0));
        let later = start + Duration::from_secs(10);
        assert_eq!(limiter.admit("refused", later), Some(3));
        assert_eq!(limiter.admit("refused", later), Some(0));
        assert_eq!(limiter.admit("refused", later), None);
        assert_eq!(limiter.suppressed(), [(Some("refused"), 1)]);
        assert_eq!(limiter.suppressed(), []);
    }

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let mut limiter = LogLimiter::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let written = (0..100_000)
            .filter(|kind| limiter.admit(*kind, now).is_some())
            .count();
        assert_eq!(written, MOST_KINDS + 1);
        assert_eq!(limiter.kinds.len(), MOST_KINDS + 1);
        let suppressed: u64 = limiter.suppressed().iter().map(|(_, count)| count).sum();
        assert_eq!(suppressed, 100_000 - MOST_KINDS as u64 - 1);
    }
}
