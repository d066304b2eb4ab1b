//! Plans a window.

use std::collections::BTreeMap;

use super::bounds::{OffsetRange, PartitionOffsets, WindowEnd, WindowStart};
use super::cap;
use crate::offset_map::OffsetMap;

/// Unread records that were deleted from the log, or a commit that does not match the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataLoss {
    /// The partition.
    pub partition: i32,
    /// What was found, as a sentence with offsets.
    pub message: String,
    /// The number of deleted offsets that are not known to be completed.
    pub records: i64,
}

/// The ranges of a window, and the data losses before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// One range for each partition of the window. A range may be empty.
    pub ranges: Vec<OffsetRange>,
    /// Data losses that the partitions' offsets show.
    pub data_losses: Vec<DataLoss>,
    /// Partitions that restart at the log's start, because the topic or the log was created again; with the old commit.
    pub restarted: BTreeMap<i32, i64>,
    /// Partitions whose log was truncated below an offset that an earlier run has read. Their offset maps are ignored.
    pub truncated: Vec<i32>,
    /// True if the window was shortened to the maximum number of records.
    pub capped: bool,
}

impl Window {
    /// Plans the window of these partitions. `maps` are the offset maps of their commits.
    ///
    /// The window has at most `max_records` offsets that no run has read. Deferred records are not counted: otherwise a
    /// route that does not deliver would fill the window, and the other routes would get no records.
    pub fn plan(
        partition_offsets: &[PartitionOffsets],
        maps: &BTreeMap<i32, OffsetMap>,
        start: &WindowStart,
        end: &WindowEnd,
        max_records: Option<u64>,
    ) -> Self {
        let mut window = Self::default();
        for offsets in partition_offsets {
            window.add(offsets, maps.get(&offsets.partition), start, end);
        }
        if let Some(max_records) = max_records {
            window.capped = window.cap(maps, max_records);
        }
        window
    }

    /// The number of offsets.
    pub fn length(&self) -> i64 {
        self.ranges.iter().map(OffsetRange::length).sum()
    }

    /// The range of one partition.
    pub fn range(&self, partition: i32) -> Option<&OffsetRange> {
        self.ranges
            .iter()
            .find(|range| range.partition == partition)
    }

    /// Extends the range of a partition to the log's start, because its commit `committed` is of a deleted topic.
    pub fn restart(&mut self, at: &PartitionOffsets, committed: i64, end: &WindowEnd) {
        self.restarted.insert(at.partition, committed);
        let mut ranges = self.ranges.iter_mut();
        if let Some(range) = ranges.find(|range| range.partition == at.partition) {
            let end = end.offset(at).unwrap_or(at.high);
            (range.start, range.end) = (at.low, end.min(at.high).max(at.low));
        }
    }

    fn add(
        &mut self,
        at: &PartitionOffsets,
        map: Option<&OffsetMap>,
        window_start: &WindowStart,
        window_end: &WindowEnd,
    ) {
        let start = match window_start {
            WindowStart::Committed => self.committed_start(at, map),
            WindowStart::Earliest => Some(at.low),
            WindowStart::Time(_) => Some(at.start_time_offset.unwrap_or(at.high)),
            WindowStart::Offsets(offsets) => offsets.get(&at.partition).copied(),
        };
        let (Some(start), Some(end)) = (start, window_end.offset(at)) else {
            return;
        };
        let deleted_end = end.min(at.low);
        if start < deleted_end {
            let last = deleted_end - 1;
            let message = format!("offsets {start} to {last} are gone from the log");
            self.add_loss(at.partition, deleted_end - start, message);
        }
        let start = start.max(at.low);
        let end = end.min(at.high).max(start);
        self.ranges.push(OffsetRange {
            partition: at.partition,
            start,
            end,
        });
    }

    fn committed_start(&mut self, at: &PartitionOffsets, map: Option<&OffsetMap>) -> Option<i64> {
        let Some(committed) = at.committed else {
            return Some(at.low);
        };
        if committed < at.low {
            let gone = format!("offsets {committed} to {} are gone", at.low - 1);
            let (records, message) = match map {
                None => (
                    at.low - committed,
                    format!("{gone} from the log and were never read"),
                ),
                Some(map) => (
                    map.incomplete_below(at.low, committed),
                    format!("{gone} from the log, including records that earlier runs deferred"),
                ),
            };
            self.add_loss(at.partition, records, message);
            return Some(at.low);
        }
        if committed > at.high {
            let message = format!(
                "the commit is at {committed}, beyond the log's end {}: the log was truncated or created again",
                at.high
            );
            self.add_loss(at.partition, 0, message);
            self.restarted.insert(at.partition, committed);
            return Some(at.low);
        }
        if let Some(map) = map.filter(|map| map.scanned > at.high) {
            let message = format!(
                "a run has read up to {}, beyond the log's end {}: the log was truncated",
                map.scanned, at.high
            );
            self.add_loss(at.partition, 0, message);
            self.truncated.push(at.partition);
        }
        Some(committed)
    }

    fn add_loss(&mut self, partition: i32, records: i64, message: String) {
        self.data_losses.push(DataLoss {
            partition,
            message,
            records,
        });
    }

    /// Shortens the ranges to `max_records` offsets that no run has read. True if a range was shortened.
    fn cap(&mut self, maps: &BTreeMap<i32, OffsetMap>, max_records: u64) -> bool {
        let unread = |range: &OffsetRange| {
            let map = maps
                .get(&range.partition)
                .filter(|_| !self.truncated.contains(&range.partition));
            let read = map.map_or(range.start, |map| map.scanned);
            OffsetRange {
                start: read.clamp(range.start, range.end),
                ..range.clone()
            }
        };
        let mut unread: Vec<OffsetRange> = self.ranges.iter().map(unread).collect();
        let is_capped = cap::distribute(&mut unread, max_records);
        for (range, unread) in self.ranges.iter_mut().zip(unread) {
            range.end = unread.end;
        }
        is_capped
    }
}
