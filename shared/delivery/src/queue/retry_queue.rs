//! Batches between two attempts, the earliest first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Instant;

use super::batch::Batch;

/// Batches, each with the time of its next attempt.
#[derive(Debug, Default)]
pub(super) struct RetryQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    /// Entries with the same `due` are taken in the order in which they were added.
    number: u64,
    is_requested: bool,
    batch: Batch,
}

impl RetryQueue {
    /// Adds a batch. `is_requested`: the endpoint requested this time (`Retry-After`).
    pub(super) fn push(&mut self, batch: Batch, due: Instant, is_requested: bool) {
        self.count += 1;
        self.heap.push(Reverse(Entry {
            due,
            number: self.count,
            is_requested,
            batch,
        }));
    }

    /// Removes the earliest batch if it is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Batch> {
        if self.next_due()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.batch)
    }

    /// Removes the earliest batch before it is due, unless the endpoint requested the time.
    pub(super) fn take_early(&mut self) -> Option<Batch> {
        let Reverse(entry) = self.heap.peek()?;
        if entry.is_requested {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.batch)
    }

    /// When the earliest batch is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Removes the batches of a partition.
    pub(super) fn remove(&mut self, partition: i32) -> Vec<Batch> {
        let (removed, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.heap)
            .into_iter()
            .partition(|Reverse(entry)| entry.batch.partition() == partition);
        self.heap = kept.into();
        removed
            .into_iter()
            .map(|Reverse(entry)| entry.batch)
            .collect()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Batch> {
        self.heap.drain().map(|Reverse(entry)| entry.batch)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}
