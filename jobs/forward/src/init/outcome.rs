//! The outcomes of `forward init`. Pure.

use crate::exit;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitOutcome {
    /// Both files are written.
    Written,
    /// One of them exists.
    Exists,
    /// The schema or a path is invalid.
    Invalid,
    /// Reading or writing failed.
    Failed,
}

impl InitOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 4] = [Self::Written, Self::Exists, Self::Invalid, Self::Failed];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Written => 0,
            Self::Exists => 1,
            Self::Invalid => runtime::exit::DATA,
            Self::Failed => runtime::exit::IO,
        }
    }

    /// What it means, in a sentence for `--help` and the documents.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Written => "Both files are written.",
            Self::Exists => "One of the files exists already. Nothing is written.",
            Self::Invalid => "The schema is invalid, or a path is not plain text.",
            Self::Failed => "The schema cannot be read, or a file cannot be written.",
        }
    }

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        exit::help(Self::ALL.map(|outcome| (outcome.code(), outcome.meaning())))
    }
}
