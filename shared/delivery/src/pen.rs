//! The messages of one partition that wait to go together.

use std::collections::VecDeque;
use std::time::Instant;

use super::inbox::weight;
use super::later;
use super::queue::{Job, Shape};
use record::Message;

/// One partition's messages in offset order.
#[derive(Debug)]
pub(super) struct Pen {
    messages: VecDeque<Message>,
    bytes: usize,
    /// When the oldest of them came, as far as that matters for lingering.
    pub(super) since: Instant,
    /// The rest of a job that was split, the next part last; they go before all others.
    pub(super) parts: Vec<Job>,
    /// A job is out, and the order of the partition is kept.
    pub(super) busy: bool,
    /// It is in the list of pens to look at.
    pub(super) listed: bool,
}

impl Pen {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            since: now,
            parts: Vec::new(),
            busy: false,
            listed: false,
        }
    }

    pub(super) fn push(&mut self, message: Message, now: Instant) {
        if self.messages.is_empty() {
            self.since = now;
        }
        self.bytes += weight(&message);
        self.messages.push_back(message);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.parts.is_empty()
    }

    /// Whether a job may be cut: it would be full, or its messages have waited long enough.
    pub(super) fn is_ready(&self, shape: &Shape, now: Instant) -> bool {
        !self.parts.is_empty()
            || self.messages.len() >= shape.batch
            || self.bytes >= shape.batch_bytes
            || now >= later(self.since, shape.linger)
    }

    /// The first messages, as many as one job holds.
    pub(super) fn cut(&mut self, shape: &Shape, now: Instant) -> Vec<Message> {
        let mut bytes = 0;
        let fitting = self
            .messages
            .iter()
            .take(shape.batch)
            .take_while(|message| {
                bytes += weight(message);
                bytes <= shape.batch_bytes
            })
            .count();
        let count = fitting.max(1).min(self.messages.len());
        let job: Vec<Message> = self.messages.drain(..count).collect();
        self.bytes -= job.iter().map(weight).sum::<usize>();
        self.since = now;
        job
    }

    pub(super) fn drain(&mut self) -> Vec<Message> {
        self.bytes = 0;
        let parts = std::mem::take(&mut self.parts);
        let mut back: Vec<Message> = parts
            .into_iter()
            .rev()
            .flat_map(|job| job.messages)
            .collect();
        back.extend(self.messages.drain(..));
        back
    }
}
