//! When an attempt is repeated, and how long it may take. Pure.

use std::time::Duration;

use runtime::retry::Backoff;

const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(200),
    max: Duration::from_secs(5),
};

/// The timeout of one attempt, at most.
const MAX_ATTEMPT: Duration = Duration::from_secs(5);

/// Whether a response with this status may be followed by a successful one: 408, 429 and 5xx.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..=599)
}

/// The timeout of one attempt: each URL gets one within the timeout of the operation, and one gets a second.
pub(crate) fn attempt_timeout(timeout: Duration, urls: usize) -> Duration {
    let attempts = u32::try_from(urls).unwrap_or(u32::MAX).saturating_add(1);
    (timeout / attempts).min(MAX_ATTEMPT)
}

/// The wait after each URL has failed `rounds` times: exponential with equal jitter. `retry_after` is the smallest wait
/// that the URLs request.
pub(crate) fn wait(rounds: u32, random: f64, retry_after: Duration) -> Duration {
    BACKOFF.equal_jitter(rounds, random).max(retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_overload_and_server_errors_are_transient() {
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(is_transient(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 422] {
            assert!(!is_transient(status), "{status}");
        }
    }

    #[test]
    fn every_url_has_an_attempt_within_the_timeout() {
        let seconds = Duration::from_secs;
        assert_eq!(attempt_timeout(seconds(10), 1), seconds(5));
        assert_eq!(attempt_timeout(seconds(9), 2), seconds(3));
        assert_eq!(attempt_timeout(seconds(60), 1), seconds(5));
        assert_eq!(attempt_timeout(seconds(1), 0), seconds(1));
    }

    #[test]
    fn waits_double_and_respect_retry_after() {
        let ms = Duration::from_millis;
        assert_eq!(wait(1, 0.0, ms(0)), ms(100));
        assert_eq!(wait(2, 1.0, ms(0)), ms(400));
        assert_eq!(wait(40, 1.0, ms(0)), ms(5000));
        assert_eq!(wait(1, 1.0, ms(7000)), ms(7000));
    }
}
