//! Limits how often the same log line is written. Pure: the caller supplies the clock and writes the line.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The most kinds that are counted separately; all further kinds share one allowance.
const MAX_KINDS: usize = 256;

/// Allows the first few lines of a kind in each interval and counts the suppressed ones.
///
/// ```
/// use std::time::{Duration, Instant};
/// use runtime::log_limit::LogLimiter;
///
/// let mut limiter = LogLimiter::new(1, Duration::from_secs(5));
/// let now = Instant::now();
/// assert_eq!(limiter.admit("timeout", now), Some(0));
/// assert_eq!(limiter.admit("timeout", now), None);
/// assert_eq!(limiter.admit("timeout", now + Duration::from_secs(5)), Some(1));
/// ```
#[derive(Debug)]
pub struct LogLimiter<K> {
    allowance: u32,
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
    /// Allows `allowance` lines of a kind in each `interval`.
    pub fn new(allowance: u32, interval: Duration) -> Self {
        Self {
            allowance,
            interval,
            kinds: HashMap::new(),
        }
    }

    /// Counts one line of this kind. `Some(n)`: write it, and say that `n` lines of its kind were suppressed since the
    /// last one that was written. `None`: suppress it.
    pub fn admit(&mut self, kind: K, now: Instant) -> Option<u64> {
        let mut key = Some(kind);
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&key) {
            key = None;
        }
        let kind = self.kinds.entry(key).or_insert(Kind {
            since: now,
            written: 0,
            suppressed: 0,
        });
        if now.saturating_duration_since(kind.since) >= self.interval {
            kind.since = now;
            kind.written = 0;
        }
        if kind.written < self.allowance {
            kind.written += 1;
            return Some(std::mem::take(&mut kind.suppressed));
        }
        kind.suppressed += 1;
        None
    }

    /// Removes all counts and returns those of suppressed lines that no written line has reported, for a last line of
    /// each kind. `None` stands for the kinds that share one allowance.
    pub fn take_suppressed(&mut self) -> Vec<(Option<K>, u64)> {
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
    fn allows_the_first_lines_and_counts_the_rest() {
        let mut limiter = LogLimiter::new(2, Duration::from_secs(10));
        let start = Instant::now();
        let admitted: Vec<_> = (0..5).map(|_| limiter.admit("refused", start)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(limiter.admit("timeout", start), Some(0));
        let later = start + Duration::from_secs(10);
        assert_eq!(limiter.admit("refused", later), Some(3));
        assert_eq!(limiter.admit("refused", later), Some(0));
        assert_eq!(limiter.admit("refused", later), None);
        assert_eq!(limiter.take_suppressed(), [(Some("refused"), 1)]);
        assert_eq!(limiter.take_suppressed(), []);
    }

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let mut limiter = LogLimiter::new(1, Duration::from_secs(10));
        let now = Instant::now();
        let written = (0..100_000)
            .filter(|kind| limiter.admit(*kind, now).is_some())
            .count();
        assert_eq!(written, MAX_KINDS + 1);
        assert_eq!(limiter.kinds.len(), MAX_KINDS + 1);
        let suppressed: u64 = limiter
            .take_suppressed()
            .iter()
            .map(|(_, count)| count)
            .sum();
        assert_eq!(suppressed, 100_000 - MAX_KINDS as u64 - 1);
    }
}
