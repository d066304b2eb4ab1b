//! The steps for records, completions, acknowledgements and commits.

use std::time::{Instant, SystemTime};

use delivery::{Completion, DeliveryOutcome, RecordAnswer};
use kafka::batch::{Item, Record};
use kafka::commit::CommitEvent;
use kafka::error_codes::remedy;
use kafka::member::CommitError;
use rdkafka::error::RDKafkaErrorCode;
use record::Message;
use schema_registry::RegistryError;

use super::Pipeline;
use super::commits::Released;
use super::dead_letters::Sent;
use super::event::Event;
use super::give_up::{self, UnacceptedRecord, age};
use super::partition::Disposition;
use super::partitions::Admission;
use super::preview::schema_headers;
use super::routed_record::{Placement, RoutedRecord};
use super::router::Decision;
use super::shutdown::StopReason;
use super::source::Source;
use crate::answer::{AnswerOutcome, AnswerRecord};
use crate::dead_letter::{Cause, DeadLetter};
use crate::schema_fetcher::SchemaAnswer;
use crate::writer::Target;

impl<'r> Pipeline<'r> {
    /// Reacts to one event. All state of the pipeline changes here.
    pub(super) fn step(&mut self, event: Event<'r>) {
        match event {
            Event::Fetched(Item::Record(record)) => self.on_record(record),
            Event::Fetched(Item::End { partition, offset }) => self.on_end(partition, offset),
            Event::Fetched(Item::Failed {
                partition,
                code,
                reason,
            }) => self.on_read_failure(partition, code, &reason),
            Event::Completed(completions) => {
                for completion in completions {
                    self.on_completion(completion);
                }
                self.place_parked();
            }
            Event::Written(written) => {
                self.on_written(written);
                self.place_parked();
            }
            Event::Commit(event) => {
                self.on_commit(event);
                self.place_parked();
            }
            Event::Schema(answer) => self.on_schema(answer),
            Event::Group(event) => self.on_group(event),
            Event::Tick(now) => self.on_tick(now),
        }
    }

    /// A fetched record: counted, routed, and handed on.
    #[inline]
    fn on_record(&mut self, record: Record<'r>) {
        if !self.shutdown.is_reading() {
            return;
        }
        let (partition, offset) = (record.partition(), record.offset());
        let size = record.value().map_or(0, <[u8]>::len);
        let letter = self.letters.map(|letters| {
            let message = self.source.copy(&record);
            letters.original(message)
        });
        let decision = match &letter {
            None => {
                let headers = Source::schema_headers(&record);
                self.router.decide(record.value(), &headers)
            }
            Some(None) => Decision::Skip,
            Some(Some(_)) if self.is_to_topic() => Decision::Deliver(0),
            Some(Some(message)) => {
                let headers = schema_headers(&message.headers);
                self.router.decide(message.value.as_deref(), &headers)
            }
        };
        if let Decision::MissingSchema(reference) = decision
            && self.partitions.is_due(partition, offset)
        {
            self.schema_requests.request(reference, partition);
            return self.source.hold(partition, Item::Record(record));
        }
        let visit = match self.partitions.admit(partition, offset, size) {
            Admission::Next(visit) => visit,
            Admission::Ignored => return self.stop_fetching_if_read(partition),
            Admission::WindowFull => return self.end_window(),
        };
        let (class, dead_letter) = match decision {
            Decision::Skip => {
                self.partitions.skip(partition, offset, visit);
                return self.stop_fetching_if_read(partition);
            }
            Decision::Deliver(route) => (route, None),
            Decision::DeadLetter(cause, reason) => {
                let class = match cause {
                    Cause::UnknownSchema if self.router.has_registry() => {
                        self.partitions.class_of_unknown(partition, offset)
                    }
                    _ => self.partitions.unrouted(),
                };
                (class, Some((cause, reason)))
            }
            Decision::Stop => {
                let at = self.source.coordinates(partition, offset);
                let reason = format!("no route matches {at} (UNMATCHED=stop)");
                return self.shutdown.request(StopReason::Unmatched(reason));
            }
            // A record that is due is held above.
            Decision::MissingSchema(_) => return,
        };
        if let Some(known) = self.partitions.known_disposition(partition, offset, class) {
            self.partitions
                .enter(partition, offset, class, visit, known);
            return self.stop_fetching_if_read(partition);
        }
        let datum = match &dead_letter {
            None if !self.is_to_topic() => self.router.datum(),
            _ => None,
        };
        let message = match letter.flatten() {
            None => self.source.message(&record, class, datum),
            Some(message) => self.source.with_datum(message, class, datum),
        };
        let is_kept = self.letters.is_some();
        if (is_kept || class != self.partitions.unrouted())
            && let Some((cause, reason)) = dead_letter
        {
            self.partitions
                .enter(partition, offset, class, visit, Disposition::InFlight);
            if class != self.partitions.unrouted() {
                self.deliveries.add_uncommitted(class);
            }
            self.reject(class, message, cause, reason, None);
            return self.stop_fetching_if_read(partition);
        }
        self.place(RoutedRecord {
            class,
            visit,
            message,
            dead_letter,
        });
    }

