//! The outcome of each partition. Pure.

use kafka::list_offsets::TopicOffsets;
use offsets::window::{OffsetRange, PartitionOffsets};

use crate::pipeline::PartitionOutcome;
use crate::report::PartitionReport;

/// The offsets of a partition from before the run.
pub(super) fn offsets_of(topic: &TopicOffsets, partition: i32) -> Option<&PartitionOffsets> {
    let mut offsets = topic.partition_offsets.iter();
    offsets.find(|known| known.partition == partition)
}

/// The offsets from the commit to the end of the log, without those that the log has deleted.
fn lag(offsets: &PartitionOffsets, committed: i64, end: i64) -> i64 {
    (end - committed.max(offsets.low)).max(0)
}

/// The outcome of a range without records.
pub(super) fn empty(offsets: &PartitionOffsets, range: &OffsetRange) -> PartitionReport {
    let committed = offsets.committed.unwrap_or(offsets.low);
    let lag = lag(offsets, committed, offsets.high);
    PartitionReport {
        partition: range.partition,
        start: range.start,
        end: range.end,
        committed,
        lag_before: lag,
        lag_after: lag,
        ..PartitionReport::default()
    }
}

/// The outcome of a partition: `offsets` from before the run, and the log's `end` after it.
pub(super) fn report(
    offsets: &PartitionOffsets,
    end: i64,
    outcome: &PartitionOutcome,
) -> PartitionReport {
    // A replay moves no commit.
    let committed = outcome.committed.or(offsets.committed);
    let committed = committed.unwrap_or(offsets.low);
    let counters = &outcome.counters;
    let OffsetRange {
        partition,
        start,
        end: window_end,
    } = counters.range;
    PartitionReport {
        partition,
        start,
        end: window_end,
        planned: counters.planned(),
        delivered: counters.delivered,
        skipped: counters.skipped,
        dead_lettered: counters.dead_lettered,
        already_completed: counters.already_completed,
        deferred: counters.deferred(),
        empty_offsets: counters.empty_offsets,
        committed,
        lag_before: lag(
            offsets,
            offsets.committed.unwrap_or(offsets.low),
            offsets.high,
        ),
        lag_after: lag(offsets, committed, end),
    }
}

#[cfg(test)]
mod tests {
    use offsets::counters::PartitionCounters;
    use offsets::offset_map::OffsetMap;

    use super::*;

    /// A partition whose commit a run does not move.
    fn replay(range: OffsetRange) -> PartitionOutcome {
        PartitionOutcome {
            map: OffsetMap::without_gaps(range.end, 2),
            counters: PartitionCounters::new(range),
            committed: None,
            has_gaps: false,
        }
    }

    #[test]
    fn deleted_offsets_and_a_commit_beyond_the_end_are_no_lag() {
        for (committed, lag) in [
            (Some(120), 80),
            (Some(10), 100),
            (None, 100),
            (Some(300), 0),
        ] {
            let offsets = PartitionOffsets {
                partition: 0,
                low: 100,
                high: 200,
                committed,
                metadata: String::new(),
                start_time_offset: None,
                end_time_offset: None,
            };
            let range = OffsetRange {
                partition: 0,
                start: 200,
                end: 200,
            };
            let report = empty(&offsets, &range);
            assert_eq!((report.lag_before, report.lag_after), (lag, lag));
            let replay = self::report(&offsets, 250, &replay(range));
            assert_eq!(replay.committed, committed.unwrap_or(100));
            assert_eq!(replay.lag_before, lag);
        }
    }
}
