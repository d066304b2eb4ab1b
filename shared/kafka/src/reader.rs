//! The client that reads records. It assigns itself partitions and joins no group.

use std::time::Duration;

use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::batch::Queue;
use crate::close::close;
use crate::config::KafkaSettings;
use crate::connection_errors::ConnectionErrors;
use crate::context::LoggingContext;
use crate::describe;
use crate::diagnosis::{Explanation, Servers};
use crate::error_codes::suffix;
use crate::tokens::{ClientProperties, TokenRefresher};

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A request failed: it timed out, or the broker or librdkafka rejected it.
    #[error("{operation} of topic {topic} at {bootstrap}: {error}{}", suffix(.error))]
    Broker {
        /// The operation, such as "listing offsets".
        operation: &'static str,
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        bootstrap: String,
        /// The error.
        error: Box<KafkaError>,
    },
    /// No broker could be reached, or a broker that is needed cannot be reached at its advertised address.
    #[error("connecting to {bootstrap}: {reason}; {remedy}")]
    Connection {
        /// The bootstrap servers.
        bootstrap: String,
        /// The name of the cause, such as `name_resolution`; `None` if it is unknown.
        cause: Option<&'static str>,
        /// One sentence.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The topic does not exist.
    #[error("topic {topic} does not exist at {bootstrap}: create it, or set KAFKA_TOPIC")]
    NoTopic {
        /// The topic.
        topic: String,
        /// The bootstrap servers.
        bootstrap: String,
    },
}

impl SourceError {
    /// librdkafka rejected the client configuration of these settings.
    pub fn client(kafka: &KafkaSettings, error: KafkaError) -> Self {
        Self::Broker {
            operation: "creating a reader",
            topic: kafka.topic.clone(),
            bootstrap: kafka.bootstrap.clone(),
            error: Box::new(error),
        }
    }
}

/// Reads assigned partitions of one topic; never commits.
///
/// [`Reader::list_offsets`] returns what a window is planned from. Then [`Reader::assign`] starts the fetch, and
/// [`Reader::queue`] returns the records. Calls block, up to their timeout.
pub struct Reader {
    // Before the consumer: fields are dropped in this order.
    _tokens: Option<TokenRefresher>,
    pub(crate) consumer: BaseConsumer<LoggingContext<ConnectionErrors>>,
    pub(crate) topic: String,
    pub(crate) bootstrap: String,
    pub(crate) servers: Servers,
}

impl Reader {
    /// Creates the client. The connection is opened in the background.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub fn new(config: &ClientProperties, topic: &str) -> KafkaResult<Self> {
        let context = LoggingContext::new("reader", ConnectionErrors::default());
        let bootstrap = config.get("bootstrap.servers").unwrap_or_default();
        let consumer: BaseConsumer<_> = BaseConsumer::from_config_and_context(config, context)?;
        Ok(Self {
            _tokens: config.authenticate(consumer.client()),
            consumer,
            topic: topic.to_owned(),
            bootstrap: bootstrap.to_owned(),
            servers: Servers::of(config),
        })
    }

    /// Reads these partitions, each from its offset, and no others.
    ///
    /// # Errors
    /// librdkafka rejected the call.
    pub fn assign(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.list(starts)
            .and_then(|list| self.consumer.assign(&list))
            .map_err(|error| self.broker("assigning partitions", error))
    }

    /// Reads these partitions in addition, each from its offset.
    ///
    /// # Errors
    /// librdkafka rejected the call.
    pub fn incremental_assign(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.list(starts)
            .and_then(|list| self.consumer.incremental_assign(&list))
            .map_err(|error| self.broker("assigning more partitions", error))
    }

    /// Stops reading one partition.
    ///
    /// # Errors
    /// librdkafka rejected the call.
    pub fn incremental_unassign(&self, partition: i32) -> Result<(), SourceError> {
        self.consumer
            .incremental_unassign(&self.partition_list(&[partition]))
            .map_err(|error| self.broker("unassigning a partition", error))
    }

    /// Stops the fetch of these partitions, and drops their fetched records that are not returned yet.
    ///
    /// # Errors
    /// librdkafka rejected the call.
    pub fn pause(&self, partitions: &[i32]) -> Result<(), SourceError> {
        self.consumer
            .pause(&self.partition_list(partitions))
            .map_err(|error| self.broker("pausing partitions", error))
    }

    /// Fetches these partitions again, each from the record after the last one that was returned.
    ///
    /// # Errors
    /// librdkafka rejected the call.
    pub fn resume(&self, partitions: &[i32]) -> Result<(), SourceError> {
        self.consumer
            .resume(&self.partition_list(partitions))
            .map_err(|error| self.broker("resuming partitions", error))
    }

    /// Reads one partition again from `offset`, paused or not.
    ///
    /// # Errors
    /// librdkafka rejected the call, or did not complete the seek within ten seconds.
    pub fn seek_and_resume(&self, partition: i32, offset: i64) -> Result<(), SourceError> {
        const TIMEOUT: Duration = Duration::from_secs(10);
        // Seek first: else the fetch would continue where the partition was paused.
        self.consumer
            .seek(&self.topic, partition, Offset::Offset(offset), TIMEOUT)
            .and_then(|()| self.consumer.resume(&self.partition_list(&[partition])))
            .map_err(|error| self.broker("seeking in a partition", error))
    }

    /// Forgets the connection errors so far, which belong to an earlier use of this reader.
    pub fn forget_errors(&self) {
        self.consumer.context().handler().forget();
    }

    /// The queue of fetched records.
    ///
    /// # Errors
    /// The configuration has no group id.
    pub fn queue(&self) -> Result<Queue<'_>, SourceError> {
        Queue::of(&self.consumer).ok_or_else(|| {
            let reason = "the client has no queue: group.id is not set".to_owned();
            self.broker(
                "opening the record queue",
                KafkaError::ClientCreation(reason),
            )
        })
    }

    /// The members of the group now. `None` if the broker did not answer or rejected the request.
    pub fn group_members(
        &self,
        group: &str,
        timeout: Duration,
    ) -> Option<Vec<describe::GroupMember>> {
        describe::group_members(self.consumer.client(), group, timeout)
    }

    pub(crate) fn partition_list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }

    fn list(&self, starts: &[(i32, i64)]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in starts {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        Ok(list)
    }

    pub(crate) fn connection(&self, explanation: Explanation) -> SourceError {
        let Explanation {
            cause,
            reason,
            remedy,
        } = explanation;
        SourceError::Connection {
            bootstrap: self.bootstrap.clone(),
            cause,
            reason,
            remedy,
        }
    }

    pub(crate) fn broker(&self, operation: &'static str, error: KafkaError) -> SourceError {
        SourceError::Broker {
            operation,
            topic: self.topic.clone(),
            bootstrap: self.bootstrap.clone(),
            error: Box::new(error),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        close(&self.consumer, Duration::from_secs(1));
    }
}
