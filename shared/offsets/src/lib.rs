//! Offsets of one topic: the window of a run, its progress, and what a commit's metadata remembers. Pure.
//!
//! - [`window`]: which offsets a run reads
//! - [`progress`]: which of them are completed
//! - [`offset_map`]: completed offsets beyond the commit, in the commit's metadata
//! - [`counters`]: the counts of a run

pub mod counters;
pub mod offset_map;
pub mod progress;
pub mod window;
