//! Jobs between two attempts, the earliest first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Instant;

use super::queue::Job;

/// Jobs with the moments at which they may go again.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    /// Who came first goes first.
    number: u64,
    hinted: bool,
    job: Job,
}

impl Waiting {
    /// Adds a job. `hinted`: the endpoint itself named the moment.
    pub(super) fn put(&mut self, job: Job, due: Instant, hinted: bool) {
        self.count += 1;
        self.heap.push(Reverse(Entry {
            due,
            number: self.count,
            hinted,
            job,
        }));
    }

    /// The earliest job, if its moment has come.
    pub(super) fn due(&mut self, now: Instant) -> Option<Job> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.job)
    }

    /// The earliest job before its moment, unless the endpoint itself named it.
    pub(super) fn early(&mut self) -> Option<Job> {
        let Reverse(entry) = self.heap.peek()?;
        if entry.hinted {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.job)
    }

    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Takes out the jobs of a partition.
    pub(super) fn remove(&mut self, partition: i32) -> Vec<Job> {
        let (gone, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut self.heap)
            .into_iter()
            .partition(|Reverse(entry)| entry.job.partition() == partition);
        self.heap = stay.into();
        gone.into_iter().map(|Reverse(entry)| entry.job).collect()
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        self.heap.drain().map(|Reverse(entry)| entry.job)
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
