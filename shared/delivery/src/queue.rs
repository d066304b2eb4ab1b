//! What waits on a route, and in which order it may go. Pure: messages and the clock in, jobs out.
//!
//! A job is what one request carries. Messages that must keep their order form a *line*: by key (a Kafka key within
//! its partition, which is all the order that Kafka itself gives) or by partition. One job of a line is out at a
//! time, through all its retries. A route that takes many records in a request keeps the order of whole partitions
//! for `key` too, since a request holds records of one partition in offset order.

use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use super::pen::Pen;
use super::waiting::Waiting;
use super::{Order, later};
use record::Message;

/// What one request carries, and what has become of it so far.
#[derive(Debug)]
pub struct Job {
    /// The messages; there is at least one.
    pub messages: Vec<Message>,
    /// The line that waits for it.
    pub line: Line,
    /// Attempts that failed in a way that may pass.
    pub failures: u32,
    /// Requests made with its messages.
    pub requests: u32,
    epoch: u64,
}

/// Whom a job holds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Nobody.
    Free,
    /// The messages of a key, known by its hash: keys that collide only wait for each other.
    Key(u64),
    /// The messages of its partition.
    Partition,
}

/// How the queue forms jobs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The order that is kept.
    pub order: Order,
    /// The most messages of one job.
    pub batch: usize,
    /// The most bytes of one job; a larger message goes alone.
    pub batch_bytes: usize,
    /// How long a message waits for company.
    pub linger: Duration,
}

/// Everything that waits on one route.
#[derive(Debug)]
pub struct Queue {
    shape: Shape,
    hasher: RandomState,
    /// Single messages whose turn has come.
    fifo: VecDeque<(Message, Line)>,
    /// Keys with a job out, and who waits behind it.
    held: HashMap<u64, VecDeque<Message>>,
    /// Messages by partition, where jobs or order are made of partitions.
    pens: BTreeMap<i32, Pen>,
    /// Partitions whose pen has something and holds no line; each once.
    ripe: VecDeque<i32>,
    /// Halves of a job that was split, whose turn has come.
    parts: VecDeque<Job>,
    /// Jobs between two attempts.
    waiting: Waiting,
    /// Lines of which a message was left: who comes after it must be left too.
    left: HashMap<i32, HashSet<u64>>,
    left_lines: usize,
    /// How often a partition was recalled; a job of an earlier time does not come back.
    epochs: HashMap<i32, u64>,
}

