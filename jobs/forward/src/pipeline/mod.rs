//! Reads the window, delivers its records, and commits what is delivered.
//!
//! ```text
//!              pipeline thread                           │ other threads
//!                                                        │
//!  broker ─► Source ─► Router ─┬─► Deliveries ───────────┼─► delivery thread of the route ─► endpoint
//!              ▲               │        ◄── Completed ───┼───────┘
//!              │ pause, resume ├─► DeadLetters, Writes ──┼─► producer ─► dead-letter topic, topics of answers
//!              │               │        ◄── Written ─────┼───────┘
//!              └─── parked ◄───┘ no room                 │
//!                                                        │
//!   Completed, Written ─► Partitions ─► Commits ─────────┼─► commit thread ─► coordinator of the group
//!                                       ◄── Commit ──────┼───────┘
//!   assign, drain, revoke: Rebalance    ◄── Group ───────┼── member's thread ◄─► coordinator of the group
//! ```
//!
//! One thread runs the pipeline. The others answer through channels. [`Pipeline::run`] passes each event to `step`, which
//! changes the state; nothing else does. No step waits for another event.
//!
//! A record takes this way:
//!
//! 1. The source returns the records of each partition in offset order.
//! 2. The router finds the schema of the value, validates the datum, resolves it to the reader's schema, and decides: skip,
//!    deliver, dead letter, or stop. While the schema registry is asked for a schema, the partition waits.
//! 3. The record is handed to the thread of its route, or to the producer of dead letters. If there is no room, it is
//!    *parked* and its partition is paused: one record a partition. The other partitions go on.
//! 4. A completion or an acknowledgement completes the record in [`Partitions`], or defers it to the next run. Either may
//!    come in any order. If the route keeps the answer, the record is completed when the answer is acknowledged: that of a
//!    dead letter is written after the dead letter.
//! 5. The commit thread commits the offset below which all records are completed, with the offset map of those above it.
//!
//! A full route that keeps another route idle is skipped for the rest of the scan. When all partitions are read and
//! nothing is in flight, another scan reads the records of the skipped routes.
//!
//! The pipeline ends in phases: it reads, waits for what is in flight, commits, and is finished. Every end, early or not,
//! goes through all of them.

mod commits;
mod config;
mod dead_letters;
mod deliveries;
mod event;
mod give_up;
mod held;
mod io;
mod letters;
mod lifecycle;
mod message;
mod outcome;
mod partition;
mod partitions;
mod preview;
mod rebalance;
mod routed_record;
mod router;
mod schema_requests;
mod shutdown;
mod source;
mod steps;
mod uncommitted;
mod writes;
mod written;

pub(crate) use commits::not_encoded;
pub use config::{Deadlines, PipelineConfig};
pub(crate) use give_up::age;
pub use io::PipelineIo;
pub use letters::{LetterFilter, LetterTarget};
pub(crate) use message::client_key;
pub use outcome::{PartitionOutcome, RouteOutcome, WindowOutcome};
pub(crate) use partition::MAX_METADATA_BYTES;
pub use partition::PartitionState;
pub use partitions::{DeferredRecord, Partitions};
pub(crate) use preview::schema_headers;
pub use preview::{Destination, RecordRouter};
pub use rebalance::partition_states;
pub(crate) use shutdown::LAST_COMMIT_TIMEOUT;
pub use shutdown::StopReason;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use delivery::Delivery;
use kafka::reader::SourceError;
use serde::{Deserialize, Serialize};

use commits::Commits;
use dead_letters::DeadLetters;
use deliveries::Deliveries;
use event::Event;
use rebalance::Rebalance;
use routed_record::RoutedRecord;
use router::{Router, Tombstones};
use schema_requests::SchemaRequests;
use shutdown::{Phase, Shutdown};
use source::Source;
use writes::WriteQueue;

/// Timers are checked after this many events, or when none is ready. A batch of records has no more.
const MAX_EVENTS_BETWEEN_TICKS: usize = 2_000;

/// How long a wait may take; timers are checked after it.
const POLL_TIMEOUT: Duration = Duration::from_millis(20);

/// The same while a record is parked or a commit is in flight: an acknowledgement that is not waited for makes room.
const BUSY_POLL_TIMEOUT: Duration = Duration::from_millis(2);

/// The answers of one route that the broker has acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenAnswers {
    /// To delivered records.
    pub success: i64,
    /// To dead-lettered records.
    pub error: i64,
}

/// The pipeline of one run.
pub struct Pipeline<'r> {
    source: Source<'r>,
    router: Router<'r>,
    /// Present in a window over a dead-letter topic.
    letters: Option<&'r LetterFilter<'r>>,
    schema_requests: SchemaRequests,
    /// Records that there is no room for, at most one a partition, the oldest first. Their partitions are paused.
    parked: VecDeque<Box<RoutedRecord>>,
    deliveries: Deliveries,
    dead_letters: DeadLetters,
    writes: WriteQueue,
    /// For each route.
    answers: Vec<WrittenAnswers>,
    partitions: Partitions,
    commits: Commits,
    rebalance: Rebalance<'r>,
    shutdown: Shutdown<'r>,
    /// `GIVE_UP_AFTER`.
    give_up_after: Option<Duration>,
    /// What the report mentions beside the counts, the oldest first.
    notes: Vec<String>,
}

