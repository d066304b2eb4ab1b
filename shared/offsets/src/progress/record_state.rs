//! The state of a record.

/// The state of a record in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// The record is not completed and has to be delivered in this run.
    Due,
    /// The record is completed, by this run or an earlier one.
    Completed,
    /// Delivery failed in this run. The next run delivers the record.
    Deferred,
}
