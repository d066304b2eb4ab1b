//! Why there is no report to render.

use super::outcome::ReportOutcome;
use crate::versioned::InvalidDocument;

/// Why there is no report to render, with the name of the source.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such file, topic or object, or no report in the topic.
    #[error("{0}: {1}")]
    NotFound(String, String),
    /// Reading failed.
    #[error("reading {0}: {1}")]
    Unreadable(String, String),
    /// A setting is missing or malformed.
    #[error("{0}")]
    Configuration(String),
    /// It is not a report of this version.
    #[error("{0}: {1}")]
    Invalid(String, InvalidDocument),
}

impl ReportError {
    /// How the command ends.
    pub fn outcome(&self) -> ReportOutcome {
        match self {
            Self::NotFound(..) => ReportOutcome::NotFound,
            Self::Unreadable(..) => ReportOutcome::Unreadable,
            Self::Configuration(_) => ReportOutcome::Configuration,
            Self::Invalid(..) => ReportOutcome::Invalid,
        }
    }
}
