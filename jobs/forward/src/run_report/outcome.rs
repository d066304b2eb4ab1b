//! The outcomes of `forward report`. Pure.

use crate::exit;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// The report is rendered, whatever the run's own outcome.
    Rendered,
    /// There is no such report.
    NotFound,
    /// The document is no report of a run.
    Invalid,
    /// Reading failed.
    Unreadable,
    /// A setting is missing or malformed.
    Configuration,
}

impl ReportOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Rendered,
        Self::NotFound,
        Self::Invalid,
        Self::Unreadable,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Rendered => 0,
            Self::NotFound => 1,
            Self::Invalid => runtime::exit::DATA,
            Self::Unreadable => runtime::exit::IO,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Rendered => "The report is rendered, whatever the outcome of its run.",
            Self::NotFound => {
                "There is no such file, object or topic, or the topic has no report of the group."
            }
            Self::Invalid => {
                "The document is not JSON, not the report of a run, of an unknown version, or too large."
            }
            Self::Unreadable => {
                "The file, the topic or the object cannot be read, or the page cannot be written."
            }
            Self::Configuration => "A setting is missing or malformed.",
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
