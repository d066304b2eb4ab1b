//! Why the program ends without success, and its exit code.

use std::fmt::{self, Display};
use std::io;

use runtime::exit;

/// Why the program ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// An error, with this exit code and message.
    Error(u8, String),
    /// The reader closed standard output. Not an error: the exit code is 0.
    OutputClosed,
}

impl Failure {
    pub(super) fn usage(message: impl Display) -> Self {
        Self::Error(exit::USAGE, message.to_string())
    }

    pub(super) fn data(message: impl Display) -> Self {
        Self::Error(exit::DATA, message.to_string())
    }

    pub(super) fn io(operation: impl Display, error: &io::Error) -> Self {
        Self::Error(exit::IO, format!("{operation}: {error}"))
    }

    pub(super) fn configuration(message: impl Display) -> Self {
        Self::Error(exit::CONFIGURATION, message.to_string())
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Error(code, _) => *code,
            Self::OutputClosed => 0,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(_, message) => f.write_str(message),
            Self::OutputClosed => f.write_str("the output was closed"),
        }
    }
}
