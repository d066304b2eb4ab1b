//! How many requests a second may go. Pure: a token bucket with the clock passed in.

use std::time::{Duration, Instant};

/// Fills at `rate` tokens a second. It holds ten milliseconds' worth, or one: enough to keep the rate where timers
/// are coarse, too little for a burst that an endpoint would notice.
#[derive(Debug)]
pub struct Bucket {
    rate: f64,
    capacity: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// A full bucket; `rate` is above zero.
    pub fn new(rate: f64, now: Instant) -> Self {
        let capacity = (rate / 100.0).max(1.0);
        Self {
            rate,
            capacity,
            tokens: capacity,
            at: now,
        }
    }

    /// `None`: a token is there now; else the moment when one will be.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.capacity);
        self.at = self.at.max(now);
        // A hair below one is one: else rounding would make us look again for ever.
        if self.tokens > 1.0 - 1e-6 {
            return None;
        }
        let wait = ((1.0 - self.tokens) / self.rate).min(86_400.0);
        now.checked_add(Duration::from_secs_f64(wait))
    }

    /// Takes one token.
    pub fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_the_rate_through_and_no_more() {
        for rate in [0.5, 1.0, 7.0, 100.0, 5000.0, 250_000.0] {
            let start = Instant::now();
            let mut now = start;
            let mut bucket = Bucket::new(rate, start);
            let mut sent = 0_u32;
            while now < start + Duration::from_secs(8) {
                match bucket.next(now) {
                    None => {
                        bucket.take();
                        sent += 1;
                    }
                    // A timer of one millisecond.
                    Some(then) => now = then.max(now + Duration::from_millis(1)),
                }
            }
            let most = rate * 8.0 + (rate / 100.0).max(1.0);
            assert!(f64::from(sent) <= most + 1.0, "{rate}: {sent}");
            assert!(f64::from(sent) >= rate * 8.0 * 0.98 - 1.0, "{rate}: {sent}");
        }
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut bucket = Bucket::new(1.0, start);
        assert_eq!(bucket.next(start), None);
        bucket.take();
        assert!(bucket.next(start - Duration::from_secs(5)).is_some());
        assert!(bucket.next(start).is_some());
    }
}
