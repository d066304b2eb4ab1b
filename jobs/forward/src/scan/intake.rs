//! One record at a time: what is it, whose is it, and who gets it now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use avro::FINGERPRINT_HEADER;
use bytes::{Bytes, BytesMut};
use rdkafka::error::RDKafkaErrorCode;
use record::idempotency;

use crate::config::Unmatched;
use crate::dead_letter::{Cause, DeadLetter};
use crate::scan::{Scan, Stop};
use crate::unknown_schema::UnknownSchema;
use delivery::RouteState;
use kafka::batch::{Item, Record};
use offsets::progress::{Class, RecordState};
use record::{Coordinates, Message};
use routes::{Scratch, Undecided};

/// How long a route may keep all others waiting before it is skipped for the rest of the pass.
const PATIENCE: Duration = Duration::from_millis(200);

/// What taking records in needs from one record to the next.
pub(super) struct Intake {
    scratch: Scratch,
    /// For each route, where its next values are copied to: neighbours share one allocation.
    arenas: Vec<BytesMut>,
    /// For each route, true when it is skipped for the rest of this pass.
    lagging: Vec<bool>,
    /// Bytes of values met for the first time.
    bytes: u64,
}

impl Intake {
    pub(super) fn new(routes: usize) -> Self {
        Self {
            scratch: Scratch::default(),
            arenas: vec![BytesMut::new(); routes + 1],
            lagging: vec![false; routes],
            bytes: 0,
        }
    }

    pub(super) fn begin_pass(&mut self) {
        self.lagging.fill(false);
    }

    fn copy(&mut self, class: Class, bytes: &[u8]) -> Bytes {
        const CHUNK: usize = 16 * 1024;
        let arena = &mut self.arenas[class];
        if arena.capacity() < bytes.len() {
            *arena = BytesMut::with_capacity(bytes.len().max(CHUNK));
        }
        arena.extend_from_slice(bytes);
        arena.split().freeze()
    }
}

/// What is to be done with a record.
enum Verdict {
    Skip,
    Deliver(usize),
    SetAside(Cause, String),
    Stop(String),
}

