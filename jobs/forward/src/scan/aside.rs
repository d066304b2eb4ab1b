//! Sets records aside: the dead letters of a scan, from the record to the topic's acknowledgement.

use std::time::Instant;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::dead_letter::{DeadLetter, Unsent, Written};
use crate::scan::intake::Handed;
use crate::scan::{Scan, Stop};

impl Scan<'_> {
    /// Sets aside a record that has no route.
    pub(super) fn set_aside_unrouted(&mut self, letter: DeadLetter) -> Handed {
        let handed = self.set_aside(letter);
        self.letters_uncommitted += usize::from(matches!(handed, Handed::Expected));
        handed
    }

    /// Hands a dead letter to its topic, unless that is the one too many. Where the producer has no room, the letter
    /// waits for it and the caller does not: its outcome comes later, as any.
    pub(super) fn set_aside(&mut self, letter: DeadLetter) -> Handed {
        let sent = self.dead_letters_sent + 1;
        if sent > self.rules.dead_letter_min_count
            && sent as f64 > self.rules.dead_letter_max_ratio * (self.seen + 1) as f64
        {
            self.stop = Some(Stop::DeadLetterThreshold(format!(
                "{sent} of {} records are dead letters, more than DEAD_LETTER_MAX_RATIO={}",
                self.seen + 1,
                self.rules.dead_letter_max_ratio
            )));
            return Handed::Refused;
        }
        let handed = if self.letters_waiting.is_empty() {
            self.write(letter)
        } else {
            self.letters_waiting.push_back(letter);
            Handed::Expected
        };
        if matches!(handed, Handed::Expected) {
            self.dead_letters_sent = sent;
        }
        handed
    }

    /// Gives the producer what waits, as far as it has room.
    pub(super) fn write_what_waits(&mut self) {
        while let Some(letter) = self.letters_waiting.pop_front() {
            let (partition, offset, class) = (
                letter.message.at.partition,
                letter.message.at.offset,
                letter.class,
            );
            let waiting = self.letters_waiting.len();
            // A partition that is no longer ours is dealt with elsewhere.
            let is_ours = (self.parts.get(&partition)).is_some_and(|part| !part.closed);
            if !is_ours || matches!(self.write(letter), Handed::Deferred) {
                self.keeping.exposure.add(class);
                self.defer(partition, class, offset);
            } else if self.letters_waiting.len() > waiting {
                // It is back, behind the others: no order is kept among dead letters.
                return;
            }
        }
    }

    fn write(&mut self, letter: DeadLetter) -> Handed {
        let (at, cause, reason) = (&letter.message.at, letter.cause.name(), &letter.reason);
        let Some(dead_letters) = &mut self.tools.dead_letters else {
            if let Some(not_logged) = self.repeats.admit(cause, Instant::now()) {
                tracing::warn!(
                    topic = %at.topic,
                    partition = at.partition,
                    offset = at.offset,
                    cause,
                    reason,
                    not_logged,
                    "not written in a dry run: the dead letter of {at}"
                );
            }
            return Handed::Deferred;
        };
        match dead_letters.send(&letter) {
            Ok(()) => {
                if let Some(not_logged) = self.repeats.admit(cause, Instant::now()) {
                    tracing::warn!(
                        topic = %at.topic,
                        partition = at.partition,
                        offset = at.offset,
                        cause,
                        reason,
                        not_logged,
                        "set aside {at}"
                    );
                }
                Handed::Expected
            }
            Err(unsent)
                if unsent.error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                self.letters_waiting.push_back(letter);
                Handed::Expected
            }
            Err(Unsent { error, size }) => {
                self.tell_of_failure(at.partition, at.offset, size, &error);
                Handed::Deferred
            }
        }
    }

    /// A record that could not be set aside stays, and holds the commit.
    fn tell_of_failure(&mut self, partition: i32, offset: i64, size: usize, error: &KafkaError) {
        self.dead_letters_failed += 1;
        let at = format!("{}/{partition}@{offset}", self.tools.topic);
        let is_too_large =
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge);
        let told = match &mut self.tools.dead_letters {
            Some(dead_letters) if is_too_large => dead_letters.too_large(&at, size),
            _ => format!("the dead letter of {at} was not acknowledged, its record stays: {error}"),
        };
        tracing::error!(topic = %self.tools.topic, partition, offset, "{told}");
        // The first few say it for all.
        if is_too_large && self.dead_letters_failed <= 3 {
            self.notes.push(told);
        }
    }

    /// What the dead-letter topic says of one letter.
    pub(super) fn take_written(&mut self, written: Written) {
        let Written {
            partition,
            offset,
            class,
            size,
            result,
        } = written;
        // Settled or left, it was with its endpoint, or on its way to the dead-letter topic.
        self.keeping.exposure.add(class);
        match result {
            Ok(()) => {
                if let Some(counters) = self.complete(partition, class, offset) {
                    counters.dead_lettered += 1;
                    if let Some(route) = self.routes.get_mut(class) {
                        route.dead_lettered += 1;
                    }
                }
            }
            Err(error) => {
                self.tell_of_failure(partition, offset, size, &error);
                self.defer(partition, class, offset);
            }
        }
    }
}
