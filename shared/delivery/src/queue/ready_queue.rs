//! The messages that can be sent now, each in a request of its own.

use std::collections::{BTreeMap, VecDeque};

use record::Message;

use super::batch::OrderGroup;

/// One queue for each partition. The partitions take turns, so that none waits behind the backlog of another.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    partitions: BTreeMap<i32, VecDeque<(Message, OrderGroup)>>,
    /// The partitions with messages, each once, in the order of their turns.
    turns: VecDeque<i32>,
}

impl ReadyQueue {
    pub(super) fn push(&mut self, message: Message, group: OrderGroup) {
        let partition = message.at.partition;
        let messages = self.partitions.entry(partition).or_default();
        if messages.is_empty() {
            self.turns.push_back(partition);
        }
        messages.push_back((message, group));
    }

    /// The oldest message of the partition whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(Message, OrderGroup)> {
        let partition = self.turns.pop_front()?;
        let messages = self.partitions.get_mut(&partition)?;
        let next = messages.pop_front();
        if !messages.is_empty() {
            self.turns.push_back(partition);
        }
        next
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Removes and returns the messages of one partition.
    pub(super) fn remove(&mut self, partition: i32) -> VecDeque<(Message, OrderGroup)> {
        self.turns.retain(|turn| *turn != partition);
        self.partitions.remove(&partition).unwrap_or_default()
    }

    /// Removes and returns all messages.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Message> + use<> {
        self.turns.clear();
        let partitions = std::mem::take(&mut self.partitions);
        partitions
            .into_values()
            .flatten()
            .map(|(message, _)| message)
    }
}
