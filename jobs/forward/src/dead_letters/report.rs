//! Dead letters as JSON. Pure.

use serde::Serialize;

use super::outcome::LettersOutcome;
pub use super::replayed::ReplayedTo;
use crate::dead_letter::{Family, StoredDeadLetter};
use crate::explain::report::RecordReport;

/// The version of the JSON (`docs/schemas/dead-letters-report.schema.json`, `dead-letter-report.schema.json`,
/// `discard-report.schema.json`). A member that is removed, renamed or changes its meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// The dead letters of a selection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LettersReport {
    /// [`VERSION`].
    pub version: u32,
    /// The dead-letter topic.
    pub topic: String,
    /// The number of selected dead letters.
    pub total: u64,
    /// How many of them are discarded.
    pub discarded: u64,
    /// How many of the others a replay of this selection has delivered, as far as its commits show; `None`: not known.
    pub replayed: Option<u64>,
    /// The numbers by cause and route, the largest first.
    pub groups: Vec<LetterGroup>,
    /// The newest ones, the oldest of them first.
    pub letters: Vec<LetterReport>,
    /// The number of records that are not dead letters, with the first of them.
    pub unrecognized: UnrecognizedReport,
    /// True if all records of the selection were read in time.
    pub complete: bool,
}

/// The dead letters with the same cause and route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LetterGroup {
    /// The cause.
    pub cause: String,
    /// The route.
    pub route: Option<String>,
    /// Their number.
    pub count: u64,
    /// How many of them are discarded.
    pub discarded: u64,
    /// How many of the others are replayed; `None`: not known.
    pub replayed: Option<u64>,
}

/// One dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LetterReport {
    /// Its coordinates.
    pub coordinates: String,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Which program wrote it.
    pub family: Family,
    /// The cause, or the class of the exception.
    pub cause: String,
    /// The reason, in a sentence.
    pub reason: String,
    /// The route that matched the record.
    pub route: Option<String>,
    /// The run that wrote it.
    pub run: Option<String>,
    /// The coordinates of the record that it is about.
    pub origin: Option<String>,
    /// Why it was discarded; `None` if it was not.
    pub discarded: Option<String>,
    /// Where replays of the same selection have delivered it, as far as their commits show. `None`: it is discarded, or that is
    /// not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Vec<ReplayedTo>>,
}

/// Records of the topic that are not dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UnrecognizedReport {
    /// Their number.
    pub count: u64,
    /// The coordinates of the first.
    pub first: Option<String>,
    /// Why it is none.
    pub reason: Option<String>,
}

/// One dead letter with its record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LetterDetails {
    /// [`VERSION`].
    pub version: u32,
    /// The coordinates that were asked for.
    pub coordinates: String,
    /// Why the record is not a dead letter; `None` if there is one.
    pub problem: Option<String>,
    /// The dead letter.
    pub letter: Option<LetterReport>,
    /// The idempotency key of the record, if the dead letter has it.
    pub idempotency_key: Option<String>,
    /// The record as it was; `None` if the dead letter has no copy of it.
    pub record: Option<RecordReport>,
}

/// The letters that were discarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiscardReport {
    /// [`VERSION`].
    pub version: u32,
    /// The dead-letter topic.
    pub topic: String,
    /// The number of letters that this command has discarded, or would have discarded.
    pub discarded: u64,
    /// The number of selected letters that were discarded before.
    pub already_discarded: u64,
    /// The reason.
    pub reason: String,
    /// True if nothing was written.
    pub dry_run: bool,
}

impl LetterReport {
    /// The report of a letter, and why it was discarded.
    pub(super) fn new(letter: StoredDeadLetter, discarded: Option<&str>) -> Self {
        Self {
            coordinates: letter.at.to_string(),
            timestamp: letter.written,
            family: letter.family,
            cause: letter.cause,
            reason: letter.reason,
            route: letter.route,
            run: letter.run,
            origin: letter.origin.map(|origin| origin.to_string()),
            discarded: discarded.map(str::to_owned),
            replayed: None,
        }
    }
}

impl LettersReport {
    /// How the command ends.
    pub fn outcome(&self) -> LettersOutcome {
        match self.total {
            0 => LettersOutcome::NotFound,
            _ => LettersOutcome::Found,
        }
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        json(self)
    }
}

impl LetterDetails {
    /// How the command ends.
    pub fn outcome(&self) -> LettersOutcome {
        match &self.letter {
            None => LettersOutcome::NotFound,
            Some(_) => LettersOutcome::Found,
        }
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        json(self)
    }
}

impl DiscardReport {
    /// How the command ends.
    pub fn outcome(&self) -> LettersOutcome {
        match self.discarded + self.already_discarded {
            0 => LettersOutcome::NotFound,
            _ => LettersOutcome::Found,
        }
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        json(self)
    }
}

/// One line of JSON.
fn json(report: &impl Serialize) -> String {
    // Maps with text keys, numbers and texts always have JSON.
    let mut text = serde_json::to_string(report).unwrap_or_default();
    text.push('\n');
    text
}
