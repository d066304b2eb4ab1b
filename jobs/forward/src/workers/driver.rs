//! Hands out the slices of a window, merges their outcomes, and commits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use kafka::commit::{CommitEvent, Committer};
use kafka::member::{CommitError, GroupEvent};
use offsets::counters::PartitionCounters;
use offsets::window::OffsetRange;
use runtime::redact;

use super::Workers;
use super::divide::Slices;
use super::merge::Merged;
use super::task::Task;
use crate::pipeline::{
    LAST_COMMIT_TIMEOUT, PartitionState, PipelineConfig, StopReason, WindowOutcome,
};

/// How long a wait for a result may take; signals, the group and commits are checked after it.
const POLL_TIMEOUT: Duration = Duration::from_millis(50);

/// The most characters of the error of a task in a note.
const MAX_ERROR: usize = 300;

/// A window that workers share.
pub(crate) struct Driver<'d> {
    pub(crate) workers: &'d dyn Workers,
    /// The most tasks that run at once: not more than an endpoint accepts requests.
    pub(crate) tasks: usize,
    /// The most offsets of a slice; `None`: as many as suit the window and the speed of the tasks.
    pub(crate) slice_offsets: Option<i64>,
    /// A task without a slice.
    pub(crate) task: Task,
    /// The deliveries of a route have an order.
    pub(crate) is_ordered: bool,
    pub(crate) config: PipelineConfig,
    /// `None`: nothing is committed.
    pub(crate) committer: Option<Committer>,
    pub(crate) group: Option<Receiver<GroupEvent>>,
    pub(crate) shutdown: &'d AtomicBool,
}

/// A slice, what its task returned, and after which time.
type Returned = (OffsetRange, Result<Vec<u8>, String>, Duration);

/// The state of a window that is worked on.
struct Shared<'d> {
    driver: Driver<'d>,
    slices: Slices,
    merged: Merged,
    in_flight: usize,
    /// When the tasks are cancelled.
    cancel_at: Option<Instant>,
    /// The group waits for partitions that it has revoked until these are dropped.
    releases: Vec<Sender<()>>,
    is_fenced: bool,
    commits_in_flight: usize,
    /// Since when a commit was requested and none was acknowledged.
    unacknowledged_since: Option<Instant>,
    commit_latency: Duration,
}

impl Driver<'_> {
    /// Shares the window of these partitions among the workers, and commits what they complete. `watch` is called several
    /// times a second with the counts.
    pub(crate) fn run(
        self,
        partitions: &BTreeMap<i32, PartitionState>,
        mut watch: impl FnMut(&mut dyn Iterator<Item = &PartitionCounters>),
    ) -> WindowOutcome {
        let merged = Merged::new(
            partitions,
            self.task.deferred.len(),
            self.config.scope.clone(),
        );
        let slices = Slices::new(
            merged.ranges(),
            self.tasks,
            self.slice_offsets,
            self.is_ordered,
        );
        let mut shared = Shared {
            driver: self,
            slices,
            merged,
            in_flight: 0,
            cancel_at: None,
            releases: Vec::new(),
            is_fenced: false,
            commits_in_flight: 0,
            unacknowledged_since: None,
            commit_latency: Duration::ZERO,
        };
        let (sender, returned) = channel();
        thread::scope(|scope| {
            loop {
                shared.check(Instant::now());
                shared.hand_out(scope, &sender);
                if shared.in_flight == 0 {
                    break;
                }
                match returned.recv_timeout(POLL_TIMEOUT) {
                    Ok(returned) => shared.on_returned(returned),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                shared.commit();
                watch(&mut shared.merged.counters());
            }
        });
        shared.end()
    }
}

