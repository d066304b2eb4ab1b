//! The offsets of a topic's partitions: the window of a run, the progress in it, and the offset map of a commit.
//!
//! A run reads a [`Window`](window::Window), a fixed range of offsets of each partition.
//! [`Progress`](progress::Progress) tracks which of its records are completed, in any order, and computes the offset to
//! commit. Records that are completed above the commit are saved in an [`OffsetMap`](offset_map::OffsetMap), which is
//! encoded in the commit's metadata, so that the next run does not deliver them again.
//! [`PartitionCounters`](counters::PartitionCounters) are the numbers of the run report.
//! [`SlicedProgress`](slices::SlicedProgress) is the progress of a partition whose window several workers share.
//! A [`TopicRecord`](topic_record::TopicRecord) shows the next run that the topic was created again.
//!
//! The crate does no I/O. The `kafka` crate reads offsets and commits.
//!
//! # Example
//!
//! ```
//! use offsets::offset_map::{Scope, decode, encode};
//! use offsets::progress::{Progress, RecordState};
//!
//! // Two records of one route. Only the second one is delivered.
//! let mut progress = Progress::new(100, 102, 1, None);
//! for offset in 100..102 {
//!     progress.add(0, offset, RecordState::Due);
//!     progress.advance();
//! }
//! assert!(progress.defer(0, 100));
//! assert!(progress.complete(0, 101));
//! assert_eq!(progress.commit(), 100);
//!
//! // The next run reads from the commit's metadata that the second record is completed.
//! let scope = Scope { topic: "Xy-3".to_owned(), routes: 42 };
//! let metadata = encode(&progress.offset_map(), 100, &scope, 4096);
//! let next = Progress::new(100, 102, 1, Some(decode(&metadata, 100, &scope)?));
//! assert_eq!(next.state_of(0, 100), RecordState::Due);
//! assert_eq!(next.state_of(0, 101), RecordState::Completed);
//! # Ok::<(), offsets::offset_map::InvalidMetadata>(())
//! ```

mod class;
pub mod counters;
pub mod offset_map;
pub mod pauses;
pub mod progress;
pub mod slices;
pub mod topic_record;
pub mod window;
