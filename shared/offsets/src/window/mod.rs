//! The window of a run: the range of offsets of each partition, fixed at the start of the run.

mod bounds;
mod cap;
mod plan;
#[cfg(test)]
mod tests;

pub use bounds::{OffsetRange, PartitionOffsets, WindowEnd, WindowStart};
pub use plan::{DataLoss, Window};