impl<'r> Pipeline<'r> {
    /// Prepares a pipeline that reads `partitions`.
    ///
    /// # Errors
    /// The reader has no queue.
    pub fn new(
        io: PipelineIo<'r>,
        config: &PipelineConfig,
        partitions: BTreeMap<i32, PartitionState>,
    ) -> Result<Self, SourceError> {
        let routes = io.routes.names().len();
        let mut limits = vec![usize::MAX; routes];
        if let Some(delivery) = &io.delivery {
            limits = (0..routes)
                .map(|route| delivery.max_uncommitted(route))
                .collect();
            if let Some(deadlines) = config.deadlines {
                delivery.set_deadline(deadlines.drained);
            }
        }
        if io.letters.is_some_and(LetterFilter::is_to_topic) {
            limits = vec![config.max_uncommitted_dead_letters; routes];
        }
        limits.push(config.max_uncommitted_dead_letters);
        Ok(Self {
            source: Source::new(io.reader, io.topic.clone(), routes + 1)?,
            router: Router::new(
                io.routes,
                io.schemas,
                config.unmatched,
                Tombstones {
                    route: config.tombstone_route,
                    are_dead_letters: config.tombstones_are_dead_letters,
                },
                config.delivery_schema,
            ),
            letters: io.letters,
            schema_requests: SchemaRequests::new(io.registry),
            parked: VecDeque::new(),
            deliveries: Deliveries::new(
                io.delivery,
                io.completions,
                routes,
                io.window.ranges.len(),
            ),
            dead_letters: DeadLetters::new(config),
            writes: WriteQueue::new(io.topic, io.writer, io.acknowledgements),
            answers: vec![WrittenAnswers::default(); routes],
            partitions: Partitions::new(partitions, routes, config.max_bytes),
            commits: Commits::new(io.committer, config.scope.clone(), limits),
            rebalance: Rebalance::new(io.group, io.reader, io.window, config.handover_timeout),
            shutdown: Shutdown::new(io.shutdown, config),
            give_up_after: config.give_up_after,
            notes: Vec::new(),
        })
    }

    /// Reads the window, and returns when every record of it is completed or deferred. `watch` is called several times a
    /// second, for progress displays.
    ///
    /// Whatever ends the pipeline, completed records are committed and the counts are complete.
    ///
    /// # Errors
    /// The client cannot read the partitions; nothing was read then.
    pub fn run(&mut self, mut watch: impl FnMut(&Self)) -> Result<(), SourceError> {
        self.source.assign(&self.partitions.starts())?;
        while self.shutdown.phase != Phase::Finished {
            let mut events = 0;
            while events < MAX_EVENTS_BETWEEN_TICKS
                && let Some(event) = self.ready_event()
            {
                self.step(event);
                events += 1;
            }
            self.step(Event::Tick(Instant::now()));
            watch(self);
            let is_idle = events < MAX_EVENTS_BETWEEN_TICKS;
            if is_idle
                && self.shutdown.phase != Phase::Finished
                && let Some(event) = self.wait()
            {
                self.step(event);
            }
        }
        Ok(())
    }

    /// The partitions, and the counts of the run.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    /// The delivery threads; absent in a dry run.
    pub fn delivery(&self) -> Option<&Delivery> {
        self.deliveries.delivery()
    }

    /// Waits for the next event, up to a timeout. `None`: it is ready, or the timeout has passed.
    fn wait(&mut self) -> Option<Event<'r>> {
        let is_parked = !self.parked.is_empty() || self.schema_requests.is_waiting();
        let timeout = if is_parked || self.commits.is_in_flight() {
            BUSY_POLL_TIMEOUT
        } else {
            POLL_TIMEOUT
        };
        if self.source.has_resumed() {
            return None;
        }
        if !self.can_fetch() {
            self.source.reset_silence();
        } else if !is_parked {
            self.source.fetch(timeout);
            return None;
        } else if self.source.fetch(Duration::ZERO) > 0 {
            return None;
        }
        if matches!(self.shutdown.phase, Phase::Commit(_)) && self.commits.is_in_flight() {
            return self.commits.wait_for_event(timeout).map(Event::Commit);
        }
        // A completion makes room for a parked record. Other answers are checked after the timeout.
        let completions = self.deliveries.wait_for_completions(timeout);
        completions.map(Event::Completed)
    }

    /// An event that has happened already.
    #[inline]
    fn ready_event(&mut self) -> Option<Event<'r>> {
        if let Some(item) = self.source.next_item() {
            return Some(Event::Fetched(item));
        }
        if let Some(completions) = self.deliveries.next_completions() {
            return Some(Event::Completed(completions));
        }
        if let Some(written) = self.writes.next_result() {
            return Some(Event::Written(written));
        }
        if let Some(event) = self.commits.next_event() {
            return Some(Event::Commit(event));
        }
        if let Some(answer) = self.schema_requests.next_answer() {
            return Some(Event::Schema(answer));
        }
        self.rebalance.next_event().map(Event::Group)
    }

    /// True when a partition may have records to fetch that there is room for.
    fn can_fetch(&self) -> bool {
        let is_wanted =
            |(id, state): (i32, &PartitionState)| !state.is_read() && !self.source.is_paused(id);
        self.shutdown.is_reading()
            && self.source.has_room()
            && self.partitions.iter().any(is_wanted)
    }
}
