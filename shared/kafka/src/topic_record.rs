//! Reads and writes the topic record of a group: the metadata of its commit for partition 0 of another topic.

use std::time::Duration;

use offsets::topic_record::TopicRecord;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::list_offsets::{Wait, offset_of};
use crate::reader::{Reader, SourceError};

/// The partition whose commit has the record.
const PARTITION: i32 = 0;

/// The timeout of each request before the write.
const TIMEOUT: Duration = Duration::from_secs(1);

/// A record, and the topic whose commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTopicRecord {
    /// The record.
    pub record: TopicRecord,
    /// The topic whose commit has it: one that is not deleted together with the recorded topic.
    pub topic: String,
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The topic of the commit does not exist.
    #[error("topic {0} does not exist")]
    NoTopic(String),
    /// The user may not commit for the topic.
    #[error("the user has no READ on topic {0}")]
    Denied(String),
    /// The commit exists and is not a record. It is not overwritten.
    #[error("another consumer of this group commits for topic {0}")]
    ForeignCommit(String),
    /// A request failed. Another attempt may succeed.
    #[error("committing for topic {topic}: {error}")]
    Broker {
        /// The topic of the commit.
        topic: String,
        /// The error.
        error: KafkaError,
    },
}

impl RecordError {
    fn new(topic: &str, error: KafkaError) -> Self {
        use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
        let topic = topic.to_owned();
        match error.rdkafka_error_code() {
            Some(UnknownTopic | UnknownTopicOrPartition) => Self::NoTopic(topic),
            Some(TopicAuthorizationFailed) => Self::Denied(topic),
            _ => Self::Broker { topic, error },
        }
    }

    /// True if another attempt may succeed.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Broker { .. })
    }
}

impl StoredTopicRecord {
    /// Commits the record, unless the commit has something else. Returns after two requests, and after a third with
    /// [`CommitMode::Sync`].
    pub(crate) fn write<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        mode: CommitMode,
    ) -> Result<(), RecordError> {
        let failed = |error| RecordError::new(&self.topic, error);
        // Metadata first: librdkafka repeats a commit for a topic that does not exist, and the next commit waits meanwhile.
        let metadata = consumer
            .fetch_metadata(Some(&self.topic), TIMEOUT)
            .map_err(failed)?;
        if let Some(code) = metadata.topics().iter().find_map(|topic| topic.error()) {
            return Err(failed(KafkaError::MetadataFetch(code.into())));
        }
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, PARTITION);
        let committed = consumer.committed_offsets(list, TIMEOUT).map_err(failed)?;
        for element in committed.elements() {
            element.error().map_err(failed)?;
            let is_record = TopicRecord::decode(element.metadata()).is_some();
            if offset_of(&element).is_some() && !is_record {
                return Err(RecordError::ForeignCommit(self.topic.clone()));
            }
        }
        // An equal record is written too: Kafka deletes old commits (`offsets.retention.minutes`).
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&self.topic, PARTITION);
        element.set_offset(Offset::Offset(0)).map_err(failed)?;
        element.set_metadata(self.record.encode());
        consumer.commit(&list, mode).map_err(failed)
    }
}

impl Reader {
    /// The record in the commit for `topic`. `None` if there is none, if it is of a topic with another name than the
    /// reader's, or if the user may not read commits for `topic`.
    ///
    /// # Errors
    /// The group's coordinator did not answer within the wait, or rejected the request.
    pub fn topic_record(
        &self,
        topic: &str,
        wait: &Wait<'_>,
    ) -> Result<Option<TopicRecord>, SourceError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(topic, PARTITION);
        match self.committed_of(&list, wait) {
            Ok(committed) => Ok(committed
                .iter()
                .find_map(|(.., metadata)| TopicRecord::decode(metadata))
                .filter(|record| record.name == self.topic)),
            Err(error) if is_denied(&error) => {
                tracing::debug!(topic, %error, "reading the topic record failed");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a record while the group has no members. Returns without the acknowledgement; the drop of the reader waits
    /// for it.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn write_topic_record(&self, record: &StoredTopicRecord) -> Result<(), RecordError> {
        record.write(&self.consumer, CommitMode::Async)
    }
}

fn is_denied(error: &SourceError) -> bool {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    let SourceError::Broker { error, .. } = error else {
        return false;
    };
    matches!(
        error.rdkafka_error_code(),
        Some(TopicAuthorizationFailed | UnknownTopic | UnknownTopicOrPartition)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_repeated_only_if_that_can_help() {
        let error = |code| {
            let error = KafkaError::ConsumerCommit(code);
            RecordError::new("dead-letters", error)
        };
        assert!(error(RDKafkaErrorCode::RebalanceInProgress).is_transient());
        assert!(!error(RDKafkaErrorCode::TopicAuthorizationFailed).is_transient());
        assert!(!error(RDKafkaErrorCode::UnknownTopicOrPartition).is_transient());
    }
}
