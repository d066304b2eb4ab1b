//! Rate limit: a token limiter. Pure: the caller supplies the clock.

use std::time::{Duration, Instant};

/// A token bucket that fills at `rate` tokens a second. Its capacity is ten milliseconds of tokens, at least one: enough
/// to reach the rate with timers of a millisecond, too little for a noticeable burst.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    rate: f64,
    capacity: f64,
    tokens: f64,
    at: Instant,
}

impl RateLimiter {
    /// A full bucket; `rate` is greater than zero.
    pub(crate) fn new(rate: f64, now: Instant) -> Self {
        let capacity = (rate / 100.0).max(1.0);
        Self {
            rate,
            capacity,
            tokens: capacity,
            at: now,
        }
    }

    /// When a token is available; `None`: now.
    pub(crate) fn next_token(&mut self, now: Instant) -> Option<Instant> {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.rate).min(self.capacity);
        self.at = self.at.max(now);
        // Rounding can leave the sum slightly below one at the time that was returned before.
        if self.tokens > 1.0 - 1e-6 {
            return None;
        }
        let wait = ((1.0 - self.tokens) / self.rate).min(86_400.0);
        now.checked_add(Duration::from_secs_f64(wait))
    }

    /// Takes one token.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_rate() {
        for rate in [0.5, 1.0, 7.0, 100.0, 5000.0, 250_000.0] {
            let start = Instant::now();
            let mut now = start;
            let mut limiter = RateLimiter::new(rate, start);
            let mut sent = 0_u32;
            while now < start + Duration::from_secs(8) {
                match limiter.next_token(now) {
                    None => {
                        limiter.take();
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
    fn a_clock_that_steps_back_adds_no_tokens() {
        let start = Instant::now() + Duration::from_secs(9);
        let mut limiter = RateLimiter::new(1.0, start);
        assert_eq!(limiter.next_token(start), None);
        limiter.take();
        assert!(limiter.next_token(start - Duration::from_secs(5)).is_some());
        assert!(limiter.next_token(start).is_some());
    }
}
