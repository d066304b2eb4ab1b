//! Where the commits of the group are moved to. Pure.

use std::time::SystemTime;

use offsets::window::{PartitionOffsets, WindowStart};

use crate::time_bound::TimeBound;

/// Where the commits of the group are moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTarget {
    /// The start of the log.
    Earliest,
    /// The end of the log.
    Latest,
    /// The first record with this timestamp or a later one; the end of the log if there is none.
    Time(TimeBound),
    /// This offset, of one partition.
    Offset(i64),
}

/// Why a partition has no such offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition} has the offsets from {low} to {high}: offset {offset} {problem}")]
pub struct OutsideLog {
    partition: i32,
    low: i64,
    high: i64,
    offset: i64,
    problem: &'static str,
}

impl ResetTarget {
    /// Parses `earliest`, `latest`, an offset, a time of RFC 3339, or a duration before now.
    ///
    /// # Errors
    /// The text is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            _ => {}
        }
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            let offset = text
                .parse()
                .map_err(|_| "the offset is too large".to_owned());
            return offset.map(Self::Offset);
        }
        TimeBound::parse(text).map(Self::Time).map_err(|_| {
            "expected earliest, latest, an offset, a time such as 2026-11-27T08:00:00Z, or a duration such as 30m or 24h"
                .to_owned()
        })
    }

    /// What has to be listed for [`ResetTarget::offset`].
    pub(super) fn window_start(self, now: SystemTime) -> WindowStart {
        match self {
            Self::Time(bound) => WindowStart::Time(bound.milliseconds(now)),
            Self::Earliest | Self::Latest | Self::Offset(_) => WindowStart::Committed,
        }
    }

    /// The offset in a partition.
    ///
    /// # Errors
    /// The partition has no such offset.
    pub(super) fn offset(self, at: &PartitionOffsets) -> Result<i64, OutsideLog> {
        let outside = |offset, problem| {
            Err(OutsideLog {
                partition: at.partition,
                low: at.low,
                high: at.high,
                offset,
                problem,
            })
        };
        match self {
            Self::Earliest => Ok(at.low),
            Self::Latest => Ok(at.high),
            Self::Time(_) => Ok(at.start_time_offset.unwrap_or(at.high)),
            Self::Offset(offset) if offset < at.low => outside(offset, "was deleted"),
            Self::Offset(offset) if offset > at.high => outside(offset, "does not exist yet"),
            Self::Offset(offset) => Ok(offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_target_is_a_word_an_offset_or_a_time() {
        let parse = ResetTarget::parse;
        assert_eq!(parse("earliest"), Ok(ResetTarget::Earliest));
        assert_eq!(parse("latest"), Ok(ResetTarget::Latest));
        assert_eq!(parse("1042"), Ok(ResetTarget::Offset(1042)));
        let hour = TimeBound::Ago(Duration::from_secs(3600));
        assert_eq!(parse("1h"), Ok(ResetTarget::Time(hour)));
        assert!(matches!(
            parse("2026-11-27T08:00:00Z"),
            Ok(ResetTarget::Time(TimeBound::At(_)))
        ));
        for text in ["", "-1", "newest", "1.5", "99999999999999999999", "0:7"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_offset_is_in_the_log() {
        let at = PartitionOffsets {
            partition: 3,
            low: 10,
            high: 50,
            committed: None,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        };
        let now = TimeBound::At(SystemTime::UNIX_EPOCH);
        for (target, offset) in [
            (ResetTarget::Earliest, 10),
            (ResetTarget::Latest, 50),
            (ResetTarget::Time(now), 50),
            (ResetTarget::Offset(10), 10),
            (ResetTarget::Offset(50), 50),
        ] {
            assert_eq!(target.offset(&at), Ok(offset));
        }
        let error = |offset| {
            ResetTarget::Offset(offset)
                .offset(&at)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(9),
            "partition 3 has the offsets from 10 to 50: offset 9 was deleted"
        );
        assert!(error(51).ends_with("offset 51 does not exist yet"));
    }
}
