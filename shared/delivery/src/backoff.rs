//! How long to wait before the next attempt. Pure: failures, hints and dice in, a duration out.

use std::time::{Duration, SystemTime};

/// Exponential growth with full jitter, as in "Exponential Backoff And Jitter" (AWS Architecture Blog).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The longest wait after the first failure.
    pub base: Duration,
    /// The longest wait of all.
    pub max: Duration,
}

impl Backoff {
    /// The wait after that many failures (from 1): anything from nothing to `base` × 2^(failures − 1), at most `max`.
    pub fn delay(&self, failures: u32, dice: &mut Dice) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.max);
        // Beyond that, a product could leave the range of a duration.
        let ceiling = ceiling.min(super::YEAR);
        ceiling.mul_f64(dice.fraction())
    }

    /// What the endpoint asked for, but never more than `max`.
    pub fn hinted(&self, hint: Duration) -> Duration {
        hint.min(self.max)
    }
}

/// A seeded source of chance (SplitMix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Starts from `seed`; any value will do.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From 0 up to, but not including, 1.
    pub fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How long a `Retry-After` asks to wait: seconds or an HTTP date (RFC 9110, 10.2.3). A date is compared with the
/// answer's own `Date`, so that a wrong clock on either side does no harm. `None`: no hint; nothing, the past and
/// what is not understood are none either, for a hint of 0 would burn the attempts.
pub fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit is more than anybody will wait.
        Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX)))
    } else {
        let then = httpdate::parse_http_date(value).ok()?;
        let reference = date
            .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
            .unwrap_or(now);
        then.duration_since(reference).ok()?
    };
    (!wait.is_zero()).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(200),
        max: Duration::from_secs(30),
    };

    #[test]
    fn a_wait_is_anywhere_below_a_ceiling_that_doubles() {
        let mut dice = Dice::new(7);
        for failures in 1..=40 {
            let ceiling = (0.2 * 2_f64.powi(failures - 1)).min(30.0);
            let waits: Vec<f64> = (0..400)
                .map(|_| BACKOFF.delay(failures as u32, &mut dice).as_secs_f64())
                .collect();
            assert!(waits.iter().all(|wait| (0.0..=ceiling).contains(wait)));
            // Full jitter: every quarter of the range gets its share.
            for quarter in 0..4 {
                let range =
                    f64::from(quarter) * ceiling / 4.0..f64::from(quarter + 1) * ceiling / 4.0;
                let share = waits.iter().filter(|wait| range.contains(wait)).count();
                assert!((60..140).contains(&share), "{failures} {quarter} {share}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let waits = |seed| {
            let mut dice = Dice::new(seed);
            (1..9)
                .map(|n| BACKOFF.delay(n, &mut dice))
                .collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn retry_after_comes_in_seconds_or_as_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let ask = |value, date| retry_after(value, date, now);
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(ask("2", None), seconds(2));
        assert_eq!(ask(" 120 ", None), seconds(120));
        assert_eq!(ask("Sun, 06 Nov 1994 08:49:40 GMT", None), seconds(3));
        assert_eq!(ask("Sunday, 06-Nov-94 08:49:40 GMT", None), seconds(3));
        // The server's clock is an hour ahead of ours.
        let date = Some("Sun, 06 Nov 1994 09:49:37 GMT");
        assert_eq!(ask("Sun, 06 Nov 1994 09:49:42 GMT", date), seconds(5));
        assert_eq!(ask("Sun, 06 Nov 1994 08:49:42 GMT", Some("?")), seconds(5));
    }

    #[test]
    fn a_hint_of_nothing_is_no_hint() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        for value in [
            "",
            "0",
            "000",
            "-1",
            "1.5",
            "soon",
            "٣",
            "Sun, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(value, None, now), None, "{value}");
        }
        let long = retry_after("99999999999999999999999", None, now);
        assert!(long.is_some_and(|wait| BACKOFF.hinted(wait) == BACKOFF.max));
    }
}
