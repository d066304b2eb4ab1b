//! Why a reset failed.

use kafka::group_commit::GroupCommitError;
use kafka::reader::SourceError;

use super::outcome::ResetOutcome;
use super::target::OutsideLog;
use crate::window_plan::DryReadError;

/// Why a reset failed. Except for [`ResetError::Commit`], nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The broker failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Records were not read.
    #[error(transparent)]
    Read(#[from] DryReadError),
    /// A run is live.
    #[error(
        "a run is live in group {group}: {members}; nothing was changed. Stop it and repeat the command; a run that was killed \
         counts until its session ends"
    )]
    ConcurrentRun {
        /// The group.
        group: String,
        /// Its members.
        members: String,
    },
    /// A run has joined the group meanwhile.
    #[error("nothing was changed")]
    Joined(#[source] GroupCommitError),
    /// The broker rejected the commits or did not answer.
    #[error("some of the commits may be moved; the command without --yes shows them")]
    Commit(#[source] GroupCommitError),
    /// The topic has no such partition.
    #[error("topic {topic} has no partition {partition}: it has partitions 0 to {last}")]
    Partition {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The last partition.
        last: usize,
    },
    /// The partition has no such offset.
    #[error(transparent)]
    Offset(#[from] OutsideLog),
}

impl From<GroupCommitError> for ResetError {
    fn from(error: GroupCommitError) -> Self {
        match error {
            GroupCommitError::Members(_) => Self::Joined(error),
            GroupCommitError::Broker(_) => Self::Commit(error),
        }
    }
}

impl ResetError {
    /// How the command ends.
    pub fn outcome(&self) -> ResetOutcome {
        match self {
            Self::ConcurrentRun { .. } | Self::Joined(_) => ResetOutcome::ConcurrentRun,
            Self::Source(_) | Self::Read(_) | Self::Commit(_) => ResetOutcome::Source,
            Self::Partition { .. } | Self::Offset(_) => ResetOutcome::Configuration,
        }
    }
}
