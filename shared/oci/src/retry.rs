//! Whether and when a request is sent again. Pure: status and dice in, decision out.
//!
//! The rules are those of Oracle's "API Errors" page and its SDKs' default policy.

use std::time::{Duration, SystemTime};

/// The longest wait before the second attempt; it doubles with each one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait of all.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// True if an answer with this status and error code may be another one next time: 429, 5xx except 501, and the 409
/// codes that say so.
pub(super) fn is_transient(status: u16, code: &str) -> bool {
    match status {
        429 => true,
        409 => matches!(code, "IncorrectState" | "ExternalServerIncorrectState"),
        501 => false,
        500..=599 => true,
        _ => false,
    }
}

/// How long to wait after this many attempts: half fixed, half by the dice (0 to 1), and never less than the server
/// asked for.
pub(super) fn wait(attempts: u32, dice: f64, retry_after: Option<Duration>) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(10));
    let span = doubled.min(LONGEST_WAIT);
    let jittered = span.mul_f64(0.5 + 0.5 * dice.clamp(0.0, 1.0));
    jittered.max(retry_after.unwrap_or_default())
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). A date that is past asks for no wait, which is no harm
/// here, as [`wait`] never waits less than its own; the job's reader hands its hint on in place of a wait, and is
/// stricter.
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
    fn only_what_may_pass_is_tried_again() {
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
    fn waits_double_up_to_a_bound_and_heed_the_server() {
        let ms = Duration::from_millis;
        assert_eq!(wait(1, 0.0, None), ms(250));
        assert_eq!(wait(1, 1.0, None), ms(500));
        assert_eq!(wait(3, 1.0, None), ms(2000));
        assert_eq!(wait(40, 1.0, None), ms(10_000));
        assert_eq!(wait(u32::MAX, f64::NAN.max(0.0), None), ms(5_000));
        assert_eq!(wait(1, 1.0, Some(ms(3000))), ms(3000));
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
