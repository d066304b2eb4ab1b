//! Reads the window and settles its records: the loop in the middle of a run.
//!
//! One thread decides everything here. Delivery, dead letters, commits and the group work elsewhere and answer
//! through channels. Each record is read, decoded, routed and handed on, in the order of its partition
//! (`intake.rs`, `aside.rs`); what becomes of it comes back later and in any order (`outcome.rs`); `progress.rs` says how far the
//! commit may go (`keeping.rs`), and the group which partitions are ours (`dealt.rs`).

mod aside;
mod dealt;
mod exposure;
mod intake;
mod keeping;
mod outcome;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::config::Unmatched;
use crate::dead_letter::{DeadLetter, DeadLetters, Written};
use crate::report::log_limit::LogLimiter;
use delivery::completion::Completion;
use delivery::{Delivery, RouteState};
use kafka::batch::Queue;
use kafka::commit::Committer;
use kafka::member::{Commit, GroupEvent};
use kafka::reader::{Reader, SourceError};
use offsets::counters::{PartitionCounters, RouteCounters};
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::progress::{Class, Progress};
use offsets::window::{OffsetRange, Window};
use routes::Routes;

/// The rules of a scan.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What becomes of a record that no route matches.
    pub unmatched: Unmatched,
    /// True: a record without a value is a dead letter; false: it is skipped.
    pub tombstones_are_dead_letters: bool,
    /// The most bytes of values that are read.
    pub bytes: Option<u64>,
    /// The share of dead letters at which the run stops.
    pub dead_letter_max_ratio: f64,
    /// How many dead letters are written before the share counts.
    pub dead_letter_min_count: u64,
    /// The most dead letters of records without a route that are sent and not committed.
    pub max_uncommitted: usize,
    /// How long the log may stay silent although the window is not read to its end.
    pub silence: Duration,
    /// How long requests in flight may take when the run stops early.
    pub shutdown_timeout: Duration,
    /// How long they may take when their partition is to be given up: as long as any may take. Another run deals with the
    /// partition from then on, and what it would find unfinished it would deliver a second time.
    pub handover: Duration,
    /// What done-maps are made for.
    pub scope: Scope,
}

/// Why a scan ended before its window did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The deadline.
    Deadline,
    /// SIGTERM or SIGINT.
    Shutdown,
    /// Another run has our partitions.
    ConcurrentRun(String),
    /// Too many dead letters.
    DeadLetterThreshold(String),
    /// A record that no route matches, and such records end a run by setting.
    Unmatched(String),
    /// The broker does not give what it promised.
    Source(String),
    /// Records are gone from the log.
    DataLoss(String),
}

/// When a scan with a deadline must be where.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Nothing more is read.
    pub reading: Instant,
    /// Nothing more is under way; what is left of the time is for the commit.
    pub drained: Instant,
    /// The run is over.
    pub exit: Instant,
}

/// What a scan works with.
pub struct Tools<'r> {
    /// The topic.
    pub topic: Arc<str>,
    /// Reads.
    pub reader: &'r Reader,
    /// Decides.
    pub routes: &'r Routes,
    /// Delivers; absent in a dry run.
    pub delivery: Option<Delivery>,
    /// What delivery says.
    pub settled: Receiver<Vec<Completion>>,
    /// Keeps what nobody takes; absent in a dry run.
    pub dead_letters: Option<DeadLetters>,
    /// What the dead-letter topic says.
    pub written: Receiver<Written>,
    /// Commits; absent in a replay and a dry run.
    pub committer: Option<Committer>,
    /// What the group says; absent in a replay and a dry run.
    pub group: Option<Receiver<GroupEvent>>,
    /// The whole window, of which the partitions may come one after another.
    pub window: &'r Window,
    /// Set by a signal.
    pub shutdown: &'r AtomicBool,
}

/// One partition of the window.
#[derive(Debug)]
pub struct Part {
    /// What is settled.
    pub progress: Progress,
    /// What was counted.
    pub counters: PartitionCounters,
    /// The newest commit that the broker has.
    pub committed: Option<i64>,
    asked: Option<Commit>,
    /// No longer ours: neither read nor committed any more.
    closed: bool,
    /// The broker is not asked for more of it: it is read to its end, or needs no reading.
    paused: bool,
}

