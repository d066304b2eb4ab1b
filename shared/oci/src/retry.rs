//! Whether and when a request is sent again. Pure.
//!
//! The rules are those of Oracle's "API Errors" page and the default policy of its SDKs.

use std::time::Duration;

use runtime::retry::Backoff;

const BACKOFF: Backoff = Backoff {
    initial: Duration::from_millis(500),
    max: Duration::from_secs(10),
};

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

/// The wait after this many attempts: exponential with equal jitter, and never shorter than `retry_after`. `random` is
/// between 0 and 1.
pub(super) fn backoff(attempts: u32, random: f64, retry_after: Option<Duration>) -> Duration {
    BACKOFF
        .equal_jitter(attempts, random)
        .max(retry_after.unwrap_or_default())
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
        assert_eq!(backoff(u32::MAX, f64::NAN, None), ms(5_000));
        assert_eq!(backoff(1, 1.0, Some(ms(3000))), ms(3000));
    }
}
