//! The messages of one partition that wait for a batch.

use std::collections::VecDeque;
use std::time::Instant;

use record::Message;

use super::batch::{Batch, BatchLimits};
use crate::memory::memory_bytes;
use crate::time::after;

/// One partition's messages in offset order.
#[derive(Debug)]
pub(super) struct PartitionBuffer {
    messages: VecDeque<Message>,
    bytes: usize,
    /// How many of the messages are tombstones. Each has a request of its own.
    tombstones: usize,
    /// When the linger time of the oldest messages began.
    pub(super) since: Instant,
    /// Parts of a split batch, the next part last. They are sent before all other messages.
    pub(super) parts: Vec<Batch>,
    /// A batch is in flight and the order of the partition is kept.
    pub(super) is_blocked: bool,
    /// The partition is in the queue's list of candidates.
    pub(super) is_listed: bool,
}

impl PartitionBuffer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            tombstones: 0,
            since: now,
            parts: Vec::new(),
            is_blocked: false,
            is_listed: false,
        }
    }

    pub(super) fn push(&mut self, message: Message, now: Instant) {
        if self.messages.is_empty() {
            self.since = now;
        }
        self.bytes += memory_bytes(&message);
        self.tombstones += usize::from(message.value.is_none());
        self.messages.push_back(message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.parts.is_empty()
    }

    /// Whether a batch can be formed: it would be full or end at a tombstone, or the linger time is over.
    pub(super) fn is_ready(&self, limits: &BatchLimits, now: Instant) -> bool {
        !self.parts.is_empty()
            || self.messages.len() >= limits.records
            || self.bytes >= limits.bytes
            || self.tombstones > 0
            || now >= after(self.since, limits.linger)
    }

    /// Removes the messages of the next batch: as many as fit, and at least one. A tombstone is alone.
    pub(super) fn take(&mut self, limits: &BatchLimits, now: Instant) -> Vec<Message> {
        let mut bytes = 0;
        let fitting = self
            .messages
            .iter()
            .take(limits.records)
            .take_while(|message| {
                bytes += memory_bytes(message);
                bytes <= limits.bytes && message.value.is_some()
            })
            .count();
        let count = fitting.max(1).min(self.messages.len());
        let taken: Vec<Message> = self.messages.drain(..count).collect();
        self.bytes -= taken.iter().map(memory_bytes).sum::<usize>();
        self.tombstones -= taken.iter().filter(|taken| taken.value.is_none()).count();
        self.since = now;
        taken
    }

    /// Removes all messages, in offset order.
    pub(super) fn drain(&mut self) -> Vec<Message> {
        self.bytes = 0;
        self.tombstones = 0;
        let parts = std::mem::take(&mut self.parts);
        let mut drained: Vec<Message> = parts
            .into_iter()
            .rev()
            .flat_map(|part| part.messages)
            .collect();
        drained.extend(self.messages.drain(..));
        drained
    }
}