impl Part {
    /// A partition that is read from where the group's commit is now, or from the window's start if there is none;
    /// `metadata` is the commit's. What another run has settled since the window was planned is not part of it.
    /// `None` if the window has no such partition.
    pub fn of_group(
        window: &Window,
        partition: i32,
        routes: usize,
        scope: &Scope,
        committed: Option<i64>,
        metadata: &str,
    ) -> Option<Self> {
        let range = window.range(partition)?;
        let of_another_log = window.restarted.get(&partition).copied();
        let Some(offset) = committed.filter(|_| committed != of_another_log) else {
            return Some(Self::begin(range, routes, committed, None));
        };
        let done = match offset_map::decode(metadata, offset, scope) {
            Ok(_) if window.truncated.contains(&partition) => None,
            Ok(done) => Some(done),
            Err(InvalidMetadata::Missing) => None,
            Err(error) => {
                tracing::warn!(partition, %error, "what was done beyond the commit may be sent again");
                None
            }
        };
        // Another run may have come beyond our window meanwhile: then nothing of it is left, and its place stands.
        let start = offset.max(range.start);
        let end = range.end.max(start);
        let range = OffsetRange {
            partition,
            start,
            end,
        };
        Some(Self::begin(&range, routes, committed, done))
    }

    /// A partition of a replay: the window as it is, whatever the group has done.
    pub fn replay(range: &OffsetRange, routes: usize) -> Self {
        Self::begin(range, routes, None, None)
    }

    fn begin(
        range: &OffsetRange,
        routes: usize,
        committed: Option<i64>,
        done: Option<OffsetMap>,
    ) -> Self {
        let progress = Progress::new(range.start, range.end, routes, done);
        Self {
            counters: PartitionCounters::new(range.clone()),
            committed,
            asked: None,
            closed: false,
            paused: progress.pass_is_over(),
            progress,
        }
    }

    /// True when records beyond the commit are settled, which only the commit's metadata remembers.
    pub fn has_gaps(&self) -> bool {
        self.asked.is_some() && self.progress.commit() < self.progress.offset_map().scanned
    }

    /// True when records of this route stay although they are ours: their endpoint did not take them.
    pub fn is_left_by(&self, route: Class) -> bool {
        !self.closed && self.progress.has_gap(route)
    }

    fn is_read(&self) -> bool {
        self.closed || self.progress.pass_is_over()
    }
}

/// A scan under way, and what it has found so far.
pub struct Scan<'r> {
    tools: Tools<'r>,
    rules: Rules,
    /// The partitions of the window.
    pub parts: BTreeMap<i32, Part>,
    /// The counts of each route.
    pub routes: Vec<RouteCounters>,
    /// What a person should know, in the order in which it happened.
    pub notes: Vec<String>,
    /// Why it ended early.
    pub stop: Option<Stop>,
    /// Whether the bound on bytes ended the window before its planned end.
    pub bounded: bool,
    /// For each route, why it was given up in this run, if it was.
    pub given_up: Vec<Option<String>>,
    /// Records met for the first time, but for those that an earlier run has settled.
    pub seen: u64,
    /// Dead letters that the broker did not take.
    pub dead_letters_failed: u64,
    dead_letters_sent: u64,
    /// Dead letters of records without a route that are sent and not committed.
    letters_uncommitted: usize,
    /// Dead letters for which the producer has no room at the moment. While there are any, no record is handed on.
    letters_waiting: VecDeque<DeadLetter>,
    /// Keeps a poisoned stream from filling the log.
    repeats: LogLimiter<&'static str>,
    deadlines: Option<Deadlines>,
    intake: intake::Intake,
    keeping: keeping::Keeping,
    last_news: Instant,
}

impl<'r> Scan<'r> {
    /// Prepares a scan of these partitions.
    pub fn new(
        tools: Tools<'r>,
        rules: Rules,
        parts: BTreeMap<i32, Part>,
        deadlines: Option<Deadlines>,
    ) -> Self {
        let routes = tools.routes.names().len();
        if let (Some(delivery), Some(deadlines)) = (&tools.delivery, deadlines) {
            delivery.set_deadline(deadlines.drained);
        }
        Self {
            intake: intake::Intake::new(routes),
            keeping: keeping::Keeping::new(routes),
            routes: vec![RouteCounters::default(); routes],
            tools,
            rules,
            parts,
            notes: Vec::new(),
            stop: None,
            bounded: false,
            given_up: vec![None; routes],
            seen: 0,
            dead_letters_failed: 0,
            dead_letters_sent: 0,
            letters_uncommitted: 0,
            letters_waiting: VecDeque::new(),
            repeats: LogLimiter::new(5, Duration::from_secs(10)),
            deadlines,
            last_news: Instant::now(),
        }
    }

    /// Reads the window and settles it; `tick` is called several times a second, to show progress.
    ///
    /// Whatever way it ends, what was settled is committed and the counts are complete.
    ///
    /// # Errors
    /// The reader refused; nothing was read then.
    pub fn run(&mut self, mut tick: impl FnMut(&Self)) -> Result<(), SourceError> {
        let reader = self.tools.reader;
        let Some(mut queue) = reader.queue() else {
            return Ok(());
        };
        reader.assign(&self.starts())?;
        while !self.must_stop() && !self.is_done() {
            self.pause_what_is_read();
            self.read(&mut queue);
            self.keep();
            tick(self);
        }
        drop(queue);
        self.settle_the_rest(&mut tick);
        self.finish();
        Ok(())
    }

