//! Collects completions and sends them in groups: each send wakes the thread that receives them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use record::Message;

use crate::answer::RecordAnswer;
use crate::completion::{Completion, DeliveryOutcome};
use crate::memory::memory_bytes;
use crate::route::RouteShared;
use crate::time::now;

/// The fewest and the most completions that are sent together. In between, as many as one request has records.
const MIN_GROUP: usize = 256;
const MAX_GROUP: usize = 1000;
/// The longest time that a completion waits for others.
const MAX_WAIT: Duration = Duration::from_millis(1);

/// The completions of one route.
pub(super) struct CompletionBuffer {
    route: usize,
    buffered: Vec<Completion>,
    group: usize,
    /// When the buffered completions are sent at the latest.
    due: Option<Instant>,
    sender: Sender<Vec<Completion>>,
    shared: Arc<RouteShared>,
}

impl CompletionBuffer {
    /// `records` is the most records of one request.
    pub(super) fn new(
        route: usize,
        records: usize,
        sender: Sender<Vec<Completion>>,
        shared: Arc<RouteShared>,
    ) -> Self {
        Self {
            route,
            buffered: Vec::new(),
            group: records.clamp(MIN_GROUP, MAX_GROUP),
            due: None,
            sender,
            shared,
        }
    }

    /// Adds a completion, and sends the group if it is full.
    pub(super) fn push(
        &mut self,
        message: Message,
        outcome: DeliveryOutcome,
        answer: Option<RecordAnswer>,
    ) {
        if self.buffered.is_empty() {
            self.due = Some(now() + MAX_WAIT);
        }
        if !matches!(outcome, DeliveryOutcome::Deferred { .. }) {
            self.shared.uncommitted.fetch_add(1, Ordering::Relaxed);
        }
        self.buffered.push(Completion {
            route: self.route,
            message,
            outcome,
            answer,
        });
        if self.buffered.len() >= self.group {
            self.send();
        }
    }

    /// When [`CompletionBuffer::send`] is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Sends the buffered completions, and makes room in the inbox.
    pub(super) fn send(&mut self) {
        if self.buffered.is_empty() {
            return;
        }
        self.due = None;
        let next = Vec::with_capacity(self.group);
        let completions = std::mem::replace(&mut self.buffered, next);
        let count = completions.len();
        let bytes = completions
            .iter()
            .map(|completion| memory_bytes(&completion.message))
            .sum();
        // It fails if the receiver was dropped: then the completions have no use.
        let _ = self.sender.send(completions);
        self.shared.inbox.release(count, bytes);
    }
}
