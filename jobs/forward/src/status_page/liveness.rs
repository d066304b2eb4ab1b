//! Whether the schedule advances. Pure.

use std::time::Duration;

/// How long the schedule may be silent while a run waits for something else than the start of the broker: answers about
/// offsets, requests to Oracle Cloud, the report.
const MARGIN: Duration = Duration::from_secs(300);

/// How often a run waits for `START_TIMEOUT` at most before the pipeline: offsets, topic record, answer topics, group,
/// commits.
const STARTS: u32 = 10;

/// For how long the schedule may be silent. It advances twenty times a second while it waits for the next window and
/// while records are read and delivered, whatever endpoints and brokers do. A window may take hours.
pub(super) fn max_silence(start_timeout: Duration) -> Duration {
    MARGIN.saturating_add(start_timeout.saturating_mul(STARTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_run_is_no_silence() {
        assert_eq!(
            max_silence(Duration::from_secs(10)),
            Duration::from_secs(400)
        );
        assert_eq!(max_silence(Duration::MAX), Duration::MAX);
    }
}