    /// Offsets of our partitions' windows, and how many of them are behind us.
    pub fn offsets(&self) -> (i64, i64) {
        let parts = || self.parts.values();
        let planned: i64 = parts().map(|part| part.counters.planned()).sum();
        (
            planned,
            planned - parts().map(|part| part.progress.unread()).sum::<i64>(),
        )
    }

    /// The engine that delivers; absent in a dry run.
    pub fn delivery(&self) -> Option<&Delivery> {
        self.tools.delivery.as_ref()
    }

    fn starts(&self) -> Vec<(i32, i64)> {
        let unread = self.parts.iter().filter(|(_, part)| !part.is_read());
        unread
            .map(|(partition, part)| (*partition, part.progress.position()))
            .collect()
    }

    /// A broker would be asked for what lies behind the window as long as endpoints keep the run waiting.
    fn pause_what_is_read(&mut self) {
        let mut read = Vec::new();
        for (partition, part) in &mut self.parts {
            if part.is_read() && !part.closed && !part.paused {
                part.paused = true;
                read.push(*partition);
            }
        }
        if !read.is_empty()
            && let Err(error) = self.tools.reader.pause(&read)
        {
            tracing::debug!(partitions = ?read, %error, "what is read is asked for still");
        }
    }

    /// Takes what the log has, or waits for outcomes when everything is read.
    fn read(&mut self, queue: &mut Queue<'_>) {
        let patience = self.patience();
        if self.parts.values().all(Part::is_read) {
            self.wait_for_outcomes(patience);
            return;
        }
        if queue.read(patience, |item| self.take(item)) > 0 {
            self.last_news = Instant::now();
        } else if self.last_news.elapsed() > self.rules.silence {
            self.stop = Some(Stop::Source(format!(
                "the log was silent for {:?} although the window is not read to its end",
                self.rules.silence
            )));
        }
        self.take_outcomes();
    }

    /// True when every record of the window has been dealt with. Begins another pass where one is due.
    fn is_done(&mut self) -> bool {
        if !self
            .parts
            .values()
            .all(|part| part.is_read() && (part.closed || part.progress.pending() == 0))
        {
            return false;
        }
        let mut done = true;
        for (partition, part) in &mut self.parts {
            if !part.closed && part.progress.wants_another_pass() {
                let from = part.progress.begin_pass();
                if let Err(error) = self.tools.reader.go_back(*partition, from) {
                    self.stop = Some(Stop::Source(error.to_string()));
                    return false;
                }
                part.paused = false;
                done = false;
            }
        }
        self.intake.begin_pass();
        self.last_news = Instant::now();
        done
    }

    fn must_stop(&mut self) -> bool {
        if self.stop.is_none() {
            if self
                .tools
                .shutdown
                .load(std::sync::atomic::Ordering::Relaxed)
            {
                self.stop = Some(Stop::Shutdown);
            } else if self
                .deadlines
                .is_some_and(|deadlines| Instant::now() >= deadlines.reading)
            {
                self.stop = Some(Stop::Deadline);
            }
        }
        self.stop.is_some()
    }

    /// After the last record was read: requests in flight end or are given up, dead letters are acknowledged.
    fn settle_the_rest(&mut self, tick: &mut impl FnMut(&Self)) {
        let shutdown_timeout = self
            .deadlines
            .map_or(self.rules.shutdown_timeout, |deadlines| {
                self.rules
                    .shutdown_timeout
                    .min(deadlines.drained.saturating_duration_since(Instant::now()))
            });
        if let Some(delivery) = &self.tools.delivery {
            for (route, given_up) in self.given_up.iter_mut().enumerate() {
                if let RouteState::Deferred { reason } = delivery.state(route) {
                    *given_up = Some(reason.to_string());
                }
            }
            delivery.stop(shutdown_timeout);
        }
        // Delivery answers for every record within its shutdown_timeout; the margin is for the threads' own pace.
        let end = Instant::now() + shutdown_timeout + Duration::from_secs(1);
        while self
            .parts
            .values()
            .any(|part| !part.closed && part.progress.pending() > 0)
            && Instant::now() < end
        {
            self.wait_for_outcomes(Duration::from_millis(20));
            self.keep();
            tick(self);
        }
        if let Some(dead_letters) = &self.tools.dead_letters {
            dead_letters.flush(shutdown_timeout.max(Duration::from_secs(1)));
        }
        self.take_outcomes();
    }

    /// Commits what is settled, and leaves the counts complete.
    fn finish(&mut self) {
        self.commit_all();
        for (cause, count) in self.repeats.suppressed() {
            let cause = cause.unwrap_or("other");
            tracing::warn!(cause, count, "set aside more of the same kind");
        }
        for part in self.parts.values_mut() {
            part.counters.range.end = part.progress.end();
            part.counters.unread = part.progress.unread();
        }
    }
}
