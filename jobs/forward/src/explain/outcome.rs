//! The outcomes of `forward explain`. Pure.

use crate::exit;

/// How an explanation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplainOutcome {
    /// At least one record is explained.
    Found,
    /// There is no such record.
    NotFound,
    /// The broker or the schema registry is unreachable or rejected a request.
    Source,
    /// The settings, the schema or the routes are invalid.
    Configuration,
}

impl ExplainOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [
        Self::Found,
        Self::NotFound,
        Self::Source,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Found => 0,
            Self::NotFound => 1,
            Self::Source => 74,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Found => "The record, or at least one record of the search, is explained.",
            Self::NotFound => {
                "There is no such record: it was deleted, compacted or aborted, it does not exist yet, or no record matches."
            }
            Self::Source => {
                "The broker or the schema registry is unreachable or rejected a request."
            }
            Self::Configuration => "The settings, the schema or the routes are invalid.",
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
