//! The outcomes of `forward status`. Pure.

use crate::exit;

/// How a status ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOutcome {
    /// No limit is exceeded.
    Within,
    /// `--max-lag` or `--max-age` is exceeded.
    Exceeded,
    /// The broker or the schema registry is unreachable or rejected a request.
    Source,
    /// The settings, the schema or the routes are invalid.
    Configuration,
}

impl StatusOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [
        Self::Within,
        Self::Exceeded,
        Self::Source,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Within => 0,
            Self::Exceeded => 30,
            Self::Source => 74,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Within => "The status is known, and no limit is exceeded.",
            Self::Exceeded => "--max-lag or --max-age is exceeded, or the age is not known.",
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