    /// The registry has answered, or is unavailable.
    fn on_schema(&mut self, answer: SchemaAnswer) {
        let reference = answer.reference;
        match answer.result {
            Ok(schema) => {
                let references: Vec<&str> = schema.references.iter().map(String::as_str).collect();
                let schemas = self.router.schemas_mut();
                if let Err(error) = schemas.add(reference, &schema.json, &references) {
                    tracing::warn!(%reference, %error, "a schema of the registry is not valid");
                }
            }
            Err(error @ (RegistryError::Unknown { .. } | RegistryError::Unusable { .. })) => {
                let schemas = self.router.schemas_mut();
                schemas.add_unknown(reference, error.to_string());
                self.schema_requests.on_unknown(Instant::now());
            }
            Err(error) => {
                self.shutdown.request(StopReason::Source(error.to_string()));
            }
        }
        for partition in self.schema_requests.on_answer(reference) {
            self.source.resume(partition);
        }
    }

    /// Hands a record on, or parks it if there is no room.
    fn place(&mut self, record: RoutedRecord) {
        let (partition, offset) = (record.message.at.partition, record.message.at.offset);
        let (class, visit) = (record.class, record.visit);
        let timestamp = record.message.timestamp;
        let placement = if record.dead_letter.is_some() {
            self.dead_letters
                .place(record, self.partitions.records(), &mut self.writes)
        } else if self.is_to_topic() {
            self.dead_letters.republish(record, &mut self.writes)
        } else {
            let in_flight = self.partitions.in_flight_of_route(partition, class);
            let is_blocked = self.writes.is_full();
            self.deliveries.place(record, in_flight, is_blocked)
        };
        let disposition = match placement {
            Placement::InFlight => Disposition::InFlight,
            Placement::Deferred => {
                self.partitions
                    .note_deferred(partition, class, offset, timestamp);
                Disposition::Deferred
            }
            Placement::RouteSkipped => Disposition::RouteSkipped,
            Placement::Full(record) => {
                self.source.pause(partition);
                return self.parked.push_back(record);
            }
            Placement::Stopped(reason) => return self.shutdown.request(reason),
        };
        self.partitions
            .enter(partition, offset, class, visit, disposition);
        self.source.resume(partition);
        self.stop_fetching_if_read(partition);
    }

    /// Offers each parked record once more.
    pub(super) fn place_parked(&mut self) {
        for _ in 0..self.parked.len() {
            if let Some(record) = self
                .parked
                .pop_front()
                .filter(|_| self.shutdown.is_reading())
            {
                self.place(*record);
            }
        }
    }

    /// The partition has no record before `offset`.
    fn on_end(&mut self, partition: i32, offset: i64) {
        if self.shutdown.is_reading() {
            self.partitions.on_end(partition, offset);
            self.stop_fetching_if_read(partition);
        }
    }

