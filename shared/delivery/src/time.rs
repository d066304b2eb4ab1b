//! The clock, and additions to it that do not overflow.

use std::time::{Duration, Instant};

/// The longest wait that is planned.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The current time by the runtime's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// `at` + `wait`, where a wait of more than a year counts as a year: the sum stays within the range of an `Instant`.
pub(crate) fn after(at: Instant, wait: Duration) -> Instant {
    at + wait.min(YEAR)
}
