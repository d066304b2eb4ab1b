//! Counts what became of each record, once for each record. Pure: events in, numbers out.

use crate::window::OffsetRange;

/// The counts of one partition in one run.
///
/// Every offset of the window ends in exactly one of them, to which the report holds them. `open` is a gauge: it grows
/// when a record is met that somebody must deal with, and shrinks when it is dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionCounters {
    /// The window of this partition.
    pub range: OffsetRange,
    /// Delivered to its endpoint in this run.
    pub delivered: i64,
    /// Not matched by any route, or a tombstone, and skipped by setting.
    pub skipped: i64,
    /// Acknowledged by the dead-letter topic in this run.
    pub dead_lettered: i64,
    /// Above the committed offset, and completed by an earlier run.
    pub already_completed: i64,
    /// Offsets without a record: control records, aborted transactions, compaction.
    pub empty_offsets: i64,
    /// Records met and not completed.
    pub open: i64,
    /// Offsets that were not read.
    pub unread: i64,
}

impl PartitionCounters {
    /// Nothing read yet.
    pub fn new(range: OffsetRange) -> Self {
        let unread = range.length();
        Self {
            range,
            delivered: 0,
            skipped: 0,
            dead_lettered: 0,
            already_completed: 0,
            empty_offsets: 0,
            open: 0,
            unread,
        }
    }

    /// Offsets that the window holds.
    pub fn planned(&self) -> i64 {
        self.range.length()
    }

    /// Records and unread offsets that the next run finds.
    pub fn deferred(&self) -> i64 {
        self.open + self.unread
    }
}

/// The counts of one route in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteCounters {
    /// Records of this route that were not completed when the run began.
    pub matched: i64,
    /// Delivered.
    pub delivered: i64,
    /// Refused for good, and acknowledged by the dead-letter topic.
    pub dead_lettered: i64,
    /// Met and not completed; a gauge as in [`PartitionCounters`].
    pub open: i64,
}