    fn on_read_failure(&mut self, partition: i32, code: RDKafkaErrorCode, reason: &str) {
        let Some(state) = self
            .partitions
            .get(partition)
            .filter(|state| !state.is_read())
        else {
            return;
        };
        let offset = state.progress.position();
        let at = self.source.coordinates(partition, offset);
        match code {
            RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => {
                self.shutdown.request(StopReason::DataLoss(format!(
                    "reading {at}: {reason}: the log no longer holds this offset"
                )));
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicId
            | RDKafkaErrorCode::TopicAuthorizationFailed => {
                let remedy = remedy(code).map_or(String::new(), |remedy| format!("; {remedy}"));
                let reason = format!("reading {at}: {reason}{remedy}");
                self.shutdown.request(StopReason::Source(reason));
            }
            // The client retries. If the log stays silent, the silence timeout ends the run.
            _ => tracing::warn!(partition, offset, reason, "reading {at}"),
        }
    }

    /// The bound on bytes is reached.
    fn end_window(&mut self) {
        self.partitions.end_window();
        self.parked.clear();
        let partitions: Vec<i32> = self.partitions.iter().map(|(id, _)| id).collect();
        for partition in partitions {
            self.stop_fetching_if_read(partition);
        }
    }

    #[inline]
    fn stop_fetching_if_read(&mut self, partition: i32) {
        if let Some(state) = self.partitions.get_mut(partition)
            && state.is_fetched
            && state.progress.is_scan_complete()
        {
            state.is_fetched = false;
            self.source.stop_fetching(partition);
        }
    }

    /// A record comes back from delivery.
    fn on_completion(&mut self, completion: Completion) {
        let Completion {
            route,
            message,
            outcome,
            answer,
        } = completion;
        let (partition, offset) = (message.at.partition, message.at.offset);
        match outcome {
            DeliveryOutcome::Delivered(receipt) => {
                let attempts = receipt.attempts();
                tracing::debug!(partition, offset, route, attempts, "delivered a record");
                let topic = self.writes.answer_topic(route, Target::Success);
                let Some((topic, answer)) = topic.zip(answer) else {
                    self.commits.on_answered(route);
                    return self.partitions.on_delivered(partition, route, offset);
                };
                self.write_answer(AnswerRecord {
                    topic,
                    message,
                    class: route,
                    answer,
                    outcome: AnswerOutcome::Delivered,
                });
            }
            DeliveryOutcome::Deferred { reason, attempts } => {
                let timestamp = message.timestamp;
                if self.gives_up(route, &message, attempts) {
                    let reason = format!("not accepted within GIVE_UP_AFTER: {reason}");
                    self.deliveries.add_uncommitted(route);
                    return self.reject(route, message, Cause::Undeliverable, reason, answer);
                }
                tracing::debug!(partition, offset, route, reason, "deferred a record");
                self.partitions
                    .note_deferred(partition, route, offset, timestamp);
                self.partitions.defer(partition, route, offset);
            }
            DeliveryOutcome::Rejected { status, reason } => {
                let cause = match status {
                    Some(_) => Cause::Refused,
                    None => Cause::InvalidRequest,
                };
                self.reject(route, message, cause, reason, answer);
            }
        }
    }

    /// Sends a record to the dead-letter topic that its endpoint does not accept.
    fn reject(
        &mut self,
        route: usize,
        message: Message,
        cause: Cause,
        reason: String,
        answer: Option<RecordAnswer>,
    ) {
        if self.letters.is_some() {
            return self.keep_letter(route, message, cause, reason);
        }
        let (partition, offset) = (message.at.partition, message.at.offset);
        let letter = DeadLetter {
            message,
            class: route,
            cause,
            reason,
            route: self.router.name(route),
            answer,
        };
        let records = self.partitions.records();
        match self.dead_letters.send(letter, records, &mut self.writes) {
            Sent::InFlight => return,
            Sent::Deferred => {}
            Sent::ThresholdReached(reason) => self.shutdown.request(reason),
        }
        self.commits.on_answered(route);
        self.partitions.defer(partition, route, offset);
    }

    /// Whether a record that is not delivered in this run becomes a dead letter.
    fn gives_up(&self, route: usize, message: &Message, attempts: u32) -> bool {
        let (Some(timestamp), Some(state)) =
            (message.timestamp, self.partitions.get(message.at.partition))
        else {
            return false;
        };
        let record = UnacceptedRecord {
            age: age(timestamp, SystemTime::now()),
            attempts,
            is_deferred_before: state.progress.was_scanned_before(message.at.offset),
            are_others_accepted: self.partitions.has_delivered(route),
        };
        give_up::gives_up(self.give_up_after, &record)
    }

    /// A commit is acknowledged, or has failed.
    fn on_commit(&mut self, event: CommitEvent) {
        match self.commits.on_event(event, &mut self.partitions) {
            Ok(released) => self.release(&released),
            Err(CommitError::Fenced(error)) => {
                let reason = format!("committing: {error}");
                self.shutdown.request(StopReason::ConcurrentRun(reason));
            }
            // The group has changed. What is still assigned is part of the next commit.
            Err(error @ CommitError::Stale(_)) => {
                tracing::debug!(%error, "the next commit covers the progress");
            }
            Err(error) => {
                tracing::warn!(%error, "a commit failed; the next commit covers the progress");
                self.notes.push(error.to_string());
            }
        }
    }

    /// So many records of each class are committed: there is room for others.
    pub(super) fn release(&mut self, released: &Released) {
        if let Some((dead_letters, routes)) = released.split_last() {
            let republished = match self.is_to_topic() {
                true => routes.iter().sum(),
                false => 0,
            };
            self.dead_letters.on_committed(*dead_letters + republished);
            self.deliveries.on_committed(routes);
        }
    }
}