impl Scan<'_> {
    /// Takes one item of the log.
    pub(super) fn take(&mut self, item: Item<'_>) {
        match item {
            Item::Record(record) => self.take_record(&record),
            Item::End { partition, offset } => self.take_end(partition, offset),
            Item::Failed {
                partition,
                code,
                reason,
            } => self.take_failure(partition, code, &reason),
        }
    }

    fn take_record(&mut self, record: &Record<'_>) {
        if self.stop.is_some() {
            return;
        }
        let (offset, size) = (
            record.offset(),
            record.value().map_or(0, <[u8]>::len) as u64,
        );
        let Some(part) = self
            .parts
            .get_mut(&record.partition())
            .filter(|part| !part.closed)
        else {
            return;
        };
        // Records from before a seek may still be on their way; records behind the window are none of ours.
        if offset < part.progress.position() || part.progress.pass_is_over() {
            return;
        }
        let end = part.progress.end();
        part.counters.empty_offsets += part.progress.move_to(offset.min(end));
        if offset >= end {
            return;
        }
        let first = part.progress.is_first_visit();
        // What an earlier run has read does not count: else a route that is down would fill the window for good. And a
        // window has room for one record at least, however large.
        let fresh = first && !part.progress.was_scanned_before(offset);
        let is_full = |limit| self.intake.bytes > 0 && self.intake.bytes + size > limit;
        if fresh && self.rules.bytes.is_some_and(is_full) {
            self.end_window();
            return;
        }
        let already_completed = part.counters.already_completed;
        let verdict = self.judge(record);
        let handled = match verdict {
            Verdict::Skip => {
                self.pass_over(record, first);
                true
            }
            Verdict::Deliver(route) => self.deal_with(record, route, first, None),
            Verdict::Stop(reason) => {
                self.stop = Some(Stop::Unmatched(reason));
                false
            }
            Verdict::SetAside(cause, reason) => {
                let aside = self.routes.len();
                self.deal_with(record, aside, first, Some((cause, reason)))
            }
        };
        // A record that was not handled ends the reading: it and all behind it stay unread.
        if handled && let Some(part) = self.parts.get_mut(&record.partition()) {
            part.progress.step();
            self.seen += u64::from(first && part.counters.already_completed == already_completed);
            self.intake.bytes += if fresh { size } else { 0 };
        }
    }

    /// Decodes and routes.
    fn judge(&mut self, record: &Record<'_>) -> Verdict {
        let Some(value) = record.value() else {
            return if self.rules.tombstones_are_dead_letters {
                Verdict::SetAside(Cause::Tombstone, "the record has no value".to_owned())
            } else {
                Verdict::Skip
            };
        };
        if let Err(error) = self.check_schema(record) {
            return Verdict::SetAside(Cause::UnknownSchema, error.to_string());
        }
        match self.tools.routes.decide(value, &mut self.intake.scratch) {
            Ok(Some(route)) => Verdict::Deliver(route),
            Ok(None) => match self.rules.unmatched {
                Unmatched::DeadLetter => {
                    Verdict::SetAside(Cause::Unmatched, "no route matches".to_owned())
                }
                Unmatched::Skip => Verdict::Skip,
                Unmatched::Stop => Verdict::Stop(format!(
                    "no route matches {} (UNMATCHED=stop)",
                    self.coordinates(record)
                )),
            },
            Err(Undecided::Undecodable(fault)) => {
                Verdict::SetAside(Cause::Undecodable, fault.to_string())
            }
            Err(error @ Undecided::Evaluation { .. }) => {
                Verdict::SetAside(Cause::Unroutable, error.to_string())
            }
        }
    }

    /// Checks that no header names another schema than the configured one. A record without the header is decoded with
    /// that.
    fn check_schema(&self, record: &Record<'_>) -> Result<(), UnknownSchema> {
        let expected = self.tools.routes.schema_fingerprint();
        let mut checked = Ok(());
        record.each_header(|name, value| {
            if name.to_bytes() == FINGERPRINT_HEADER.as_bytes() && checked.is_ok() {
                checked = UnknownSchema::check(value, expected);
            }
        });
        checked
    }

    fn pass_over(&mut self, record: &Record<'_>, first: bool) {
        if let Some(part) = self.parts.get_mut(&record.partition()).filter(|_| first) {
            if part.progress.was_scanned_before(record.offset()) {
                part.counters.already_completed += 1;
            } else {
                part.counters.skipped += 1;
            }
        }
    }

    /// A record that somebody must deal with: `letter` is its reason to be a dead letter, else it is delivered.
    /// False if it was not taken, because the run is to stop.
    fn deal_with(
        &mut self,
        record: &Record<'_>,
        class: Class,
        first: bool,
        letter: Option<(Cause, String)>,
    ) -> bool {
        let (partition, offset) = (record.partition(), record.offset());
        let Some(part) = self.parts.get_mut(&partition) else {
            return false;
        };
        let state = part.progress.state_of(class, offset);
        if first {
            match state {
                RecordState::Completed => part.counters.already_completed += 1,
                RecordState::Due | RecordState::Deferred => self.meet(partition, class, 1),
            }
        }
        let handed = match state {
            _ if self.parts[&partition].progress.is_skipped(class) => Handed::Skipped,
            RecordState::Completed => Handed::Completed,
            RecordState::Deferred => Handed::Deferred,
            RecordState::Due => {
                let message = self.message(record, class);
                match letter {
                    Some((cause, reason)) if self.has_room_for_a_letter(partition) => self
                        .set_aside_unrouted(DeadLetter {
                            message,
                            class,
                            cause,
                            reason,
                            route: None,
                        }),
                    Some(_) => Handed::Refused,
                    None => self.hand_on(class, message),
                }
            }
        };
        let Some(part) = self.parts.get_mut(&partition) else {
            return false;
        };
        match handed {
            Handed::Expected => part.progress.expect(class, offset),
            Handed::Completed => part.progress.note(class, offset, true),
            Handed::Deferred => part.progress.note(class, offset, false),
            Handed::Skipped => part.progress.skip(class, offset),
            Handed::Refused => {
                if first {
                    self.meet(partition, class, -1);
                }
                return false;
            }
        }
        true
    }

    /// Counts a record that somebody must deal with.
    fn meet(&mut self, partition: i32, class: Class, count: i64) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.counters.open += count;
        }
        if let Some(route) = self.routes.get_mut(class) {
            route.matched += count;
            route.open += count;
        }
    }

    /// Offers the message to its route until it is taken. A route that keeps the others waiting is skipped.
    fn hand_on(&mut self, route: usize, mut message: Message) -> Handed {
        if self.tools.delivery.is_none() {
            return Handed::Deferred;
        }
        let partition = message.at.partition;
        let mut idle_since: Option<Instant> = None;
        loop {
            let Some(delivery) = &self.tools.delivery else {
                return Handed::Deferred;
            };
            if delivery.is_deferred(route) {
                return Handed::Deferred;
            }
            if self.intake.lagging[route] {
                return Handed::Skipped;
            }
            if self.letters_waiting.is_empty() {
                match delivery.offer(route, message) {
                    Ok(()) => return Handed::Expected,
                    Err(back) => message = back,
                }
            }
            if self.others_are_idle(route) {
                let since = *idle_since.get_or_insert_with(Instant::now);
                self.intake.lagging[route] = since.elapsed() > PATIENCE;
            } else {
                idle_since = None;
            }
            self.wait_for_outcomes(Duration::from_millis(5));
            self.keep();
            if self.must_stop() || self.parts.get(&partition).is_none_or(|part| part.closed) {
                return Handed::Refused;
            }
        }
    }

    /// True when another route has nothing to do, which this one keeps from getting more.
    fn others_are_idle(&self, route: usize) -> bool {
        let Some(delivery) = &self.tools.delivery else {
            return false;
        };
        (0..self.routes.len()).any(|other| {
            other != route
                && !self.intake.lagging[other]
                && delivery.buffered(other) == 0
                && matches!(delivery.state(other), RouteState::Open)
        })
    }

    /// Waits until a kill would not repeat too many dead letters, and the producer has room for one more. False if the
    /// record is no longer to be dealt with.
    fn has_room_for_a_letter(&mut self, partition: i32) -> bool {
        while self.letters_uncommitted >= self.rules.max_uncommitted
            || !self.letters_waiting.is_empty()
        {
            self.wait_for_outcomes(Duration::from_millis(2));
            self.keep();
            if self.must_stop() || self.parts.get(&partition).is_none_or(|part| part.closed) {
                return false;
            }
        }
        true
    }

    fn take_end(&mut self, partition: i32, offset: i64) {
        if self.stop.is_some() {
            return;
        }
        // An end below the window's end is a leader that has not caught up yet: the rest will come.
        if let Some(part) = self
            .parts
            .get_mut(&partition)
            .filter(|part| !part.is_read())
            && offset >= part.progress.end()
        {
            part.counters.empty_offsets += part.progress.move_to(part.progress.end());
        }
    }

    fn take_failure(&mut self, partition: i32, code: RDKafkaErrorCode, reason: &str) {
        let Some(position) = self
            .parts
            .get(&partition)
            .filter(|part| !part.is_read())
            .map(|part| part.progress.position())
        else {
            return;
        };
        let at = format!("{}/{partition}@{position}", self.tools.topic);
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.stop = Some(Stop::DataLoss(format!(
                    "reading {at}: {reason}: the log no longer holds this offset"
                )));
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicId
            | RDKafkaErrorCode::TopicAuthorizationFailed => {
                self.stop = Some(Stop::Source(format!("reading {at}: {reason}")));
            }
            // Everything else passes, or the log stays silent, which ends the run in its own time.
            _ => tracing::warn!(partition, offset = position, reason, "reading {at}"),
        }
    }

    /// The bound on bytes is reached: every partition's window ends where it is.
    fn end_window(&mut self) {
        for part in self.parts.values_mut().filter(|part| !part.closed) {
            part.progress.end_here();
        }
        self.bounded = true;
    }

    fn coordinates(&self, record: &Record<'_>) -> Coordinates {
        Coordinates {
            topic: Arc::clone(&self.tools.topic),
            partition: record.partition(),
            offset: record.offset(),
        }
    }

    fn message(&mut self, record: &Record<'_>, class: Class) -> Message {
        let headers = record.headers();
        let client_key = headers
            .iter()
            .find(|(name, _)| name == idempotency::HEADER)
            .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
            // Another key could not be passed on as it is.
            .filter(|key| idempotency::is_key(key.as_bytes()))
            .map(Arc::from);
        Message {
            at: self.coordinates(record),
            key: record.key().map(|key| self.intake.copy(class, key)),
            value: record.value().map(|value| self.intake.copy(class, value)),
            headers,
            timestamp: record.timestamp(),
            client_key,
        }
    }
}

/// How a record was handed on.
pub(super) enum Handed {
    /// Its outcome will come.
    Expected,
    /// It is settled already.
    Completed,
    /// It stays for the next run.
    Deferred,
    /// Its route is skipped in this pass.
    Skipped,
    /// It was not taken, because the run is to stop.
    Refused,
}
