//! Commits for a group without members: to move its offsets while no run is live.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::error_codes::suffix;
use crate::member::Commit;
use crate::reader::Reader;

/// Why the offsets of a group were not committed.
#[derive(Debug, thiserror::Error)]
pub enum GroupCommitError {
    /// The group has members. Nothing is committed.
    #[error("a member has joined the group: {0}")]
    Members(KafkaError),
    /// The broker rejected the commit of a partition, or did not answer. Some offsets may be committed.
    #[error("committing: {0}{suffix}", suffix = suffix(.0))]
    Broker(KafkaError),
}

impl GroupCommitError {
    fn new(error: KafkaError) -> Self {
        use RDKafkaErrorCode::{
            IllegalGeneration, RebalanceInProgress, StaleMemberEpoch, UnknownMemberId,
        };
        match error.rdkafka_error_code() {
            Some(IllegalGeneration | RebalanceInProgress | StaleMemberEpoch | UnknownMemberId) => {
                Self::Members(error)
            }
            _ => Self::Broker(error),
        }
    }
}

impl Reader {
    /// Commits these offsets in one request, and waits for the acknowledgement. The broker rejects it if the group has a
    /// member. Without metadata, if the broker rejects its length (`offset.metadata.max.bytes`).
    ///
    /// # Errors
    /// See [`GroupCommitError`].
    pub fn commit_without_members(&self, commits: &[Commit]) -> Result<(), GroupCommitError> {
        match self.commit_list(commits, true) {
            Err(error)
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::OffsetMetadataTooLarge) =>
            {
                tracing::warn!(%error, "committing without metadata: the broker rejected its length");
                self.commit_list(commits, false)
            }
            result => result,
        }
        .map_err(GroupCommitError::new)
    }

    fn commit_list(&self, commits: &[Commit], with_metadata: bool) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        for commit in commits {
            commit.add_to(&mut list, &self.topic, with_metadata)?;
        }
        self.consumer.commit(&list, CommitMode::Sync)
    }
}
