//! One partition of the window: what is read, completed, counted and committed.

use kafka::member::Commit;
use offsets::counters::PartitionCounters;
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::progress::{Class, Progress, RecordState};
use offsets::window::{OffsetRange, Window};

/// The most bytes of a commit's metadata. Kafka's default limit is 4096 (`offset.metadata.max.bytes`).
pub(crate) const MAX_METADATA_BYTES: usize = 3072;

/// The state of one partition of the window.
#[derive(Debug)]
pub struct PartitionState {
    pub(super) progress: Progress,
    pub(super) counters: PartitionCounters,
    pub(super) ownership: Ownership,
    /// True while the client fetches it.
    pub(super) is_fetched: bool,
    /// The newest offset that the broker has.
    committed: Option<i64>,
    /// The newest commit that was requested; `None` after one failed.
    requested: Option<Commit>,
    /// The newest commit that was acknowledged.
    acknowledged: Option<Commit>,
}

/// Whether the consumer group assigns the partition to this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ownership {
    /// It is read, delivered and committed.
    Assigned,
    /// It is being revoked: what is in flight is completed and committed; nothing more is read.
    Draining,
    /// It is revoked or lost.
    Revoked,
}

/// A record that the scan has reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// No earlier scan of this run has read it.
    pub(super) is_first: bool,
    /// No earlier run has read it either.
    pub(super) is_new: bool,
}

/// What the scan does with a record of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    /// It is in flight; its completion follows.
    InFlight,
    /// It is completed already.
    Completed,
    /// It stays for the next run.
    Deferred,
    /// Its route is skipped in this scan.
    RouteSkipped,
}

impl PartitionState {
    /// A partition that is read from the group's committed offset, or from the window's start if there is none.
    /// `metadata` is the commit's. What another run has completed since the window was planned is not read.
    /// `None` if the window has no such partition.
    pub fn from_commit(
        window: &Window,
        partition: i32,
        routes: usize,
        scope: &Scope,
        committed: Option<i64>,
        metadata: &str,
    ) -> Option<Self> {
        let range = window.range(partition)?;
        let of_another_log = window.restarted.get(&partition).copied();
        let Some(offset) = committed.filter(|_| committed != of_another_log) else {
            return Some(Self::new(range, routes, committed, None));
        };
        let completed = match offset_map::decode(metadata, offset, scope) {
            Ok(_) if window.truncated.contains(&partition) => None,
            Ok(completed) => Some(completed),
            Err(InvalidMetadata::Missing) => None,
            Err(error) => {
                tracing::warn!(
                    partition,
                    %error,
                    "cannot read the commit's metadata; completed records beyond the commit may be sent again"
                );
                None
            }
        };
        // Another run may have committed beyond the window since it was planned: then nothing of it is unread.
        let start = offset.max(range.start);
        let range = OffsetRange {
            partition,
            start,
            end: range.end.max(start),
        };
        Some(Self::new(&range, routes, committed, completed))
    }

    /// A partition of a replay: it is read from the window's start, whatever is committed.
    pub fn replay(range: &OffsetRange, routes: usize) -> Self {
        Self::new(range, routes, None, None)
    }

    /// A part of a partition, of which earlier runs have completed `completed`.
    pub(crate) fn slice(range: &OffsetRange, routes: usize, completed: OffsetMap) -> Self {
        Self::new(range, routes, None, Some(completed))
    }

    fn new(
        range: &OffsetRange,
        routes: usize,
        committed: Option<i64>,
        completed: Option<OffsetMap>,
    ) -> Self {
        let progress = Progress::new(range.start, range.end, routes, completed);
        Self {
            counters: PartitionCounters::new(range.clone()),
            ownership: Ownership::Assigned,
            is_fetched: !progress.is_scan_complete(),
            committed,
            requested: None,
            acknowledged: None,
            progress,
        }
    }

    /// The completed records at and above the first that is not.
    pub(crate) fn offset_map(&self) -> OffsetMap {
        self.progress.offset_map()
    }

    /// The counts of this partition.
    pub fn counters(&self) -> &PartitionCounters {
        &self.counters
    }

