//! Whether and when a request is sent again. Pure.
//!
//! The rules are those of Oracle's "API Errors" page and the default policy of its SDKs.

use std::time::{Duration, SystemTime};

/// The maximum wait before the second attempt. It doubles with each attempt.
const BACKOFF_INITIAL: Duration = Duration::from_millis(500);

/// The maximum wait.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Whether a request that failed with this status and error code may succeed later: 429, 5xx except 501, and two codes
/// of 409.
pub(super) fn is_transient(status: u16, code: &str) -> bool {
    match status {
        429 => true,
        409 => matches!(code, "IncorrectState" | "ExternalServerIncorrectState"),
        501 => false,
        500..=599 => true,
        _ => false,
    }
}

/// The wait after this many attempts: exponential, of which `jitter` (0 to 1) decides the second half. Never shorter
/// than `retry_after`.
pub(super) fn backoff(attempts: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
    let doubled = BACKOFF_INITIAL.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    let span = doubled.min(BACKOFF_MAX);
    let jittered = span.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
    jittered.max(retry_after.unwrap_or_default())
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). A past date is zero; [`backoff`] then waits its own
/// time.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_are_retried() {
        for status in [429, 500, 502, 503, 504] {
            assert!(is_transient(status, ""), "{status}");
        }
        for status in [200, 304, 400, 401, 403, 404, 409, 412, 413, 422, 501] {
            assert!(!is_transient(status, "InvalidParameter"), "{status}");
        }
        assert!(is_transient(409, "IncorrectState"));
        assert!(!is_transient(404, "IncorrectState"));
    }

    #[test]
    fn waits_double_up_to_a_maximum_and_respect_retry_after() {
        let ms = Duration::from_millis;
        assert_eq!(backoff(1, 0.0, None), ms(250));
        assert_eq!(backoff(1, 1.0, None), ms(500));
        assert_eq!(backoff(3, 1.0, None), ms(2000));
        assert_eq!(backoff(40, 1.0, None), ms(10_000));
        assert_eq!(backoff(u32::MAX, f64::NAN.max(0.0), None), ms(5_000));
        assert_eq!(backoff(1, 1.0, Some(ms(3000))), ms(3000));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 22 Nov 2026 08:22:01 GMT").unwrap();
        let of = |header| retry_after(header, now);
        assert_eq!(of("7"), Some(Duration::from_secs(7)));
        let later = "Sun, 22 Nov 2026 08:22:06 GMT";
        assert_eq!(of(later), Some(Duration::from_secs(5)));
        assert_eq!(of("Sun, 22 Nov 2026 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(of("soon"), None);
    }
}
