//! When and why a pipeline ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::config::{Deadlines, Latencies, PipelineConfig};

/// How long the last commit of a run, or of a revoked partition, may take. A group's coordinator that moves takes some
/// seconds.
pub(crate) const LAST_COMMIT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long delivery's threads may take, beyond the timeout, to report what they have deferred.
const THREAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a pipeline ended before its window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The deadline.
    Deadline,
    /// SIGTERM or SIGINT.
    Signal,
    /// Another run has the partitions.
    ConcurrentRun(String),
    /// Too many dead letters.
    DeadLetterThreshold(String),
    /// No route matches a record, and `UNMATCHED=stop`.
    Unmatched(String),
    /// The broker failed.
    Source(String),
    /// Records are no longer in the log.
    DataLoss(String),
}

/// What the pipeline does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It reads the window.
    Read,
    /// It waits for requests and dead letters in flight, until then at the latest.
    Drain(Instant),
    /// It waits for the last commit, until then at the latest.
    Commit(Instant),
    /// It is done.
    Finished,
}

/// The phase of the pipeline, its deadlines, and the reason of an early end.
pub(super) struct Shutdown<'r> {
    pub(super) phase: Phase,
    signal: &'r AtomicBool,
    timeout: Duration,
    silence_timeout: Duration,
    deadlines: Option<Deadlines>,
    reason: Option<StopReason>,
}

impl<'r> Shutdown<'r> {
    pub(super) fn new(signal: &'r AtomicBool, config: &PipelineConfig) -> Self {
        Self {
            phase: Phase::Read,
            signal,
            timeout: config.shutdown_timeout,
            silence_timeout: config.silence_timeout,
            deadlines: config.deadlines,
            reason: None,
        }
    }

    /// Requests the end of the pipeline. The first reason stays.
    pub(super) fn request(&mut self, reason: StopReason) {
        self.reason.get_or_insert(reason);
    }

    /// Requests the end of reading after a signal, or when draining and committing need the rest of the time.
    pub(super) fn check(&mut self, now: Instant, latencies: impl FnOnce() -> Latencies) {
        if self.phase != Phase::Read {
            return;
        }
        if self.signal.load(Ordering::Relaxed) {
            self.request(StopReason::Signal);
        } else if self
            .deadlines
            .is_some_and(|at| now >= at.reading && now >= at.reading_end(latencies()))
        {
            self.request(StopReason::Deadline);
        }
    }

    pub(super) fn reason(&self) -> Option<&StopReason> {
        self.reason.as_ref()
    }

    /// True while records are read.
    #[inline]
    pub(super) fn is_reading(&self) -> bool {
        self.reason.is_none() && self.phase == Phase::Read
    }

    /// True when another run has the partitions: no commit will succeed.
    pub(super) fn is_fenced(&self) -> bool {
        matches!(self.reason, Some(StopReason::ConcurrentRun(_)))
    }

    /// How long the broker may return nothing.
    pub(super) fn silence_timeout(&self) -> Duration {
        self.silence_timeout
    }

    /// How long requests in flight may take from now on.
    pub(super) fn drain_timeout(&self, now: Instant) -> Duration {
        let left = |deadlines: Deadlines| deadlines.drained.saturating_duration_since(now);
        self.deadlines
            .map_or(self.timeout, |deadlines| self.timeout.min(left(deadlines)))
    }

    /// The phase that drains, with this timeout for requests.
    pub(super) fn drain(&mut self, now: Instant, timeout: Duration) {
        self.phase = Phase::Drain(now + timeout + THREAD_TIMEOUT);
    }

    /// The phase that commits.
    pub(super) fn commit(&mut self, now: Instant) {
        let left = |deadlines: Deadlines| deadlines.exit.saturating_duration_since(now);
        let timeout = self.deadlines.map_or(LAST_COMMIT_TIMEOUT, |deadlines| {
            LAST_COMMIT_TIMEOUT.min(left(deadlines))
        });
        self.phase = Phase::Commit(now + timeout);
    }
}
