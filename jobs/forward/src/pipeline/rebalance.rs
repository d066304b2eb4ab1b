//! Partitions that the consumer group assigns to this run, revokes, or takes away.
//!
//! A revoked partition is drained first: requests in flight are completed and committed while the group waits. Only then
//! may another run read it; so no record is delivered twice.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use kafka::member::GroupEvent;
use kafka::reader::{Reader, SourceError};
use offsets::offset_map::Scope;
use offsets::window::Window;

use super::partition::PartitionState;
use super::shutdown::LAST_COMMIT_TIMEOUT;

/// The group's events, and the partitions that are being revoked.
pub(super) struct Rebalance<'r> {
    /// Absent in a replay and in a dry run.
    events: Option<Receiver<GroupEvent>>,
    reader: &'r Reader,
    window: &'r Window,
    handover_timeout: Duration,
    drains: Vec<Drain>,
}

/// Partitions that are being revoked.
pub(super) struct Drain {
    pub(super) partitions: Vec<i32>,
    step: DrainStep,
    /// The group takes the partitions when this is dropped.
    _release: Sender<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DrainStep {
    /// Requests are in flight, until then at the latest.
    Deliver(Instant),
    /// Nothing is in flight any more; the last commit has time until then.
    Commit(Instant),
    /// The partitions may be released.
    Done,
}

impl Drain {
    fn advance(&mut self, now: Instant, in_flight: usize, is_committed: bool) {
        if let DrainStep::Deliver(end) = self.step
            && (in_flight == 0 || now >= end)
        {
            self.step = DrainStep::Commit(now + LAST_COMMIT_TIMEOUT);
        }
        if let DrainStep::Commit(end) = self.step
            && (is_committed || now >= end)
        {
            self.step = DrainStep::Done;
        }
    }
}

impl<'r> Rebalance<'r> {
    pub(super) fn new(
        events: Option<Receiver<GroupEvent>>,
        reader: &'r Reader,
        window: &'r Window,
        handover_timeout: Duration,
    ) -> Self {
        Self {
            events,
            reader,
            window,
            handover_timeout,
            drains: Vec::new(),
        }
    }

    /// The next event, if there is one.
    pub(super) fn next_event(&self) -> Option<GroupEvent> {
        self.events.as_ref()?.try_recv().ok()
    }

    /// The states of newly assigned partitions, each read from its committed offset.
    ///
    /// # Errors
    /// The group's coordinator did not return the committed offsets.
    pub(super) fn assigned(
        &self,
        partitions: &[i32],
        routes: usize,
        scope: &Scope,
    ) -> Result<Vec<(i32, PartitionState)>, SourceError> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        partition_states(self.reader, partitions, self.window, routes, scope, TIMEOUT)
    }

    /// Begins to drain partitions. `release` is dropped when they are drained.
    pub(super) fn begin_drain(&mut self, partitions: Vec<i32>, release: Sender<()>, now: Instant) {
        self.drains.push(Drain {
            partitions,
            step: DrainStep::Deliver(now + self.handover_timeout),
            _release: release,
        });
    }

    pub(super) fn is_draining(&self) -> bool {
        !self.drains.is_empty()
    }

    /// Drains on, and returns the partitions that are drained. `in_flight` counts the records in flight of partitions;
    /// `is_committed` is true when everything that is completed in them is committed, or no more commits will succeed.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        in_flight: impl Fn(&[i32]) -> usize,
        is_committed: impl Fn(&[i32]) -> bool,
    ) -> Vec<Drain> {
        for drain in &mut self.drains {
            let (in_flight, is_committed) = (
                in_flight(&drain.partitions),
                is_committed(&drain.partitions),
            );
            drain.advance(now, in_flight, is_committed);
        }
        let drained = |drain: &mut Drain| drain.step == DrainStep::Done;
        self.drains.extract_if(.., drained).collect()
    }
}

/// The states of these partitions, each read from the group's committed offset. Partitions that the window does not have
/// are left out.
///
/// # Errors
/// The group's coordinator did not return the committed offsets within `timeout`.
pub fn partition_states(
    reader: &Reader,
    partitions: &[i32],
    window: &Window,
    routes: usize,
    scope: &Scope,
    timeout: Duration,
) -> Result<Vec<(i32, PartitionState)>, SourceError> {
    let committed = reader.committed(partitions, timeout)?;
    let states = committed
        .into_iter()
        .filter_map(|(partition, offset, metadata)| {
            let state =
                PartitionState::from_commit(window, partition, routes, scope, offset, &metadata);
            Some((partition, state?))
        });
    Ok(states.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(now: Instant) -> Drain {
        Drain {
            partitions: vec![0],
            step: DrainStep::Deliver(now + Duration::from_secs(5)),
            _release: std::sync::mpsc::channel().0,
        }
    }

    #[test]
    fn a_partition_is_released_when_its_last_completion_is_committed() {
        let now = Instant::now();
        let mut drain = drain(now);
        drain.advance(now, 1, true);
        assert!(matches!(drain.step, DrainStep::Deliver(_)));
        drain.advance(now, 0, false);
        assert!(matches!(drain.step, DrainStep::Commit(_)));
        drain.advance(now, 0, true);
        assert_eq!(drain.step, DrainStep::Done);
    }

    #[test]
    fn a_partition_is_released_at_its_deadlines() {
        let now = Instant::now();
        let mut drain = drain(now);
        let later = now + Duration::from_secs(5);
        drain.advance(later, 1, false);
        assert!(matches!(drain.step, DrainStep::Commit(_)));
        drain.advance(later + LAST_COMMIT_TIMEOUT, 1, false);
        assert_eq!(drain.step, DrainStep::Done);
    }
}
