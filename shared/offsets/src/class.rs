//! Classes of records, and gaps.

/// A class of records of a partition: the index of the route, or the number of routes for records that go to the
/// dead-letter topic without a route.
///
/// Each class has its own gaps, so that a route that does not deliver delays no other class.
pub type Class = usize;

/// A half-open range of offsets (`start`, `end`) in which no record of a class is completed.
pub type Gap = (i64, i64);
