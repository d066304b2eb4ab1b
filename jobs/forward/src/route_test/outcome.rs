//! The outcomes of `forward test`. Pure.

use crate::exit;

/// How a test of routes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// Every sample has the expected route.
    Passed,
    /// A sample has another route than expected.
    Failed,
    /// A sample is not a valid record, or no request can be built of it; or there is no sample.
    InvalidSample,
    /// The samples cannot be read.
    Unreadable,
    /// The settings, the schema or the routes are invalid.
    Configuration,
}

impl TestOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Passed,
        Self::Failed,
        Self::InvalidSample,
        Self::Unreadable,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::InvalidSample => runtime::exit::DATA,
            Self::Unreadable => runtime::exit::IO,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Passed => "Every sample has the route that it expects.",
            Self::Failed => "A sample has another route than it expects.",
            Self::InvalidSample => {
                "A sample is not a valid record, or no request can be built of it; or there is no sample."
            }
            Self::Unreadable => "The samples cannot be read.",
            Self::Configuration => "The settings, the schema or the routes are invalid.",
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
