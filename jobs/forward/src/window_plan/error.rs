//! Why a window was not planned.

use kafka::reader::SourceError;
use schema_registry::RegistryError;

use super::outcome::PlanOutcome;
use crate::plan::PlanError;

/// Why records were not read.
#[derive(Debug, thiserror::Error)]
pub enum DryReadError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Why a window was not planned.
#[derive(Debug, thiserror::Error)]
pub enum WindowPlanError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Records were not read.
    #[error(transparent)]
    Read(#[from] DryReadError),
    /// Records were lost, or the window does not fit the topic.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl WindowPlanError {
    /// How the command ends.
    pub fn outcome(&self) -> PlanOutcome {
        match self {
            Self::Source(_) | Self::Read(_) => PlanOutcome::Source,
            Self::Plan(PlanError::DataLoss(_)) => PlanOutcome::DataLoss,
            Self::Plan(_) => PlanOutcome::Configuration,
        }
    }
}
