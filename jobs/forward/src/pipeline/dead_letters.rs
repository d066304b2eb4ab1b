//! Dead letters between the pipeline and the producer: the threshold, the bound on uncommitted ones, and the queue for a
//! producer that is full.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use offsets::progress::Class;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use runtime::log_limit::LogLimiter;

use super::config::PipelineConfig;
use super::routed_record::{Placement, RoutedRecord};
use super::shutdown::StopReason;
use crate::dead_letter::{
    DeadLetter, DeadLetterProducer, DeadLetterSummary, ProduceError, ProduceResult,
};

/// How long the last acknowledgements may take, however short the shutdown timeout is.
const MIN_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The dead letters of a run.
pub(super) struct DeadLetterQueue {
    topic: Arc<str>,
    /// Absent in a dry run.
    producer: Option<DeadLetterProducer>,
    acknowledgements: Receiver<ProduceResult>,
    /// The acknowledgements of a dry run, which writes nothing: its counts are those of a run.
    dry_run_acknowledgements: VecDeque<ProduceResult>,
    summary: DeadLetterSummary,
    /// Dead letters that the producer has no room for. While there are any, no record is handed on.
    waiting: VecDeque<DeadLetter>,
    max_ratio: f64,
    min_count: u64,
    max_uncommitted: usize,
    /// Dead letters of records without a route that are sent and not committed.
    uncommitted: usize,
    sent: u64,
    failed: u64,
    /// Limits the log lines of a topic full of dead letters.
    log_limiter: LogLimiter<&'static str>,
    /// Failures that the report names, not yet taken.
    notes: Vec<String>,
}

/// What became of a dead letter.
pub(super) enum Sent {
    /// Its acknowledgement follows.
    InFlight,
    /// It cannot be written. The record stays for the next run.
    Deferred,
    /// It was not sent: the run has too many.
    ThresholdReached(StopReason),
}

impl DeadLetterQueue {
    pub(super) fn new(
        topic: Arc<str>,
        producer: Option<DeadLetterProducer>,
        acknowledgements: Receiver<ProduceResult>,
        config: &PipelineConfig,
    ) -> Self {
        Self {
            topic,
            producer,
            acknowledgements,
            dry_run_acknowledgements: VecDeque::new(),
            summary: DeadLetterSummary::default(),
            waiting: VecDeque::new(),
            max_ratio: config.dead_letter_max_ratio,
            min_count: config.dead_letter_min_count,
            max_uncommitted: config.max_uncommitted_dead_letters,
            uncommitted: 0,
            sent: 0,
            failed: 0,
            log_limiter: LogLimiter::new(5, Duration::from_secs(10)),
            notes: Vec::new(),
        }
    }

    /// True while the producer has no room.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Dead letters that the broker did not acknowledge.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }

    /// The dead letters by cause, with samples.
    pub(super) fn summary(&self) -> &DeadLetterSummary {
        &self.summary
    }

    /// Sends a record that has no route. `records`: how many records the run has read.
    pub(super) fn place(&mut self, record: RoutedRecord, records: u64) -> Placement {
        if self.uncommitted >= self.max_uncommitted || self.is_full() {
            return Placement::Full(Box::new(record));
        }
        let Some((cause, reason)) = record.dead_letter else {
            return Placement::Deferred;
        };
        let letter = DeadLetter {
            message: record.message,
            class: record.class,
            cause,
            reason,
            route: None,
        };
        match self.send(letter, records) {
            Sent::InFlight => {
                self.uncommitted += 1;
                Placement::InFlight
            }
            Sent::Deferred => Placement::Deferred,
            Sent::ThresholdReached(reason) => Placement::Stopped(reason),
        }
    }

    /// Sends a dead letter, unless it exceeds the threshold. While the producer is full, the letter waits.
    pub(super) fn send(&mut self, letter: DeadLetter, records: u64) -> Sent {
        let (sent, records) = (self.sent + 1, records + 1);
        if sent > self.min_count && sent as f64 > self.max_ratio * records as f64 {
            return Sent::ThresholdReached(StopReason::DeadLetterThreshold(format!(
                "{sent} of {records} records are dead letters, more than DEAD_LETTER_MAX_RATIO={}",
                self.max_ratio
            )));
        }
        self.summary.add(&letter);
        if self.is_full() {
            self.waiting.push_back(letter);
        } else if !self.write(letter) {
            return Sent::Deferred;
        }
        self.sent = sent;
        Sent::InFlight
    }

