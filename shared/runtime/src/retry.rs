//! Delays between attempts: exponential backoff with jitter, and `Retry-After`. Pure: the caller supplies the clock and
//! the random numbers.

use std::time::{Duration, SystemTime};

/// The longest delay that [`Backoff`] returns: the product with a jitter stays within the range of a `Duration`.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Exponential backoff: the ceiling of the delay doubles with each failed attempt.
///
/// The two kinds of jitter are those of "Exponential Backoff And Jitter" (AWS Architecture Blog).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The ceiling after the first failed attempt.
    pub initial: Duration,
    /// The ceiling after any number of failed attempts.
    pub max: Duration,
}

impl Backoff {
    /// Full jitter: a delay between zero and the ceiling. `failures` counts failed attempts from 1; `random` is between
    /// 0 and 1.
    pub fn full_jitter(&self, failures: u32, random: f64) -> Duration {
        self.ceiling(failures).mul_f64(fraction(random))
    }

    /// Equal jitter: a delay between half the ceiling and the ceiling. Arguments as in [`Backoff::full_jitter`].
    pub fn equal_jitter(&self, failures: u32, random: f64) -> Duration {
        self.ceiling(failures).mul_f64(0.5 + 0.5 * fraction(random))
    }

    /// `initial` × 2^(failures − 1), at most `max`.
    fn ceiling(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let ceiling = self.initial.saturating_mul(1 << doublings);
        ceiling.min(self.max).min(YEAR)
    }
}

/// Between 0 and 1. `Duration::mul_f64` panics if its argument is negative or NaN.
fn fraction(random: f64) -> f64 {
    if random.is_nan() {
        return 0.0;
    }
    random.clamp(0.0, 1.0)
}

/// Parses `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3).
///
/// A date is compared with the response's own `Date` header, so that a wrong clock on either side has no effect; without
/// one, with `now`. `None` if the value is malformed, zero or in the past: a delay of zero would use up the attempts.
pub fn retry_after(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let delay = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX)))
    } else {
        let at = httpdate::parse_http_date(value).ok()?;
        let reference = date
            .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
            .unwrap_or(now);
        at.duration_since(reference).ok()?
    };
    (!delay.is_zero()).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const BACKOFF: Backoff = Backoff {
        initial: Duration::from_millis(200),
        max: Duration::from_secs(30),
    };

    #[test]
    fn full_jitter_spreads_delays_below_a_ceiling_that_doubles() {
        for failures in 1..=40 {
            let ceiling = (0.2 * 2_f64.powi(failures - 1)).min(30.0);
            for percent in 0..100 {
                let random = f64::from(percent) / 100.0;
                let delay = BACKOFF.full_jitter(failures as u32, random).as_secs_f64();
                assert!((delay - ceiling * random).abs() < 1e-6, "{failures}");
            }
        }
    }

    #[test]
    fn equal_jitter_waits_at_least_half_the_ceiling() {
        let ms = Duration::from_millis;
        assert_eq!(BACKOFF.equal_jitter(1, 0.0), ms(100));
        assert_eq!(BACKOFF.equal_jitter(1, 1.0), ms(200));
        assert_eq!(BACKOFF.equal_jitter(3, 1.0), ms(800));
        assert_eq!(BACKOFF.equal_jitter(40, 1.0), ms(30_000));
    }

    #[test]
    fn extreme_arguments_do_not_panic() {
        let longest = Backoff {
            initial: Duration::MAX,
            max: Duration::MAX,
        };
        assert_eq!(longest.full_jitter(u32::MAX, 1.0), YEAR);
        assert_eq!(BACKOFF.full_jitter(0, f64::NAN), Duration::ZERO);
        assert_eq!(BACKOFF.full_jitter(1, -1.0), Duration::ZERO);
        assert_eq!(BACKOFF.full_jitter(1, f64::INFINITY), BACKOFF.initial);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let parse = |value, date| retry_after(value, date, now);
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(parse("2", None), seconds(2));
        assert_eq!(parse(" 120 ", None), seconds(120));
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:40 GMT", None), seconds(3));
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:40 GMT", None), seconds(3));
        // The server's clock is an hour ahead.
        let date = Some("Sun, 06 Nov 1994 09:49:37 GMT");
        assert_eq!(parse("Sun, 06 Nov 1994 09:49:42 GMT", date), seconds(5));
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:49:42 GMT", Some("?")),
            seconds(5)
        );
    }

    #[test]
    fn retry_after_of_zero_or_in_the_past_is_ignored() {
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
            "Sun, 06 Nov 1994 08:00:00 GMT",
        ] {
            assert_eq!(retry_after(value, None, now), None, "{value}");
        }
        let long = retry_after("99999999999999999999999", None, now);
        assert!(long.is_some_and(|delay| delay > YEAR));
    }
}
