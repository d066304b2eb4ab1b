//! Why there is no plan.

use kafka::reader::SourceError;
use schema_registry::RegistryError;

use super::outcome::PlanOutcome;
use crate::plan::PlanError;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum WindowPlanError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The schema registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Records were lost, or the window does not fit the topic.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl WindowPlanError {
    /// How the command ends.
    pub fn outcome(&self) -> PlanOutcome {
        match self {
            Self::Source(_) | Self::Registry(_) => PlanOutcome::Source,
            Self::Plan(PlanError::DataLoss(_)) => PlanOutcome::DataLoss,
            Self::Plan(_) => PlanOutcome::Configuration,
        }
    }
}
