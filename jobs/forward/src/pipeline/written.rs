//! The steps for dead letters and answers: what their acknowledgements complete.

use super::{Pipeline, WrittenAnswers};
use crate::answer::{AnswerOutcome, AnswerRecord};
use crate::producer::Origin;
use crate::writer::{Outgoing, WriteResult, Written};

impl Pipeline<'_> {
    /// Writes the answer to a record, which is completed when the answer is acknowledged.
    pub(super) fn write_answer(&mut self, answer: AnswerRecord) {
        let origin = answer.origin();
        if !self.writes.push(Outgoing::Answer(answer)) {
            self.commits.on_answered(origin.class);
            self.partitions
                .defer(origin.partition, origin.class, origin.offset);
        }
    }

    /// The broker has acknowledged a dead letter or an answer, or has not.
    pub(super) fn on_written(&mut self, result: WriteResult) {
        let WriteResult {
            origin,
            written,
            size,
            result,
        } = result;
        let Origin {
            partition,
            offset,
            class,
        } = origin;
        if let Err(error) = result {
            self.commits.on_answered(class);
            self.writes
                .on_failure(origin, written.target(), size, &error);
            return self.partitions.defer(partition, class, offset);
        }
        let outcome = match written {
            Written::DeadLetter {
                answer: Some(answer),
            } => return self.write_answer(*answer),
            Written::DeadLetter { answer: None } => {
                self.commits.on_answered(class);
                return self.partitions.on_dead_lettered(partition, class, offset);
            }
            Written::Republished => {
                self.commits.on_answered(class);
                return self.partitions.on_delivered(partition, class, offset);
            }
            Written::Answer(outcome) => outcome,
        };
        self.commits.on_answered(class);
        let mut none = WrittenAnswers::default();
        let answers = self.answers.get_mut(class).unwrap_or(&mut none);
        match outcome {
            AnswerOutcome::Delivered => {
                answers.success += 1;
                self.partitions.on_delivered(partition, class, offset);
            }
            AnswerOutcome::DeadLettered(_) => {
                answers.error += 1;
                self.partitions.on_dead_lettered(partition, class, offset);
            }
        }
    }
}
