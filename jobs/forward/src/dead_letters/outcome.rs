//! The outcomes of `forward dead-letters` `list`, `show` and `discard`. Pure.

use crate::exit;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LettersOutcome {
    /// At least one dead letter is selected.
    Found,
    /// None is.
    NotFound,
    /// The broker or the schema registry is unreachable or rejected a request.
    Source,
    /// The settings, the schema or the routes are invalid.
    Configuration,
}

impl LettersOutcome {
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
            Self::Found => "At least one dead letter is selected.",
            Self::NotFound => "No dead letter is selected, or the record is none.",
            Self::Source => {
                "The broker or the schema registry is unreachable or rejected a request."
            }
            Self::Configuration => {
                "The settings, the schema, the routes or the coordinates are invalid."
            }
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
