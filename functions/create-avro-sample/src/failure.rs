//! Why nothing was written, and the exit code that says so to scripts.

use std::fmt::{self, Display};
use std::io;

use runtime::exit;

/// Why the program ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Told to the user, with this exit code.
    Told(u8, String),
    /// Whoever read our output has read enough. No failure.
    Unheard,
}

impl Failure {
    pub(super) fn usage(told: impl Display) -> Self {
        Self::Told(exit::USAGE, told.to_string())
    }

    pub(super) fn data(told: impl Display) -> Self {
        Self::Told(exit::DATA, told.to_string())
    }

    pub(super) fn io(doing: impl Display, error: &io::Error) -> Self {
        Self::Told(exit::IO, format!("{doing}: {error}"))
    }

    pub(super) fn configuration(told: impl Display) -> Self {
        Self::Told(exit::CONFIGURATION, told.to_string())
    }

    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Told(code, _) => *code,
            Self::Unheard => 0,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(_, told) => f.write_str(told),
            Self::Unheard => f.write_str("the output was closed"),
        }
    }
}