impl Queue {
    /// An empty queue.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            hasher: RandomState::new(),
            fifo: VecDeque::new(),
            held: HashMap::new(),
            pens: BTreeMap::new(),
            ripe: VecDeque::new(),
            parts: VecDeque::new(),
            waiting: Waiting::default(),
            left: HashMap::new(),
            left_lines: 0,
            epochs: HashMap::new(),
        }
    }

    /// Adds a message at the end.
    ///
    /// # Errors
    /// The message comes back: one before it in its line was left.
    pub fn push(&mut self, message: Message, now: Instant) -> Result<(), Message> {
        let partition = message.at.partition;
        let line = self.line(&message);
        if self.left_lines > 0 && self.is_left(partition, line) {
            return Err(message);
        }
        match line {
            _ if self.by_partition() => {
                let pen = self.pens.entry(partition).or_insert_with(|| Pen::new(now));
                pen.push(message, now);
                if !pen.busy && !pen.listed {
                    pen.listed = true;
                    self.ripe.push_back(partition);
                }
            }
            Line::Key(hash) => match self.held.entry(hash) {
                Entry::Occupied(mut waiting) => waiting.get_mut().push_back(message),
                Entry::Vacant(vacant) => {
                    vacant.insert(VecDeque::new());
                    self.fifo.push_back((message, line));
                }
            },
            _ => self.fifo.push_back((message, line)),
        }
        Ok(())
    }

    /// The next job, if one may go now. `hurry`: no message waits for company.
    pub fn take(&mut self, now: Instant, hurry: bool) -> Option<Job> {
        if let Some(job) = self.waiting.due(now) {
            return Some(job);
        }
        if let Some(part) = self.parts.pop_front() {
            return Some(part);
        }
        if self.by_partition() {
            return self.take_from_pens(now, hurry);
        }
        let (message, line) = self.fifo.pop_front()?;
        let epoch = self.epoch(message.at.partition);
        Some(Job::new(vec![message], line, epoch))
    }

    /// A job for a probe: the next one, or else one that waits for its backoff, though not one for which the
    /// endpoint itself has named a time.
    pub fn take_probe(&mut self, now: Instant) -> Option<Job> {
        self.take(now, true).or_else(|| self.waiting.early())
    }

    /// When [`Queue::take`], which has just given nothing, will give something by itself.
    pub fn next(&self) -> Option<Instant> {
        let retry = self.waiting.next();
        let company = self
            .ripe
            .iter()
            .filter_map(|partition| self.pens.get(partition))
            .map(|pen| later(pen.since, self.shape.linger))
            .min();
        retry.into_iter().chain(company).min()
    }

    /// The most messages of one job.
    pub fn batch(&self) -> usize {
        self.shape.batch
    }

    /// Whether nothing waits whose turn may come; who waits behind a job that is out does not count.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
            && self.parts.is_empty()
            && self.fifo.is_empty()
            && self.ripe.is_empty()
    }

    /// The job is settled, delivered or refused: its line moves on.
    pub fn settled(&mut self, line: Line, partition: i32) {
        match line {
            Line::Free => {}
            Line::Key(hash) => {
                if let Entry::Occupied(mut held) = self.held.entry(hash) {
                    match held.get_mut().pop_front() {
                        Some(next) => self.fifo.push_back((next, line)),
                        None => drop(held.remove()),
                    }
                }
            }
            Line::Partition => {
                if let Some(pen) = self.pens.get_mut(&partition) {
                    pen.busy = false;
                    if !pen.is_empty() && !pen.listed {
                        pen.listed = true;
                        self.ripe.push_back(partition);
                    }
                }
            }
        }
    }

    /// The job is left: so are those behind it in its line, which are handed back, and all that come later.
    pub fn left(&mut self, job: &Job) -> Vec<Message> {
        let partition = job.partition();
        let current = job.epoch == self.epoch(partition);
        let hash = match job.line {
            Line::Free => return Vec::new(),
            Line::Key(hash) => hash,
            Line::Partition => 0,
        };
        if !current {
            self.settled(job.line, partition);
            return Vec::new();
        }
        if self.left.entry(partition).or_default().insert(hash) {
            self.left_lines += 1;
        }
        match job.line {
            Line::Partition => {
                self.ripe.retain(|ripe| *ripe != partition);
                self.pens
                    .remove(&partition)
                    .map_or_else(Vec::new, |mut pen| pen.drain())
            }
            _ => self.held.remove(&hash).map_or_else(Vec::new, Into::into),
        }
    }

    /// How many lines were left: each costs a little memory until the run ends.
    pub fn left_lines(&self) -> usize {
        self.left_lines
    }

    /// Puts a job aside until `due`. `hinted`: the endpoint named the time.
    ///
    /// # Errors
    /// The job comes back: its partition was recalled while it was out.
    pub fn again(&mut self, job: Job, due: Instant, hinted: bool) -> Result<(), Job> {
        if job.epoch != self.epoch(job.partition()) {
            return Err(job);
        }
        self.waiting.put(job, due, hinted);
        Ok(())
    }

    /// Replaces a job of several messages by its halves.
    ///
    /// # Errors
    /// As [`Queue::again`].
    pub fn split(&mut self, mut job: Job) -> Result<(), Job> {
        let partition = job.partition();
        if job.epoch != self.epoch(partition) {
            return Err(job);
        }
        let second = Job {
            messages: job.messages.split_off(job.messages.len() / 2),
            ..job.bare()
        };
        match (job.line, self.pens.get_mut(&partition)) {
            (Line::Partition, Some(pen)) => pen.parts.push(second),
            _ => self.parts.push_front(second),
        }
        self.parts.push_front(job);
        Ok(())
    }

    /// Hands back everything of a partition that is not out, and forgets which of its lines were left.
    pub fn recall(&mut self, partition: i32) -> Vec<Message> {
        *self.epochs.entry(partition).or_default() += 1;
        if let Some(lines) = self.left.remove(&partition) {
            self.left_lines -= lines.len();
        }
        let mut back = Vec::new();
        let mut closed = self.waiting.remove(partition);
        let (gone, stay) = std::mem::take(&mut self.parts)
            .into_iter()
            .partition(|job| job.partition() == partition);
        self.parts = stay;
        closed.extend::<VecDeque<Job>>(gone);
        if let Some(pen) = self.pens.get_mut(&partition) {
            back.extend(pen.drain());
            pen.listed = false;
            self.ripe.retain(|ripe| *ripe != partition);
        }
        for waiting in self.held.values_mut() {
            let (gone, stay) = std::mem::take(waiting)
                .into_iter()
                .partition(|message| message.at.partition == partition);
            *waiting = stay;
            back.extend::<VecDeque<Message>>(gone);
        }
        for (message, line) in std::mem::take(&mut self.fifo) {
            if message.at.partition == partition {
                closed.push(Job::new(vec![message], line, 0));
            } else {
                self.fifo.push_back((message, line));
            }
        }
        for job in closed {
            self.settled(job.line, partition);
            back.extend(job.messages);
        }
        back
    }

    /// Hands back everything that is not out.
    pub fn drain(&mut self) -> Vec<Message> {
        let mut back: Vec<Message> = self.fifo.drain(..).map(|(message, _)| message).collect();
        back.extend(self.waiting.drain().flat_map(|job| job.messages));
        back.extend(self.parts.drain(..).flat_map(|job| job.messages));
        back.extend(self.held.drain().flat_map(|(_, waiting)| waiting));
        for pen in self.pens.values_mut() {
            back.extend(pen.drain());
        }
        self.pens.clear();
        self.ripe.clear();
        back
    }

    fn take_from_pens(&mut self, now: Instant, hurry: bool) -> Option<Job> {
        for _ in 0..self.ripe.len() {
            let partition = self.ripe.pop_front()?;
            let Some(pen) = self.pens.get_mut(&partition) else {
                continue;
            };
            if !hurry && !pen.is_ready(&self.shape, now) {
                self.ripe.push_back(partition);
                continue;
            }
            pen.listed = false;
            let ordered = self.shape.order != Order::None;
            let job = match pen.parts.pop() {
                Some(part) => part,
                None => {
                    let line = if ordered { Line::Partition } else { Line::Free };
                    let epoch = self.epochs.get(&partition).copied().unwrap_or_default();
                    Job::new(pen.cut(&self.shape, now), line, epoch)
                }
            };
            if ordered {
                pen.busy = true;
            } else if !pen.is_empty() {
                pen.listed = true;
                self.ripe.push_back(partition);
            }
            return Some(job);
        }
        None
    }

    fn by_partition(&self) -> bool {
        self.shape.batch > 1 || self.shape.order == Order::Partition
    }

    fn line(&self, message: &Message) -> Line {
        match (self.shape.order, &message.key) {
            (Order::None, _) => Line::Free,
            _ if self.by_partition() => Line::Partition,
            (_, Some(key)) => Line::Key(self.hasher.hash_one((message.at.partition, key))),
            (_, None) => Line::Free,
        }
    }

    fn is_left(&self, partition: i32, line: Line) -> bool {
        let hash = match line {
            Line::Free => return false,
            Line::Key(hash) => hash,
            Line::Partition => 0,
        };
        self.left
            .get(&partition)
            .is_some_and(|left| left.contains(&hash))
    }

    fn epoch(&self, partition: i32) -> u64 {
        // Nearly no run ever recalls anything.
        if self.epochs.is_empty() {
            return 0;
        }
        self.epochs.get(&partition).copied().unwrap_or_default()
    }
}

impl Job {
    fn new(messages: Vec<Message>, line: Line, epoch: u64) -> Self {
        Self {
            messages,
            line,
            failures: 0,
            requests: 0,
            epoch,
        }
    }

    /// The partition of all its messages.
    pub fn partition(&self) -> i32 {
        self.messages
            .first()
            .map_or(-1, |message| message.at.partition)
    }

    fn bare(&self) -> Self {
        Self {
            messages: Vec::new(),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests;