impl<'d> Shared<'d> {
    /// Starts tasks while there are slices and workers.
    fn hand_out<'s>(&mut self, scope: &'s Scope<'s, '_>, returned: &Sender<Returned>)
    where
        'd: 's,
    {
        while self.merged.stop_reason().is_none()
            && self.in_flight < self.driver.tasks
            && let Some(slice) = self.slices.next()
        {
            self.in_flight += 1;
            let task = Task {
                completed: self.merged.map_of(&slice),
                deferred: self
                    .merged
                    .deferred(slice.partition, self.driver.is_ordered),
                slice: slice.clone(),
                ..self.driver.task.clone()
            };
            let (workers, sender) = (self.driver.workers, returned.clone());
            let lost = slice.clone();
            let execute = move || {
                let start = Instant::now();
                let result = match serde_json::to_vec(&task) {
                    Ok(task) => workers.execute(&task),
                    Err(error) => Err(error.to_string()),
                };
                // The receiver outlives the thread.
                let _ = sender.send((slice, result, start.elapsed()));
            };
            let thread = thread::Builder::new().name("task".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, execute) {
                let error = format!("starting a thread: {error}");
                self.on_returned((lost, Err(error), Duration::ZERO));
            }
        }
    }

    fn on_returned(&mut self, (slice, result, duration): Returned) {
        self.in_flight -= 1;
        let parsed = result.and_then(|result| {
            serde_json::from_slice::<WindowOutcome>(&result).map_err(|error| error.to_string())
        });
        let added = parsed.and_then(|outcome| {
            let is_added = self.merged.add(&slice, outcome);
            is_added
                .then_some(())
                .ok_or_else(|| "it returned another slice".to_owned())
        });
        self.slices.end(&slice, added.is_ok().then_some(duration));
        match added {
            Ok(()) => self.check_dead_letters(),
            // Cancelled.
            Err(_) if self.cancel_at.is_some_and(|at| Instant::now() >= at) => {}
            Err(error) => {
                let error = redact::line(&error, MAX_ERROR);
                let OffsetRange {
                    partition,
                    start,
                    end,
                } = slice;
                tracing::error!(partition, start, end, error, "a task failed");
                self.merged.add_failure();
                self.merged.note(format!(
                    "the task for offsets {start} to {} of partition {partition} failed: {error}",
                    end - 1
                ));
            }
        }
    }

    /// The threshold counts the dead letters of all tasks together. Each task has checked its own.
    fn check_dead_letters(&mut self) {
        let config = &self.driver.config;
        let (sent, records) = self.merged.dead_letter_ratio();
        let max = config.dead_letter_max_ratio * records as f64;
        if sent > config.dead_letter_min_count && sent as f64 > max {
            self.merged.stop(StopReason::DeadLetterThreshold(format!(
                "{sent} of {records} records are dead letters, more than DEAD_LETTER_MAX_RATIO={}",
                config.dead_letter_max_ratio
            )));
        }
    }

    /// Ends the window early after a signal, at the deadline, and when the group or the broker no longer serves this run.
    fn check(&mut self, now: Instant) {
        while let Some(event) = self.next_group_event() {
            self.on_group(event);
        }
        let config = &self.driver.config;
        if self.driver.shutdown.load(Ordering::Relaxed) {
            self.merged.stop(StopReason::Signal);
        } else if config.deadlines.is_some_and(|at| now >= at.reading) {
            self.merged.stop(StopReason::Deadline);
        }
        if let Some(since) = self.unacknowledged_since
            && now.saturating_duration_since(since) > config.silence_timeout
        {
            self.merged.stop(StopReason::Source(format!(
                "the broker has acknowledged no commit for {:?}",
                config.silence_timeout
            )));
        }
        let Some(reason) = self.merged.stop_reason() else {
            return;
        };
        let cancel_at = *self
            .cancel_at
            .get_or_insert_with(|| match config.deadlines {
                // The tasks end themselves.
                Some(deadlines) if *reason == StopReason::Deadline => deadlines.exit,
                _ => now + config.shutdown_timeout,
            });
        if now >= cancel_at && self.in_flight > 0 {
            self.driver.workers.cancel();
        }
    }

    fn next_group_event(&self) -> Option<GroupEvent> {
        self.driver.group.as_ref()?.try_recv().ok()
    }

    fn on_group(&mut self, event: GroupEvent) {
        let reason = match event {
            // Only one member is permitted: these are its own, or come too late.
            GroupEvent::Assigned(_) => return,
            GroupEvent::Revoking(partitions, release) => {
                self.releases.push(release);
                format!("the group revokes partitions {partitions:?}")
            }
            GroupEvent::Lost(partitions) => {
                self.is_fenced = true;
                format!("the group took partitions {partitions:?} away")
            }
            GroupEvent::Failed(error) => error.to_string(),
        };
        self.merged.stop(StopReason::ConcurrentRun(reason));
    }

    /// Requests the commits of what is completed, and follows which are acknowledged.
    fn commit(&mut self) {
        let Some(committer) = &self.driver.committer else {
            return;
        };
        let commits = self.merged.request_commits();
        if !commits.is_empty() && !self.is_fenced {
            committer.commit(commits);
            self.commits_in_flight += 1;
            self.unacknowledged_since.get_or_insert_with(Instant::now);
        }
        while let Some(event) = committer.next_event() {
            match event {
                CommitEvent::Done { commits, calls } => {
                    self.commits_in_flight = self.commits_in_flight.saturating_sub(calls);
                    if let Some(since) = self.unacknowledged_since.take() {
                        self.commit_latency = self.commit_latency.max(since.elapsed());
                    }
                    self.merged.acknowledge(commits);
                }
                CommitEvent::Failed { error, calls } => {
                    self.commits_in_flight = self.commits_in_flight.saturating_sub(calls);
                    self.merged.forget_requested();
                    match error {
                        CommitError::Fenced(error) => {
                            self.is_fenced = true;
                            let reason = format!("committing: {error}");
                            self.merged.stop(StopReason::ConcurrentRun(reason));
                        }
                        // The group has changed: an event of the group follows.
                        CommitError::Stale(_) => {}
                        error => {
                            tracing::warn!(%error, "a commit failed; the next commit covers the progress");
                            self.merged.note(error.to_string());
                        }
                    }
                }
            }
        }
    }

    /// Waits for the last commit.
    fn end(mut self) -> WindowOutcome {
        let end = Instant::now() + LAST_COMMIT_TIMEOUT;
        while self.driver.committer.is_some() && !self.is_fenced {
            self.commit();
            if self.commits_in_flight == 0 && self.merged.is_committed() {
                break;
            }
            if Instant::now() >= end {
                self.merged.note(
                    "the last commit was not acknowledged in time; what it covers may be sent again"
                        .to_owned(),
                );
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
        drop(self.releases);
        let latency = self.commit_latency;
        WindowOutcome {
            commit_latency: Some(latency).filter(|latency| !latency.is_zero()),
            ..self.merged.end()
        }
    }
}
