//! Requests commits, and follows which of them are acknowledged.

use std::time::{Duration, Instant};

use kafka::commit::{CommitEvent, Committer};
use kafka::member::{Commit, CommitError};
use offsets::offset_map::{self, OffsetMap, Scope};
use offsets::progress::Class;

use super::partitions::Partitions;
use super::uncommitted::Uncommitted;

/// The least time between two commits, unless deliveries wait for one. A kill repeats what was delivered since the last
/// commit.
const COMMIT_INTERVAL: Duration = Duration::from_millis(20);

/// The commit thread, and what it has not acknowledged.
pub(super) struct Commits {
    /// Absent in a replay and in a dry run.
    committer: Option<Committer>,
    scope: Scope,
    /// For each class, how many records may be uncommitted.
    limits: Vec<usize>,
    uncommitted: Uncommitted,
    next: Instant,
    /// Since when commits are requested and none is acknowledged.
    unacknowledged_since: Option<Instant>,
    latency: Duration,
    /// The group has given the partitions to another run: no commit will succeed.
    is_fenced: bool,
}

/// The number of records of each class that no longer wait for a commit.
pub(super) type Released = Vec<usize>;

impl Commits {
    /// `limits`: for each class, how many records may be uncommitted.
    pub(super) fn new(committer: Option<Committer>, scope: Scope, limits: Vec<usize>) -> Self {
        Self {
            committer,
            scope,
            uncommitted: Uncommitted::new(limits.len()),
            limits,
            next: Instant::now() + COMMIT_INTERVAL,
            unacknowledged_since: None,
            latency: Duration::ZERO,
            is_fenced: false,
        }
    }

    /// The longest time from a request to an acknowledgement.
    pub(super) fn latency(&self) -> Duration {
        self.latency
    }

    pub(super) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// An endpoint or the dead-letter topic has answered for a record of this class.
    pub(super) fn on_answered(&mut self, class: Class) {
        self.uncommitted.add(class);
    }

    /// True while a commit is in flight.
    pub(super) fn is_in_flight(&self) -> bool {
        self.uncommitted.is_requested()
    }

    /// True when a commit is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next || self.uncommitted.is_half_full(&self.limits)
    }

    /// True when commits have been in flight for longer than `timeout` and none was acknowledged.
    pub(super) fn is_stalled(&self, now: Instant, timeout: Duration) -> bool {
        self.unacknowledged_since
            .is_some_and(|since| now.saturating_duration_since(since) > timeout)
    }

    /// Requests a commit of everything that is completed and was not requested before.
    pub(super) fn request(&mut self, partitions: &mut Partitions, now: Instant) -> Released {
        self.next = now + COMMIT_INTERVAL;
        let Some(committer) = &self.committer else {
            return Released::new();
        };
        let assigned = partitions
            .iter_mut()
            .filter(|(_, state)| !state.is_revoked());
        let commits: Vec<Commit> = assigned
            .filter_map(|(_, state)| state.request_commit(&self.scope))
            .collect();
        if commits.is_empty() {
            return self.uncommitted.clear_uncommittable();
        }
        committer.commit(commits);
        self.uncommitted.request();
        self.unacknowledged_since.get_or_insert(now);
        Released::new()
    }

    /// Takes the result of a commit.
    ///
    /// # Errors
    /// Why it failed. Its records are part of the next commit.
    pub(super) fn on_event(
        &mut self,
        event: CommitEvent,
        partitions: &mut Partitions,
    ) -> Result<Released, CommitError> {
        match event {
            CommitEvent::Done { commits, calls } => {
                if let Some(since) = self.unacknowledged_since.take() {
                    self.latency = self.latency.max(since.elapsed());
                }
                for commit in commits {
                    if let Some(state) = partitions.get_mut(commit.partition) {
                        state.acknowledge(commit);
                    }
                }
                Ok(self.uncommitted.acknowledge(calls))
            }
            CommitEvent::Failed { error, calls } => {
                self.uncommitted.fail(calls);
                self.is_fenced |= matches!(error, CommitError::Fenced(_));
                for (_, state) in partitions.iter_mut() {
                    state.forget_requested();
                }
                Err(error)
            }
        }
    }

    /// True when the broker has everything that is completed in the partitions that `is_wanted` selects, or when no
    /// commit will succeed.
    pub(super) fn are_committed(
        &self,
        partitions: &Partitions,
        is_wanted: impl Fn(i32) -> bool,
    ) -> bool {
        self.committer.is_none()
            || self.is_fenced
            || partitions
                .iter()
                .filter(|(id, state)| is_wanted(*id) && !state.is_revoked())
                .all(|(_, state)| state.is_committed(&self.scope))
    }

    /// The next result, if there is one.
    pub(super) fn next_event(&self) -> Option<CommitEvent> {
        self.committer.as_ref()?.next_event()
    }

    /// Waits for the next result up to `timeout`.
    pub(super) fn wait_for_event(&self, timeout: Duration) -> Option<CommitEvent> {
        self.committer.as_ref()?.wait_for_event(timeout)
    }

    /// Partitions and classes with completed records that the commit's metadata has no room for, each with the first
    /// offset that the next run reads again.
    pub(super) fn not_encoded(&self, partitions: &Partitions) -> Vec<(i32, Class, i64)> {
        let mut lost = Vec::new();
        for (partition, state) in partitions.iter().filter(|(_, state)| state.has_gaps()) {
            let commit = state.commit(&self.scope);
            let from = not_encoded(&state.offset_map(), &commit, &self.scope).into_iter();
            lost.extend(from.map(|(class, from)| (partition, class, from)));
        }
        lost
    }
}

/// Classes with completed records that the metadata of the commit has no room for, each with the first such offset.
pub(crate) fn not_encoded(map: &OffsetMap, commit: &Commit, scope: &Scope) -> Vec<(Class, i64)> {
    let Ok(encoded) = offset_map::decode(&commit.metadata, commit.offset, scope) else {
        return Vec::new();
    };
    let classes = 0..map.gaps.len();
    let lost = classes.filter_map(|class| Some((class, map.first_not_encoded(&encoded, class)?)));
    lost.collect()
}
