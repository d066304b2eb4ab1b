//! The records that the pipeline writes to Kafka: the queue for a producer that is full, and the results.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use runtime::log_limit::LogLimiter;

use crate::dead_letter::DeadLetter;
use crate::producer::{Origin, ProduceError, ProduceResult};
use crate::writer::RecordWriter;

/// How long the last acknowledgements may take, however short the shutdown timeout is.
const MIN_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The records that a run writes.
pub(super) struct WriteQueue {
    topic: Arc<str>,
    /// Absent in a dry run.
    writer: Option<RecordWriter>,
    results: Receiver<ProduceResult>,
    /// The results of a dry run, which writes nothing: its counts are those of a run.
    dry_run_results: VecDeque<ProduceResult>,
    /// Records that the producer has no room for, in order. While there are any, no record is handed on.
    waiting: VecDeque<DeadLetter>,
    failed: u64,
    /// Limits the log lines of a topic full of dead letters.
    log_limiter: LogLimiter<&'static str>,
    /// Failures that the report names, not yet taken.
    notes: Vec<String>,
}

/// What the producer did with a record.
enum Accepted {
    /// Its result follows.
    Sent,
    /// There is no room for it.
    Full,
    /// It cannot be written.
    Failed,
}

impl WriteQueue {
    pub(super) fn new(
        topic: Arc<str>,
        writer: Option<RecordWriter>,
        results: Receiver<ProduceResult>,
    ) -> Self {
        Self {
            topic,
            writer,
            results,
            dry_run_results: VecDeque::new(),
            waiting: VecDeque::new(),
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

    /// Writes a record, or queues it while the producer is full. False if it cannot be written.
    pub(super) fn push(&mut self, letter: DeadLetter) -> bool {
        let accepted = match self.is_full() {
            true => Accepted::Full,
            false => self.send(&letter),
        };
        if matches!(accepted, Accepted::Full) {
            self.waiting.push_back(letter);
        }
        !matches!(accepted, Accepted::Failed)
    }

    /// Sends the waiting records while the producer has room. Returns those that cannot be written: the records that they
    /// are about stay for the next run, as do those of a partition that is not `is_assigned` any more.
    pub(super) fn send_waiting(&mut self, is_assigned: impl Fn(i32) -> bool) -> Vec<Origin> {
        let mut deferred = Vec::new();
        while let Some(letter) = self.waiting.pop_front() {
            let origin = letter.origin();
            if !is_assigned(origin.partition) {
                deferred.push(origin);
                continue;
            }
            match self.send(&letter) {
                Accepted::Sent => {}
                Accepted::Full => {
                    self.waiting.push_front(letter);
                    break;
                }
                Accepted::Failed => deferred.push(origin),
            }
        }
        deferred
    }

    fn send(&mut self, letter: &DeadLetter) -> Accepted {
        let origin = letter.origin();
        let Some(writer) = &mut self.writer else {
            self.log(letter, "a dead letter is not written in a dry run");
            self.dry_run_results.push_back(ProduceResult {
                origin,
                size: 0,
                result: Ok(()),
            });
            return Accepted::Sent;
        };
        match writer.send_dead_letter(letter) {
            Ok(()) => {
                self.log(letter, "dead-lettered a record");
                Accepted::Sent
            }
            Err(unsent)
                if unsent.error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                Accepted::Full
            }
            Err(ProduceError { error, size }) => {
                self.on_failure(origin, size, &error);
                Accepted::Failed
            }
        }
    }

    fn log(&mut self, letter: &DeadLetter, message: &str) {
        let (at, cause) = (&letter.message.at, letter.cause.name());
        if let Some(not_logged) = self.log_limiter.admit(cause, Instant::now()) {
            tracing::warn!(
                topic = %at.topic,
                partition = at.partition,
                offset = at.offset,
                cause,
                reason = letter.reason,
                not_logged,
                "{message}"
            );
        }
    }

    /// Logs a record that the broker did not acknowledge. The commit stays before the record that it is about.
    pub(super) fn on_failure(&mut self, origin: Origin, size: usize, error: &KafkaError) {
        /// The notes of the first ones are enough to see the cause.
        const MAX_NOTES: u64 = 3;
        self.failed += 1;
        let (partition, offset) = (origin.partition, origin.offset);
        let at = format!("{}/{partition}@{offset}", self.topic);
        let is_too_large =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
        let message = match &mut self.writer {
            Some(writer) if is_too_large => writer.too_large(&at, size),
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

    /// The next result, if there is one.
    pub(super) fn next_result(&mut self) -> Option<ProduceResult> {
        let dry_run = self.dry_run_results.pop_front();
        dry_run.or_else(|| self.results.try_recv().ok())
    }

    /// Waits for the acknowledgements of all records that were sent.
    pub(super) fn flush(&self, timeout: Duration) {
        if let Some(writer) = &self.writer {
            writer.flush(timeout.max(MIN_FLUSH_TIMEOUT));
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