    /// The newest offset that the broker has.
    pub fn committed(&self) -> Option<i64> {
        self.committed
    }

    /// True when records beyond the requested commit are completed. Only the commit's metadata holds them.
    pub fn has_gaps(&self) -> bool {
        self.requested.is_some() && self.progress.commit() < self.progress.offset_map().scanned
    }

    /// True when records of this route stay for the next run although the partition is assigned to this one.
    pub fn has_deferred(&self, route: Class) -> bool {
        !self.is_revoked() && self.progress.has_gap(route)
    }

    pub(super) fn is_revoked(&self) -> bool {
        self.ownership == Ownership::Revoked
    }

    /// True when the scan needs no more records of this partition.
    #[inline]
    pub(super) fn is_read(&self) -> bool {
        self.ownership != Ownership::Assigned || self.progress.is_scan_complete()
    }

    /// Moves the scan to the record at `offset`. `None` if the record is not part of the scan: it is beyond the window,
    /// or was fetched before a seek.
    #[inline]
    pub(super) fn advance_to(&mut self, offset: i64) -> Option<Visit> {
        if self.is_read() || offset < self.progress.position() {
            return None;
        }
        let end = self.progress.end();
        self.counters.empty_offsets += self.progress.move_to(offset.min(end));
        if offset >= end {
            return None;
        }
        let is_first = self.progress.is_first_visit();
        Some(Visit {
            is_first,
            is_new: is_first && !self.progress.was_scanned_before(offset),
        })
    }

    /// What the scan does with the record; `None` if it is to be handed on now.
    pub(super) fn known_disposition(&self, class: Class, offset: i64) -> Option<Disposition> {
        if self.progress.is_paused(class) {
            return Some(Disposition::RouteSkipped);
        }
        match self.progress.state_of(class, offset) {
            RecordState::Completed => Some(Disposition::Completed),
            RecordState::Deferred => Some(Disposition::Deferred),
            RecordState::Due => None,
        }
    }

    /// The scan goes on behind this record.
    pub(super) fn enter(&mut self, class: Class, offset: i64, disposition: Disposition) {
        match disposition {
            Disposition::InFlight => self.progress.add(class, offset, RecordState::Due),
            Disposition::Completed => self.progress.add(class, offset, RecordState::Completed),
            Disposition::Deferred => self.progress.add(class, offset, RecordState::Deferred),
            Disposition::RouteSkipped => self.progress.pause(class, offset),
        }
        self.progress.advance();
    }

    /// The commit of what is completed.
    pub(super) fn commit(&self, scope: &Scope) -> Commit {
        let offset = self.progress.commit();
        let map = self.progress.offset_map();
        Commit {
            partition: self.counters.range.partition,
            offset,
            metadata: offset_map::encode(&map, offset, scope, MAX_METADATA_BYTES),
        }
    }

    /// The commit of what is completed, marked as requested; `None` if it was requested before or changes nothing.
    pub(super) fn request_commit(&mut self, scope: &Scope) -> Option<Commit> {
        let commit = self.commit(scope);
        self.changes_commit(&commit).then(|| {
            self.requested = Some(commit.clone());
            commit
        })
    }

    /// The broker acknowledged this commit.
    pub(super) fn acknowledge(&mut self, commit: Commit) {
        self.committed = Some(commit.offset);
        self.acknowledged = Some(commit);
    }

    /// A requested commit failed; which one is unknown, so all are requested again.
    pub(super) fn forget_requested(&mut self) {
        self.requested = None;
    }

    /// True when the broker has everything that is completed.
    pub(super) fn is_committed(&self, scope: &Scope) -> bool {
        let is_answered = self.requested.is_none() || self.requested == self.acknowledged;
        is_answered && !self.changes_commit(&self.commit(scope))
    }

    fn changes_commit(&self, commit: &Commit) -> bool {
        match &self.requested {
            Some(requested) => requested != commit,
            None => {
                self.committed != Some(commit.offset)
                    || self.progress.position() > self.progress.start()
            }
        }
    }
}
