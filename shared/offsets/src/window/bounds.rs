//! The bounds of a window.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The start of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowStart {
    /// The group's committed offset, or the log's start for a partition without a committed offset.
    Committed,
    /// The log's start. This is a replay: nothing is committed.
    Earliest,
    /// The first record with this timestamp (milliseconds since 1970) or a later one. This is a replay.
    Time(i64),
    /// These offsets. Other partitions are not read. This is a replay.
    Offsets(BTreeMap<i32, i64>),
}

/// The end of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WindowEnd {
    /// The end of the log at the start of the run.
    Now,
    /// Before the first record, in offset order, with this timestamp or a later one. Records at higher offsets are not part
    /// of the window, even if their timestamps are lower.
    Time(i64),
    /// Before these offsets. Other partitions are not read.
    Offsets(BTreeMap<i32, i64>),
}

impl WindowStart {
    /// The partitions for which an offset is given.
    pub fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Offsets(offsets) => offsets.keys().copied().collect(),
            Self::Committed | Self::Earliest | Self::Time(_) => Vec::new(),
        }
    }
}

impl WindowEnd {
    /// The partitions for which an offset is given.
    pub fn partitions(&self) -> Vec<i32> {
        match self {
            Self::Offsets(offsets) => offsets.keys().copied().collect(),
            Self::Now | Self::Time(_) => Vec::new(),
        }
    }

    /// The end in a partition, which may be beyond the end of its log. `None`: the partition is not read.
    pub(super) fn offset(&self, at: &PartitionOffsets) -> Option<i64> {
        match self {
            Self::Now => Some(at.high),
            Self::Time(_) => Some(at.end_time_offset.unwrap_or(at.high)),
            Self::Offsets(offsets) => offsets.get(&at.partition).copied(),
        }
    }
}

/// The offsets of a partition at the start of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// The partition.
    pub partition: i32,
    /// The log's first offset.
    pub low: i64,
    /// The log's end for `isolation.level=read_committed`: the last stable offset.
    pub high: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The metadata of the commit.
    pub metadata: String,
    /// The offset for [`WindowStart::Time`]. `None` if no record has the timestamp, or none was requested.
    pub start_time_offset: Option<i64>,
    /// The offset for [`WindowEnd::Time`]. `None` if no record has the timestamp, or none was requested.
    pub end_time_offset: Option<i64>,
}

/// The offsets of one partition in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The end, exclusive.
    pub end: i64,
}

impl OffsetRange {
    /// The number of offsets.
    pub fn length(&self) -> i64 {
        self.end - self.start
    }
}
