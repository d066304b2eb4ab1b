//! The outcomes of `forward plan`. Pure.

use crate::exit;

/// How the making of a plan ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanOutcome {
    /// The plan has offsets that are not completed.
    Planned,
    /// It has none.
    Empty,
    /// The broker or the schema registry is unreachable or rejected a request.
    Source,
    /// Records were deleted before they were read, and `ON_DATA_LOSS=stop`.
    DataLoss,
    /// The settings, the schema or the routes are invalid.
    Configuration,
}

impl PlanOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Planned,
        Self::Empty,
        Self::Source,
        Self::DataLoss,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Planned => 0,
            Self::Empty => 1,
            Self::Source => 74,
            Self::DataLoss => 76,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Planned => "The plan has offsets that are not completed.",
            Self::Empty => "The window has no offsets that are not completed.",
            Self::Source => {
                "The broker or the schema registry is unreachable or rejected a request."
            }
            Self::DataLoss => {
                "Records were deleted before any run read them, and ON_DATA_LOSS is stop."
            }
            Self::Configuration => {
                "The settings, the schema or the routes are invalid, or the window does not fit the topic."
            }
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
