//! The messages that wait on one route, and the order in which they are sent. Pure: the caller supplies the clock.
//!
//! Messages whose order is kept form a group: by key within a partition (Kafka itself orders no more than that) or by
//! partition. One batch of a group is in flight at a time, through all its retries. A route with several records in a
//! request keeps the order of whole partitions for [`Order::Key`] too, because a batch holds records of one partition in
//! offset order.

mod batch;
mod partition_buffer;
mod ready_queue;
mod retry_queue;

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::time::Instant;

use record::Message;

pub(crate) use batch::{Batch, BatchLimits, OrderGroup};
use partition_buffer::PartitionBuffer;
use ready_queue::ReadyQueue;
use retry_queue::RetryQueue;

use crate::config::Order;
use crate::time::after;

/// Everything that waits on one route.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: BatchLimits,
    hasher: RandomState,
    /// Messages that can be sent now, each in a request of its own.
    ready: ReadyQueue,
    /// Keys with a batch in flight, and the messages that wait for it.
    blocked: HashMap<u64, VecDeque<Message>>,
    /// Messages by partition, where batches or order are by partition.
    buffers: BTreeMap<i32, PartitionBuffer>,
    /// Partitions whose buffer is neither empty nor blocked; each once.
    candidates: VecDeque<i32>,
    /// Parts of split batches that can be sent now.
    parts: VecDeque<Batch>,
    /// Batches between two attempts.
    retries: RetryQueue,
    /// Groups with a deferred message: all later messages of the group are deferred too.
    deferred: HashMap<i32, HashSet<u64>>,
    deferred_groups: usize,
    /// How often each partition was revoked. A batch of an earlier generation is not queued again.
    generations: HashMap<i32, u64>,
}

