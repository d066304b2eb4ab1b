//! Counts what became of each record, once for each record. Pure: events in, numbers out.

use crate::window::Span;

/// The counts of one partition in one run.
///
/// Every offset of the window ends in exactly one of them, to which the report holds them. `open` is a gauge: it grows
/// when a record is met that somebody must deal with, and shrinks when it is dealt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTally {
    /// The window of this partition.
    pub span: Span,
    /// Delivered to its endpoint in this run.
    pub delivered: i64,
    /// Not matched by any route, or a tombstone, and passed over by setting.
    pub passed_over: i64,
    /// Acknowledged by the dead-letter topic in this run.
    pub dead_lettered: i64,
    /// Above the committed offset, and settled by an earlier run.
    pub settled_before: i64,
    /// Offsets without a record: control records, aborted transactions, compaction.
    pub gaps: i64,
    /// Records met and not settled.
    pub open: i64,
    /// Offsets that were not read.
    pub unread: i64,
}

impl PartitionTally {
    /// Nothing read yet.
    pub fn new(span: Span) -> Self {
        let unread = span.length();
        Self {
            span,
            delivered: 0,
            passed_over: 0,
            dead_lettered: 0,
            settled_before: 0,
            gaps: 0,
            open: 0,
            unread,
        }
    }

    /// Offsets that the window holds.
    pub fn planned(&self) -> i64 {
        self.span.length()
    }

    /// Records and unread offsets that the next run finds.
    pub fn left(&self) -> i64 {
        self.open + self.unread
    }
}

/// The counts of one route in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTally {
    /// Records of this route that were not settled when the run began.
    pub matched: i64,
    /// Delivered.
    pub delivered: i64,
    /// Refused for good, and acknowledged by the dead-letter topic.
    pub dead_lettered: i64,
    /// Met and not settled; a gauge as in [`PartitionTally`].
    pub open: i64,
}
