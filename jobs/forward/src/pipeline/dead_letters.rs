//! The dead letters of a run: the threshold, the bound on uncommitted ones, and the summary.

use super::config::PipelineConfig;
use super::routed_record::{Placement, RoutedRecord};
use super::shutdown::StopReason;
use super::writes::WriteQueue;
use crate::dead_letter::{DeadLetter, DeadLetterSummary};
use crate::writer::Outgoing;

/// The dead letters of a run.
pub(super) struct DeadLetters {
    summary: DeadLetterSummary,
    max_ratio: f64,
    min_count: u64,
    max_uncommitted: usize,
    /// Dead letters of records without a route that are sent and not committed.
    uncommitted: usize,
    sent: u64,
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

impl DeadLetters {
    pub(super) fn new(config: &PipelineConfig) -> Self {
        Self {
            summary: DeadLetterSummary::default(),
            max_ratio: config.dead_letter_max_ratio,
            min_count: config.dead_letter_min_count,
            max_uncommitted: config.max_uncommitted_dead_letters,
            uncommitted: 0,
            sent: 0,
        }
    }

    /// The dead letters by cause, with samples.
    pub(super) fn summary(&self) -> &DeadLetterSummary {
        &self.summary
    }

    /// Sends a record that has no route. `records`: how many records the run has read.
    pub(super) fn place(
        &mut self,
        record: RoutedRecord,
        records: u64,
        writes: &mut WriteQueue,
    ) -> Placement {
        if self.uncommitted >= self.max_uncommitted || writes.is_full() {
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
            answer: None,
        };
        match self.send(letter, records, writes) {
            Sent::InFlight => {
                self.uncommitted += 1;
                Placement::InFlight
            }
            Sent::Deferred => Placement::Deferred,
            Sent::ThresholdReached(reason) => Placement::Stopped(reason),
        }
    }

    /// Sends a dead letter, unless it exceeds the threshold. While the producer is full, the letter waits.
    pub(super) fn send(
        &mut self,
        letter: DeadLetter,
        records: u64,
        writes: &mut WriteQueue,
    ) -> Sent {
        let (sent, records) = (self.sent + 1, records + 1);
        if sent > self.min_count && sent as f64 > self.max_ratio * records as f64 {
            return Sent::ThresholdReached(StopReason::DeadLetterThreshold(format!(
                "{sent} of {records} records are dead letters, more than DEAD_LETTER_MAX_RATIO={}",
                self.max_ratio
            )));
        }
        self.summary.add(&letter);
        if !writes.push(Outgoing::DeadLetter(letter)) {
            return Sent::Deferred;
        }
        self.sent = sent;
        Sent::InFlight
    }

    /// Writes the original record of a dead letter to a topic.
    pub(super) fn republish(&mut self, record: RoutedRecord, writes: &mut WriteQueue) -> Placement {
        if self.uncommitted >= self.max_uncommitted || writes.is_full() {
            return Placement::Full(Box::new(record));
        }
        let record = Outgoing::Republished(record.message, record.class);
        if writes.is_dry_run() || !writes.push(record) {
            return Placement::Deferred;
        }
        self.uncommitted += 1;
        Placement::InFlight
    }

    /// Counts a dead letter that is not written: it is one already.
    pub(super) fn keep(&mut self, letter: &DeadLetter) {
        self.summary.add(letter);
    }

    /// So many dead letters of records without a route are committed.
    pub(super) fn on_committed(&mut self, count: usize) {
        self.uncommitted = self.uncommitted.saturating_sub(count);
    }
}
