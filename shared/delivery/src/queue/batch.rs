//! The messages of one request.

use std::time::Duration;

use record::Message;

use crate::config::Order;

/// The messages of one request, and the attempts made with them.
#[derive(Debug)]
pub(crate) struct Batch {
    /// At least one message, all of the same partition.
    pub(crate) messages: Vec<Message>,
    /// The messages that wait until this batch is completed.
    pub(crate) group: OrderGroup,
    /// Failed attempts that count towards the maximum.
    pub(crate) failures: u32,
    /// Requests sent with these messages.
    pub(crate) requests: u32,
    /// How often the partition had been revoked when the batch was formed.
    pub(super) generation: u64,
}

/// The messages whose order is kept: at most one batch of a group is in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderGroup {
    /// No order is kept.
    None,
    /// Messages with the same key in the same partition, identified by a hash. A collision delays messages but does not
    /// reorder them.
    Key(u64),
    /// Messages of the same partition.
    Partition,
}

/// How the queue forms batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// The order that is kept.
    pub(crate) order: Order,
    /// The most messages of one batch.
    pub(crate) records: usize,
    /// The most bytes of one batch; a larger message is sent alone.
    pub(crate) bytes: usize,
    /// How long a message waits for a batch to fill.
    pub(crate) linger: Duration,
}

impl Batch {
    pub(super) fn new(messages: Vec<Message>, group: OrderGroup, generation: u64) -> Self {
        Self {
            messages,
            group,
            failures: 0,
            requests: 0,
            generation,
        }
    }

    /// The partition of all its messages.
    pub(crate) fn partition(&self) -> i32 {
        self.messages
            .first()
            .map_or(-1, |message| message.at.partition)
    }

    /// Whether it holds a tombstone, which is alone.
    pub(crate) fn is_tombstone(&self) -> bool {
        matches!(self.messages.as_slice(), [message] if message.value.is_none())
    }

    /// Removes the second half of the messages; it keeps the counts of attempts.
    pub(super) fn split_off_half(&mut self) -> Self {
        Self {
            messages: self.messages.split_off(self.messages.len() / 2),
            ..*self
        }
    }
}
