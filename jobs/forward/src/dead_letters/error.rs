//! Why a command about dead letters failed.

use kafka::reader::SourceError;
use schema_registry::RegistryError;

use super::outcome::LettersOutcome;
use super::selection::InvalidSelection;

/// Why a command about dead letters failed.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The selection does not fit the settings.
    #[error(transparent)]
    Selection(#[from] InvalidSelection),
    /// The route of the records for a topic.
    #[error("the route of the source topic: {0}")]
    Routes(String),
    /// A record that discards a letter was not acknowledged.
    #[error("discarding dead letters: {0}; repeat the command")]
    Write(String),
}

impl LettersError {
    /// How the command ends.
    pub fn outcome(&self) -> LettersOutcome {
        match self {
            Self::Source(_) | Self::Registry(_) | Self::Write(_) => LettersOutcome::Source,
            Self::Selection(_) | Self::Routes(_) => LettersOutcome::Configuration,
        }
    }
}
