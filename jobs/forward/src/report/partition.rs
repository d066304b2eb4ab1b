//! The outcome of one partition's offsets.

use serde::{Deserialize, Serialize};

use super::sum;

/// The outcome of one partition's offsets. Every count is in offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// Partition.
    pub partition: i32,
    /// The first offset of the window.
    pub start: i64,
    /// The offset after the last one of the window.
    pub end: i64,
    /// `end - start`.
    pub planned: i64,
    /// Accepted by an endpoint in this run.
    pub delivered: i64,
    /// Skipped, since no route matches or there is no value (`UNMATCHED`, `TOMBSTONES`).
    pub skipped: i64,
    /// Acknowledged by the dead-letter topic in this run.
    pub dead_lettered: i64,
    /// Above the committed offset and completed by an earlier run.
    pub already_completed: i64,
    /// Deferred to the next run.
    pub deferred: i64,
    /// Offsets without a record: control records, aborted transactions, compaction.
    pub empty_offsets: i64,
    /// The committed offset after the run.
    pub committed: i64,
    /// Offsets between the committed one and the end of the log before the run.
    pub lag_before: i64,
    /// The same after the run.
    pub lag_after: i64,
}

impl PartitionReport {
    /// True when every planned offset is counted exactly once.
    pub fn balances(&self) -> bool {
        let counts = [
            self.delivered,
            self.skipped,
            self.dead_lettered,
            self.already_completed,
            self.deferred,
            self.empty_offsets,
        ];
        Some(self.planned) == self.end.checked_sub(self.start)
            && counts.iter().all(|count| *count >= 0)
            && self.planned == sum(counts)
    }
}
