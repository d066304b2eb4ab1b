//! The settings of a pipeline, as values.

use std::time::{Duration, Instant};

use offsets::offset_map::Scope;

use crate::config::Unmatched;

/// The settings of a pipeline.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// What happens to a record that no route matches.
    pub unmatched: Unmatched,
    /// True: a record without a value is a dead letter. False: it is skipped.
    pub tombstones_are_dead_letters: bool,
    /// The most bytes of values that the window holds. A window holds one record at least, however large.
    pub max_bytes: Option<u64>,
    /// The share of dead letters among the records at which the run stops.
    pub dead_letter_max_ratio: f64,
    /// The number of dead letters from which the share counts.
    pub dead_letter_min_count: u64,
    /// The most dead letters of records without a route that are sent and not committed.
    pub max_uncommitted_dead_letters: usize,
    /// How long the log may return nothing before the window's end, and how long commits may stay without an
    /// acknowledgement, before the run stops.
    pub silence_timeout: Duration,
    /// How long requests in flight may take when the run stops.
    pub shutdown_timeout: Duration,
    /// How long requests in flight may take when their partition is revoked. As long as any request may take: another
    /// run gets the partition and would send what is unfinished a second time.
    pub handover_timeout: Duration,
    /// The deadlines of a run with `DEADLINE`.
    pub deadlines: Option<Deadlines>,
    /// The scope of the offset maps in the commits' metadata.
    pub scope: Scope,
}

/// The deadlines of a run, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Reading ends.
    pub reading: Instant,
    /// No request is in flight any more; the rest of the time is for the last commit.
    pub drained: Instant,
    /// The run ends.
    pub exit: Instant,
}
