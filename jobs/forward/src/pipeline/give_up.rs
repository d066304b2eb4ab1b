//! When a record that its endpoint does not accept becomes a dead letter. Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A record that was not accepted in this run, for a cause that permits another attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnacceptedRecord {
    /// The time since the record's timestamp.
    pub(super) age: Duration,
    /// The number of requests that were sent with it in this run.
    pub(super) attempts: u32,
    /// An earlier run has read it and did not deliver it either.
    pub(super) is_deferred_before: bool,
    /// Its endpoint has accepted another record in this run.
    pub(super) are_others_accepted: bool,
}

/// True when the record is a dead letter. `after` is `GIVE_UP_AFTER`; `None` means never.
///
/// While the endpoint accepts other records, the record itself is the cause. If it accepts none, the endpoint may be down: the
/// record has twice the time. At least two runs have tried to deliver it.
pub(super) fn gives_up(after: Option<Duration>, record: &UnacceptedRecord) -> bool {
    let Some(after) = after else { return false };
    let limit = match record.are_others_accepted {
        true => after,
        false => after.saturating_mul(2),
    };
    record.attempts > 0 && record.is_deferred_before && record.age >= limit
}

/// The age at `now` of a record with this timestamp, in milliseconds since 1970.
pub(crate) fn age(timestamp: i64, now: SystemTime) -> Duration {
    let since = Duration::from_millis(u64::try_from(timestamp).unwrap_or(0));
    now.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .saturating_sub(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    const OLD: UnacceptedRecord = UnacceptedRecord {
        age: Duration::from_secs(9 * 3600),
        attempts: 1,
        is_deferred_before: true,
        are_others_accepted: true,
    };

    fn after_eight_hours(record: UnacceptedRecord) -> bool {
        gives_up(Some(8 * HOUR), &record)
    }

    #[test]
    fn an_old_record_is_given_up_while_others_are_accepted() {
        assert!(after_eight_hours(OLD));
        let age = 8 * HOUR;
        assert!(after_eight_hours(UnacceptedRecord { age, ..OLD }));
        let age = age - Duration::from_secs(1);
        assert!(!after_eight_hours(UnacceptedRecord { age, ..OLD }));
        assert!(!gives_up(None, &OLD));
    }

    #[test]
    fn a_record_has_twice_the_time_while_its_endpoint_may_be_down() {
        let alone = UnacceptedRecord {
            are_others_accepted: false,
            ..OLD
        };
        assert!(!after_eight_hours(alone));
        let age = 16 * HOUR;
        assert!(after_eight_hours(UnacceptedRecord { age, ..alone }));
    }

    #[test]
    fn two_runs_have_tried_a_record_that_is_given_up() {
        let is_deferred_before = false;
        assert!(!after_eight_hours(UnacceptedRecord {
            is_deferred_before,
            ..OLD
        }));
        let attempts = 0;
        assert!(!after_eight_hours(UnacceptedRecord { attempts, ..OLD }));
    }
}
