//! What the worker of a route shares with [`Delivery`](crate::Delivery).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::activity::RouteActivity;
use crate::config::EndpointConfig;
use crate::inbox::Inbox;
use crate::statistics::RouteStatistics;

/// The state of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// Requests are sent.
    Open,
    /// Requests wait: the circuit breaker is open, or the endpoint requested a pause.
    Paused,
    /// No more requests in this run. All messages of the route are deferred.
    Deferred {
        /// The reason.
        reason: Arc<str>,
    },
}

/// What both sides read and change.
#[derive(Debug)]
pub(crate) struct RouteShared {
    pub(crate) inbox: Inbox,
    /// Records that were delivered or rejected and are not reported as committed.
    pub(crate) uncommitted: AtomicUsize,
    /// The most uncommitted records, including those in flight.
    pub(crate) max_uncommitted: usize,
    /// The bytes of the answers that are kept and not dropped yet.
    pub(crate) kept_answers: AtomicUsize,
    /// The bytes from which on no further request is sent; `usize::MAX` if the route keeps no answers.
    pub(crate) max_kept_answers: usize,
    /// The least share of a partition: one record for each request in flight, and the records of two requests.
    min_share: usize,
    state: Mutex<RouteState>,
    /// Whether the state is [`RouteState::Deferred`]: read for each message, so it takes no lock.
    is_deferred: AtomicBool,
    statistics: Mutex<RouteStatistics>,
    /// Before when the next run should send no request.
    not_before: Mutex<Option<Instant>>,
    activity: Mutex<RouteActivity>,
}

impl RouteShared {
    /// A route that is open. `queue_bytes` is the route's share.
    pub(crate) fn new(endpoint: &EndpointConfig, queue_bytes: usize) -> Self {
        let limits = &endpoint.limits;
        Self {
            inbox: Inbox::new(limits.queue_messages, queue_bytes),
            uncommitted: AtomicUsize::new(0),
            max_uncommitted: limits.max_uncommitted.map_or(usize::MAX, |requests| {
                requests.saturating_mul(endpoint.max_records())
            }),
            kept_answers: AtomicUsize::new(0),
            max_kept_answers: (endpoint.answers.as_ref())
                .map_or(usize::MAX, |answers| answers.max_kept(limits.max_in_flight)),
            min_share: limits.max_in_flight.max(2 * endpoint.max_records()),
            state: Mutex::new(RouteState::Open),
            is_deferred: AtomicBool::new(false),
            statistics: Mutex::default(),
            not_before: Mutex::default(),
            activity: Mutex::default(),
        }
    }

    /// See [`Delivery::has_room`](crate::Delivery::has_room).
    pub(crate) fn has_room(&self, in_flight: usize, partitions: usize) -> bool {
        let max = self.inbox.max_messages();
        let share = (max / partitions.max(1)).max(self.min_share);
        in_flight < share || self.inbox.buffered() < max / 2
    }

    pub(crate) fn state(&self) -> RouteState {
        self.lock_state().clone()
    }

    /// Changes the state and returns the previous one, if it was different.
    pub(crate) fn replace_state(&self, state: RouteState) -> Option<RouteState> {
        let mut current = self.lock_state();
        if *current == state {
            return None;
        }
        let is_deferred = matches!(state, RouteState::Deferred { .. });
        self.is_deferred.store(is_deferred, Ordering::Release);
        Some(std::mem::replace(&mut *current, state))
    }

    pub(crate) fn is_deferred(&self) -> bool {
        self.is_deferred.load(Ordering::Acquire)
    }

    pub(crate) fn statistics(&self) -> MutexGuard<'_, RouteStatistics> {
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn not_before(&self) -> MutexGuard<'_, Option<Instant>> {
        self.not_before
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn activity(&self) -> MutexGuard<'_, RouteActivity> {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_state(&self) -> MutexGuard<'_, RouteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commands to all workers. They are never withdrawn.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Commands {
    /// When all requests in flight are cancelled.
    pub(crate) deadline: Option<Instant>,
    /// Send no more requests and end.
    pub(crate) is_stopping: bool,
}
