//! The dead letters of a run by cause, with samples, for the report. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::DeadLetter;

/// The maximum number of samples: enough to see what is wrong.
const MAX_SAMPLES: usize = 5;

/// The dead letters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterSummary {
    /// The number of dead letters of each cause, those included that the topic did not acknowledge.
    pub causes: BTreeMap<String, u64>,
    /// The first ones.
    pub samples: Vec<DeadLetterSample>,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterSample {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The cause.
    pub cause: String,
    /// The reason, in a sentence.
    pub reason: String,
}

impl DeadLetterSummary {
    /// Adds those of other records.
    pub(crate) fn extend(&mut self, other: Self) {
        for (cause, count) in other.causes {
            *self.causes.entry(cause).or_default() += count;
        }
        let room = MAX_SAMPLES.saturating_sub(self.samples.len());
        self.samples.extend(other.samples.into_iter().take(room));
    }

    /// Counts a dead letter.
    pub fn add(&mut self, letter: &DeadLetter) {
        let cause = letter.cause.name();
        match self.causes.get_mut(cause) {
            Some(count) => *count += 1,
            None => {
                self.causes.insert(cause.to_owned(), 1);
            }
        }
        if self.samples.len() < MAX_SAMPLES {
            self.samples.push(DeadLetterSample {
                partition: letter.message.at.partition,
                offset: letter.message.at.offset,
                cause: cause.to_owned(),
                reason: letter.reason.clone(),
            });
        }
    }
}
