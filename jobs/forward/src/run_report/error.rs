//! Why there is no report to render.

use super::outcome::ReportOutcome;
use super::parse::InvalidReport;

/// Why there is no report to render. The first member of each is the name of the source.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is no such file.
    #[error("{0}: {1}")]
    NotFound(String, String),
    /// Reading failed.
    #[error("reading {0}: {1}")]
    Unreadable(String, String),
    /// It is no report.
    #[error("{0}: {1}")]
    Invalid(String, InvalidReport),
}

impl ReportError {
    /// How the command ends.
    pub fn outcome(&self) -> ReportOutcome {
        match self {
            Self::NotFound(..) => ReportOutcome::NotFound,
            Self::Unreadable(..) => ReportOutcome::Unreadable,
            Self::Invalid(..) => ReportOutcome::Invalid,
        }
    }
}
