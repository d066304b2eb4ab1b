//! Offsets of one topic: the window of a run, its progress, and what a commit's metadata remembers. Pure.
//!
//! - [`window`]: which offsets a run reads
//! - [`progress`]: which of them are completed
//! - [`donemap`]: completed offsets beyond the commit, in the commit's metadata
//! - [`tally`]: the counts of a run

pub mod donemap;
pub mod progress;
pub mod tally;
pub mod window;
