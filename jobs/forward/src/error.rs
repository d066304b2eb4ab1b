//! Why a run ended before it had a window to report on.

use delivery::DeliveryError;
use kafka::reader::SourceError;

use crate::plan::PlanError;
use crate::single_run::JoinError;

/// Why a run ended before its pipeline.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The broker.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A topic of answers does not exist, or the user may not write to it.
    #[error("{0}")]
    Answers(String),
    /// The window cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The consumer group assigned no partition.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The delivery threads cannot start.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A signal came before the pipeline was started.
    #[error("a signal ended the run before it began: nothing was read, and nothing delivered")]
    Cancelled,
    /// The platform of the workers cannot be started.
    #[error("starting the workers: {0}")]
    Workers(String),
    /// A worker has other routes or schemas than the run.
    #[error("this worker has other routes or schemas than the driver")]
    OtherRoutes,
    /// The system cannot start a thread.
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}
