//! The records that the pipeline writes to Kafka: the queue for a producer that is full, and the results.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use offsets::progress::Class;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use runtime::log_limit::LogLimiter;

use crate::producer::{Origin, ProduceError, ProduceResult};
use crate::writer::{Outgoing, RecordWriter, Target, WriteResult, Written};

/// How long the last acknowledgements may take, however short the shutdown timeout is.
const MIN_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The most answers that are too large for their topic before the run ends: each run would deliver their records again.
const MAX_TOO_LARGE: u64 = 10;

/// The records that a run writes.
pub(super) struct WriteQueue {
    topic: Arc<str>,
    /// Absent in a dry run.
    writer: Option<RecordWriter>,
    results: Receiver<WriteResult>,
    /// The results of a dry run, which writes nothing: its counts are those of a run.
    dry_run_results: VecDeque<WriteResult>,
    /// Records that the producer has no room for, in order. While there are any, no record is handed on.
    waiting: VecDeque<Outgoing>,
    failed_dead_letters: u64,
    failed_answers: u64,
    /// Why no further answer can be written, not yet taken.
    failure: Option<String>,
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
        results: Receiver<WriteResult>,
    ) -> Self {
        Self {
            topic,
            writer,
            results,
            dry_run_results: VecDeque::new(),
            waiting: VecDeque::new(),
            failed_dead_letters: 0,
            failed_answers: 0,
            failure: None,
            log_limiter: LogLimiter::new(5, Duration::from_secs(10)),
            notes: Vec::new(),
        }
    }

    /// True while the producer has no room.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// True if nothing is written.
    pub(super) fn is_dry_run(&self) -> bool {
        self.writer.is_none()
    }

    /// Dead letters that the broker did not acknowledge.
    pub(super) fn failed_dead_letters(&self) -> u64 {
        self.failed_dead_letters
    }

    /// Answers that the broker did not acknowledge.
    pub(super) fn failed_answers(&self) -> u64 {
        self.failed_answers
    }

    /// The topic of a route's answers; `None` if they are not written.
    pub(super) fn answer_topic(&self, class: Class, target: Target) -> Option<Arc<str>> {
        self.writer.as_ref()?.answer_topic(class, target)
    }

    /// Writes a record, or queues it while the producer is full. False if it cannot be written.
    pub(super) fn push(&mut self, record: Outgoing) -> bool {
        let accepted = match self.is_full() {
            true => Accepted::Full,
            false => self.send(&record),
        };
        if matches!(accepted, Accepted::Full) {
            self.waiting.push_back(record);
        }
        !matches!(accepted, Accepted::Failed)
    }

    /// Sends the waiting records while the producer has room. Returns those that cannot be written: the records that they
    /// are about stay for the next run, as do those of a partition that is not `is_assigned` any more.
    pub(super) fn send_waiting(&mut self, is_assigned: impl Fn(i32) -> bool) -> Vec<Origin> {
        let mut deferred = Vec::new();
        while let Some(record) = self.waiting.pop_front() {
            let origin = record.origin();
            if !is_assigned(origin.partition) {
                deferred.push(origin);
                continue;
            }
            match self.send(&record) {
                Accepted::Sent => {}
                Accepted::Full => {
                    self.waiting.push_front(record);
                    break;
                }
                Accepted::Failed => deferred.push(origin),
            }
        }
        deferred
    }

    fn send(&mut self, record: &Outgoing) -> Accepted {
        let origin = record.origin();
        let Some(writer) = &mut self.writer else {
            self.log(record, "a dead letter is not written in a dry run");
            self.dry_run_results.push_back(ProduceResult {
                origin,
                written: Written::DeadLetter { answer: None },
                size: 0,
                result: Ok(()),
            });
            return Accepted::Sent;
        };
        match writer.send(record) {
            Ok(()) => {
                self.log(record, "dead-lettered a record");
                Accepted::Sent
            }
            Err(unsent)
                if unsent.error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                Accepted::Full
            }
            Err(ProduceError { error, size }) => {
                self.on_failure(origin, record.target(), size, &error);
                Accepted::Failed
            }
        }
    }

    fn log(&mut self, record: &Outgoing, message: &str) {
        let Outgoing::DeadLetter(letter) = record else {
            return;
        };
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
    ///
    /// If it is an answer, no further record should be delivered: its endpoint would receive it again in the next run. One
    /// answer that is too large does not show that others cannot be written; [`MAX_TOO_LARGE`] do.
    pub(super) fn on_failure(
        &mut self,
        origin: Origin,
        target: Target,
        size: usize,
        error: &KafkaError,
    ) {
        /// The first ones are enough to see the cause.
        const MAX_NAMED: u64 = 3;
        let (what, failed) = match target {
            Target::DeadLetters => ("the dead letter of", &mut self.failed_dead_letters),
            Target::Success | Target::Error => ("the answer to", &mut self.failed_answers),
        };
        *failed += 1;
        let is_first = *failed <= MAX_NAMED;
        let (partition, offset) = (origin.partition, origin.offset);
        let at = format!("{}/{partition}@{offset}", self.topic);
        let is_too_large =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
        let message = match &mut self.writer {
            Some(writer) if is_too_large => writer.too_large(target, origin.class, &at, size),
            _ => format!("{what} {at} was not acknowledged, its record stays: {error}"),
        };
        // A failed answer ends the run: hundreds may be in flight then, and the report counts them.
        if is_first || target == Target::DeadLetters {
            tracing::error!(topic = %self.topic, partition, offset, "{message}");
        }
        if is_too_large && is_first {
            self.notes.push(message.clone());
        }
        let is_fatal = !is_too_large || self.failed_answers > MAX_TOO_LARGE;
        if is_fatal && target != Target::DeadLetters {
            self.failure.get_or_insert(message);
        }
    }

    /// Why no further record should be delivered, since the last call.
    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// The notes since the last call.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The next result, if there is one.
    pub(super) fn next_result(&mut self) -> Option<WriteResult> {
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