impl Queue {
    /// An empty queue.
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            ready: ReadyQueue::default(),
            blocked: HashMap::new(),
            buffers: BTreeMap::new(),
            candidates: VecDeque::new(),
            parts: VecDeque::new(),
            retries: RetryQueue::default(),
            deferred: HashMap::new(),
            deferred_groups: 0,
            generations: HashMap::new(),
        }
    }

    /// Adds a message at the end.
    ///
    /// # Errors
    /// Returns the message if an earlier one of its group was deferred.
    pub(crate) fn push(&mut self, message: Message, now: Instant) -> Result<(), Message> {
        let partition = message.at.partition;
        let group = self.group(&message);
        if self.deferred_groups > 0 && self.is_deferred(partition, group) {
            return Err(message);
        }
        match group {
            _ if self.is_by_partition() => {
                let buffer = self
                    .buffers
                    .entry(partition)
                    .or_insert_with(|| PartitionBuffer::new(now));
                buffer.push(message, now);
                if !buffer.is_blocked && !buffer.is_listed {
                    buffer.is_listed = true;
                    self.candidates.push_back(partition);
                }
            }
            OrderGroup::Key(hash) => match self.blocked.entry(hash) {
                Entry::Occupied(mut blocked) => blocked.get_mut().push_back(message),
                Entry::Vacant(vacant) => {
                    vacant.insert(VecDeque::new());
                    self.ready.push(message, group);
                }
            },
            _ => self.ready.push(message, group),
        }
        Ok(())
    }

    /// The next batch, if one can be sent now. `flush`: partial batches do not wait for the linger time.
    pub(crate) fn take(&mut self, now: Instant, flush: bool) -> Option<Batch> {
        if let Some(batch) = self.retries.take_due(now) {
            return Some(batch);
        }
        if let Some(part) = self.parts.pop_front() {
            return Some(part);
        }
        if self.is_by_partition() {
            return self.take_from_buffers(now, flush);
        }
        let (message, group) = self.ready.pop()?;
        let generation = self.generation(message.at.partition);
        Some(Batch::new(vec![message], group, generation))
    }

    /// The batch for a probe: the next one, or else one between two attempts, unless the endpoint requested the time of
    /// its next attempt.
    pub(crate) fn take_probe(&mut self, now: Instant) -> Option<Batch> {
        self.take(now, true).or_else(|| self.retries.take_early())
    }

    /// When [`Queue::take`] returns a batch without further changes: `now`, or later. `None`: never.
    pub(crate) fn next_due(&self, now: Instant, flush: bool) -> Option<Instant> {
        if !self.parts.is_empty() || !self.ready.is_empty() {
            return Some(now);
        }
        let retry = self.retries.next_due();
        let buffer = self
            .candidates
            .iter()
            .filter_map(|partition| self.buffers.get(partition))
            .map(|buffer| match flush || buffer.is_ready(&self.limits, now) {
                true => now,
                false => after(buffer.since, self.limits.linger),
            })
            .min();
        retry.into_iter().chain(buffer).min()
    }

    /// The most messages of one batch.
    pub(crate) fn batch_records(&self) -> usize {
        self.limits.records
    }

    /// Whether no message can be sent, now or after a delay. Messages behind a batch in flight do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.retries.is_empty()
            && self.parts.is_empty()
            && self.ready.is_empty()
            && self.candidates.is_empty()
    }

    /// Unblocks a group whose batch was delivered or rejected.
    pub(crate) fn complete(&mut self, group: OrderGroup, partition: i32) {
        match group {
            OrderGroup::None => {}
            OrderGroup::Key(hash) => {
                if let Entry::Occupied(mut blocked) = self.blocked.entry(hash) {
                    match blocked.get_mut().pop_front() {
                        Some(next) => self.ready.push(next, group),
                        None => drop(blocked.remove()),
                    }
                }
            }
            OrderGroup::Partition => {
                if let Some(buffer) = self.buffers.get_mut(&partition) {
                    buffer.is_blocked = false;
                    if !buffer.is_empty() && !buffer.is_listed {
                        buffer.is_listed = true;
                        self.candidates.push_back(partition);
                    }
                }
            }
        }
    }

    /// Marks the batch's group as deferred, so that [`Queue::push`] returns its later messages. Returns the messages that
    /// waited for the batch.
    pub(crate) fn defer(&mut self, batch: &Batch) -> Vec<Message> {
        let partition = batch.partition();
        let hash = match batch.group {
            OrderGroup::None => return Vec::new(),
            OrderGroup::Key(hash) => hash,
            OrderGroup::Partition => 0,
        };
        if batch.generation != self.generation(partition) {
            self.complete(batch.group, partition);
            return Vec::new();
        }
        if self.deferred.entry(partition).or_default().insert(hash) {
            self.deferred_groups += 1;
        }
        match batch.group {
            OrderGroup::Partition => {
                self.candidates.retain(|candidate| *candidate != partition);
                self.buffers
                    .remove(&partition)
                    .map_or_else(Vec::new, |mut buffer| buffer.drain())
            }
            _ => self.blocked.remove(&hash).map_or_else(Vec::new, Into::into),
        }
    }

    /// The number of deferred groups: each occupies memory until the run ends.
    pub(crate) fn deferred_groups(&self) -> usize {
        self.deferred_groups
    }

    /// Queues a batch for another attempt at `due`. `is_requested`: the endpoint requested this time (`Retry-After`).
    ///
    /// # Errors
    /// Returns the batch if its partition was revoked while the batch was in flight.
    pub(crate) fn retry(
        &mut self,
        batch: Batch,
        due: Instant,
        is_requested: bool,
    ) -> Result<(), Batch> {
        if batch.generation != self.generation(batch.partition()) {
            return Err(batch);
        }
        self.retries.push(batch, due, is_requested);
        Ok(())
    }

    /// Replaces a batch of several messages by its halves.
    ///
    /// # Errors
    /// As [`Queue::retry`].
    pub(crate) fn split(&mut self, mut batch: Batch) -> Result<(), Batch> {
        let partition = batch.partition();
        if batch.generation != self.generation(partition) {
            return Err(batch);
        }
        let second = batch.split_off_half();
        match (batch.group, self.buffers.get_mut(&partition)) {
            (OrderGroup::Partition, Some(buffer)) => buffer.parts.push(second),
            _ => self.parts.push_front(second),
        }
        self.parts.push_front(batch);
        Ok(())
    }

    /// Removes and returns every message of a partition that is not in flight. Its groups are no longer deferred.
    pub(crate) fn revoke(&mut self, partition: i32) -> Vec<Message> {
        *self.generations.entry(partition).or_default() += 1;
        if let Some(groups) = self.deferred.remove(&partition) {
            self.deferred_groups -= groups.len();
        }
        let mut revoked = Vec::new();
        let mut batches = self.retries.remove(partition);
        let (removed, kept) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|part| part.partition() == partition);
        self.parts = kept;
        batches.extend::<VecDeque<Batch>>(removed);
        if let Some(buffer) = self.buffers.get_mut(&partition) {
            revoked.extend(buffer.drain());
            buffer.is_listed = false;
            self.candidates.retain(|candidate| *candidate != partition);
        }
        for blocked in self.blocked.values_mut() {
            let (removed, kept) = std::mem::take(blocked)
                .into_iter()
                .partition(|message| message.at.partition == partition);
            *blocked = kept;
            revoked.extend::<VecDeque<Message>>(removed);
        }
        let ready = self.ready.remove(partition).into_iter();
        batches.extend(ready.map(|(message, group)| Batch::new(vec![message], group, 0)));
        for batch in batches {
            self.complete(batch.group, partition);
            revoked.extend(batch.messages);
        }
        revoked
    }

    /// Removes and returns every message that is not in flight, each with the number of requests sent with it.
    pub(crate) fn drain(&mut self) -> Vec<(Message, u32)> {
        let mut drained: Vec<(Message, u32)> = Vec::new();
        for batch in self.retries.drain().chain(self.parts.drain(..)) {
            let sent = batch.messages.into_iter();
            drained.extend(sent.map(|message| (message, batch.requests)));
        }
        let blocked = self.blocked.drain().flat_map(|(_, blocked)| blocked);
        let mut unsent: Vec<Message> = self.ready.drain().chain(blocked).collect();
        for buffer in self.buffers.values_mut() {
            unsent.extend(buffer.drain());
        }
        self.buffers.clear();
        self.candidates.clear();
        drained.extend(unsent.into_iter().map(|message| (message, 0)));
        drained
    }

    fn take_from_buffers(&mut self, now: Instant, flush: bool) -> Option<Batch> {
        for _ in 0..self.candidates.len() {
            let partition = self.candidates.pop_front()?;
            let Some(buffer) = self.buffers.get_mut(&partition) else {
                continue;
            };
            if !flush && !buffer.is_ready(&self.limits, now) {
                self.candidates.push_back(partition);
                continue;
            }
            buffer.is_listed = false;
            let is_ordered = self.limits.order != Order::None;
            let batch = match buffer.parts.pop() {
                Some(part) => part,
                None => {
                    let group = if is_ordered {
                        OrderGroup::Partition
                    } else {
                        OrderGroup::None
                    };
                    let generation = self.generations.get(&partition).copied();
                    let messages = buffer.take(&self.limits, now);
                    Batch::new(messages, group, generation.unwrap_or_default())
                }
            };
            if is_ordered {
                buffer.is_blocked = true;
            } else if !buffer.is_empty() {
                buffer.is_listed = true;
                self.candidates.push_back(partition);
            }
            return Some(batch);
        }
        None
    }

    fn is_by_partition(&self) -> bool {
        self.limits.records > 1 || self.limits.order == Order::Partition
    }

    fn group(&self, message: &Message) -> OrderGroup {
        match (self.limits.order, &message.key) {
            (Order::None, _) => OrderGroup::None,
            _ if self.is_by_partition() => OrderGroup::Partition,
            (_, Some(key)) => OrderGroup::Key(self.hasher.hash_one((message.at.partition, key))),
            (_, None) => OrderGroup::None,
        }
    }

    fn is_deferred(&self, partition: i32, group: OrderGroup) -> bool {
        let hash = match group {
            OrderGroup::None => return false,
            OrderGroup::Key(hash) => hash,
            OrderGroup::Partition => 0,
        };
        self.deferred
            .get(&partition)
            .is_some_and(|groups| groups.contains(&hash))
    }

    fn generation(&self, partition: i32) -> u64 {
        // Most runs revoke nothing: skip the hash.
        if self.generations.is_empty() {
            return 0;
        }
        self.generations
            .get(&partition)
            .copied()
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
