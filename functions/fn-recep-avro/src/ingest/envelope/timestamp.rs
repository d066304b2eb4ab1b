//! The Kafka timestamp of a message.

use std::ops::RangeInclusive;

/// The timestamps that a message may have, in milliseconds since 1970: up to the end of the year 9999. librdkafka replaces
/// 0 with the time of sending.
const RANGE: RangeInclusive<i64> = 1..=253_402_300_799_999;

/// How far a timestamp may be from the broker's time, which is taken to be the function's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) struct TimestampLimits {
    /// Milliseconds before it. `None`: any.
    pub(in crate::ingest) max_before_ms: Option<i64>,
    /// Milliseconds after it. `None`: any.
    pub(in crate::ingest) max_after_ms: Option<i64>,
    /// Milliseconds before it at which the broker deletes the record. `None`: never.
    pub(in crate::ingest) retention_ms: Option<i64>,
}

/// A timestamp that a message cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InvalidTimestamp {
    /// No topic accepts it.
    OutOfRange,
    /// It exceeds a limit of the topic's configuration. The name of the setting, and its milliseconds.
    RejectedByTopic(&'static str, i64),
}

/// Checks a timestamp. Both are milliseconds since 1970.
pub(super) fn check(
    timestamp: i64,
    now: i64,
    limits: &TimestampLimits,
) -> Result<(), InvalidTimestamp> {
    if !RANGE.contains(&timestamp) {
        return Err(InvalidTimestamp::OutOfRange);
    }
    let age = now - timestamp;
    for (name, difference, limit) in [
        ("message.timestamp.after.max.ms", -age, limits.max_after_ms),
        ("message.timestamp.before.max.ms", age, limits.max_before_ms),
        // The broker accepts the record, and deletes it before any consumer is certain to read it.
        ("retention.ms", age, limits.retention_ms),
    ] {
        if let Some(limit) = limit.filter(|limit| difference > *limit) {
            return Err(InvalidTimestamp::RejectedByTopic(name, limit));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_from_1970_to_9999_and_within_the_limits_of_the_topic() {
        const NOW: i64 = 1_795_737_600_000;
        let any = TimestampLimits::default();
        for timestamp in [i64::MIN, -1, 0, 253_402_300_800_000, i64::MAX] {
            let result = check(timestamp, NOW, &any);
            assert_eq!(result, Err(InvalidTimestamp::OutOfRange), "{timestamp}");
        }
        for timestamp in [1, NOW, 253_402_300_799_999] {
            assert_eq!(check(timestamp, NOW, &any), Ok(()));
        }
        let limits = TimestampLimits {
            max_before_ms: Some(1000),
            max_after_ms: Some(10),
            retention_ms: Some(500),
        };
        let before = TimestampLimits {
            retention_ms: None,
            ..limits
        };
        for (limits, difference, name) in [
            (&before, -1001, Some("message.timestamp.before.max.ms")),
            (&before, -1000, None),
            (&limits, -501, Some("retention.ms")),
            (&limits, -500, None),
            (&limits, 10, None),
            (&limits, 11, Some("message.timestamp.after.max.ms")),
        ] {
            let found = match check(NOW + difference, NOW, limits) {
                Ok(()) => None,
                Err(InvalidTimestamp::RejectedByTopic(name, _)) => Some(name),
                Err(InvalidTimestamp::OutOfRange) => panic!("{difference} is out of range"),
            };
            assert_eq!(found, name, "{difference}");
        }
    }
}
