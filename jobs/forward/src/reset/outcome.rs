//! The outcomes of `forward reset`. Pure.

use crate::exit;

/// How a reset ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetOutcome {
    /// The preview was printed, or the commits were moved.
    Done,
    /// A run is live in the group.
    ConcurrentRun,
    /// The broker or the schema registry is unreachable or rejected a request.
    Source,
    /// The settings, the schema or the routes are invalid, or the offset or partition does not exist.
    Configuration,
}

impl ResetOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [
        Self::Done,
        Self::ConcurrentRun,
        Self::Source,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::ConcurrentRun => 20,
            Self::Source => 74,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "The preview was printed, or with --yes the commits were moved.",
            Self::ConcurrentRun => "A run is live in the group. Nothing was changed.",
            Self::Source => {
                "The broker or the schema registry is unreachable or rejected a request."
            }
            Self::Configuration => {
                "The settings, the schema or the routes are invalid, or there is no such partition or offset."
            }
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
