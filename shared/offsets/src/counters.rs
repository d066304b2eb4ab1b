//! The counters of a run.

use serde::{Deserialize, Serialize};

use crate::window::OffsetRange;

/// The counters of one partition in one run.
///
/// Every offset of the window is in exactly one counter; the run report verifies the sum. `open` is a gauge: it increases
/// when a record is read that has to be delivered, and decreases when the record is completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionCounters {
    /// The window of this partition.
    pub range: OffsetRange,
    /// Delivered to its endpoint in this run.
    pub delivered: i64,
    /// Skipped by setting, because no route matches or the record is a tombstone.
    pub skipped: i64,
    /// Acknowledged by the dead-letter topic in this run.
    pub dead_lettered: i64,
    /// At or above the committed offset, and completed by an earlier run.
    pub already_completed: i64,
    /// Offsets without a record: control records, aborted transactions, compaction.
    pub empty_offsets: i64,
    /// Records that were read and are not completed.
    pub open: i64,
    /// Offsets that this run has not read.
    pub unread: i64,
}

impl PartitionCounters {
    /// The counters before the first record is read.
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

    /// The number of offsets in the window.
    pub fn planned(&self) -> i64 {
        self.range.length()
    }

    /// Records and unread offsets that remain for the next run.
    pub fn deferred(&self) -> i64 {
        self.open + self.unread
    }
}

/// The counters of one route in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteCounters {
    /// Records of this route that were not completed when the run began.
    pub matched: i64,
    /// Records of this route that earlier runs had completed.
    pub already_completed: i64,
    /// Delivered.
    pub delivered: i64,
    /// Rejected permanently by the endpoint, and acknowledged by the dead-letter topic.
    pub dead_lettered: i64,
    /// Read and not completed; a gauge as in [`PartitionCounters`].
    pub open: i64,
}