    /// Sends the waiting letters while the producer has room. Returns those that cannot be written: their records stay
    /// for the next run, as do those of a partition that is not `is_assigned` any more.
    pub(super) fn send_waiting(
        &mut self,
        is_assigned: impl Fn(i32) -> bool,
    ) -> Vec<(i32, Class, i64)> {
        let mut deferred = Vec::new();
        while let Some(letter) = self.waiting.pop_front() {
            let at = &letter.message.at;
            let (partition, class, offset) = (at.partition, letter.class, at.offset);
            let waiting = self.waiting.len();
            if !is_assigned(partition) || !self.write(letter) {
                deferred.push((partition, class, offset));
            } else if self.waiting.len() > waiting {
                // The producer is still full, and the letter is the last now: dead letters keep no order.
                break;
            }
        }
        deferred
    }

    /// Hands a letter to the producer, or queues it if the producer is full. False if it cannot be written.
    fn write(&mut self, letter: DeadLetter) -> bool {
        let (at, cause) = (&letter.message.at, letter.cause.name());
        let Some(producer) = &mut self.producer else {
            if let Some(not_logged) = self.log_limiter.admit(cause, Instant::now()) {
                tracing::warn!(
                    topic = %at.topic,
                    partition = at.partition,
                    offset = at.offset,
                    cause,
                    reason = letter.reason,
                    not_logged,
                    "a dead letter is not written in a dry run"
                );
            }
            self.dry_run_acknowledgements.push_back(ProduceResult {
                partition: at.partition,
                offset: at.offset,
                class: letter.class,
                size: 0,
                result: Ok(()),
            });
            return true;
        };
        match producer.send(&letter) {
            Ok(()) => {
                if let Some(not_logged) = self.log_limiter.admit(cause, Instant::now()) {
                    tracing::warn!(
                        topic = %at.topic,
                        partition = at.partition,
                        offset = at.offset,
                        cause,
                        reason = letter.reason,
                        not_logged,
                        "dead-lettered a record"
                    );
                }
                true
            }
            Err(unsent)
                if unsent.error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                self.waiting.push_back(letter);
                true
            }
            Err(ProduceError { error, size }) => {
                self.on_failure(at.partition, at.offset, size, &error);
                false
            }
        }
    }

    /// Logs a dead letter that the broker did not acknowledge. Its record stays, and the commit stays before it.
    pub(super) fn on_failure(
        &mut self,
        partition: i32,
        offset: i64,
        size: usize,
        error: &KafkaError,
    ) {
        /// The notes of the first ones are enough to see the cause.
        const MAX_NOTES: u64 = 3;
        self.failed += 1;
        let at = format!("{}/{partition}@{offset}", self.topic);
        let is_too_large =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
        let message = match &mut self.producer {
            Some(producer) if is_too_large => producer.too_large(&at, size),
            _ => format!("the dead letter of {at} was not acknowledged, its record stays: {error}"),
        };
        tracing::error!(topic = %self.topic, partition, offset, "{message}");
        if is_too_large && self.failed <= MAX_NOTES {
            self.notes.push(message);
        }
    }

    /// The notes since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// So many dead letters of records without a route are committed.
    pub(super) fn on_committed(&mut self, count: usize) {
        self.uncommitted = self.uncommitted.saturating_sub(count);
    }

    /// The next acknowledgement, if there is one.
    pub(super) fn next_acknowledgement(&mut self) -> Option<ProduceResult> {
        let dry_run = self.dry_run_acknowledgements.pop_front();
        dry_run.or_else(|| self.acknowledgements.try_recv().ok())
    }

    /// Waits for the acknowledgements of all letters that were sent.
    pub(super) fn flush(&self, timeout: Duration) {
        if let Some(producer) = &self.producer {
            producer.flush(timeout.max(MIN_FLUSH_TIMEOUT));
        }
    }

    /// Logs how many log lines were suppressed.
    pub(super) fn log_suppressed(&mut self) {
        for (cause, count) in self.log_limiter.take_suppressed() {
            let cause = cause.unwrap_or("other");
            tracing::warn!(
                cause,
                count,
                "dead-lettered more records of the same cause; their log lines were suppressed"
            );
        }
    }
}
