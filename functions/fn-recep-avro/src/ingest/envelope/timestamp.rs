//! The Kafka timestamp of a message.

use std::ops::RangeInclusive;

/// The timestamps that a message may have, in milliseconds since 1970: up to the end of the year 9999. librdkafka replaces
/// 0 with the time of sending.
const RANGE: RangeInclusive<i64> = 1..=253_402_300_799_999;

/// How far a timestamp may be from the broker's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) struct TimestampLimits {
    /// Milliseconds before it. `None`: any.
    pub(in crate::ingest) max_before_ms: Option<i64>,
    /// Milliseconds after it. `None`: any.
    pub(in crate::ingest) max_after_ms: Option<i64>,
}

/// A timestamp that a message cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum InvalidTimestamp {
    /// No topic accepts it.
    OutOfRange,
    /// The topic's configuration does not permit it. The name of the setting, and its milliseconds.
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
    let exceeded = |difference: i64, limit: Option<i64>| limit.filter(|limit| difference > *limit);
    if let Some(limit) = exceeded(timestamp - now, limits.max_after_ms) {
        let name = "message.timestamp.after.max.ms";
        return Err(InvalidTimestamp::RejectedByTopic(name, limit));
    }
    if let Some(limit) = exceeded(now - timestamp, limits.max_before_ms) {
        let name = "message.timestamp.before.max.ms";
        return Err(InvalidTimestamp::RejectedByTopic(name, limit));
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
        };
        for (difference, is_valid) in [(-1001, false), (-1000, true), (10, true), (11, false)] {
            let result = check(NOW + difference, NOW, &limits);
            assert_eq!(result.is_ok(), is_valid, "{difference}: {result:?}");
        }
    }
}
