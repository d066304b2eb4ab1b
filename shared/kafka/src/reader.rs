//! The client that reads: it asks where things stand, and is given its partitions.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientConfig, Offset};

use crate::config::KafkaSettings;

use crate::batch::Queue;
use crate::closing::close;
use crate::contact::{self, Logged, NoContact};
use crate::describe;
use offsets::offset_map;
use offsets::window::{PartitionOffsets, WindowEnd, WindowStart};
use record::StreamId;

/// Why the stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The broker did not answer in time, or refused.
    #[error("{doing} of {topic} at {bootstrap}: {error}{}", hint(.error))]
    Broker {
        /// What we were doing.
        doing: &'static str,
        /// The topic.
        topic: String,
        /// The brokers.
        bootstrap: String,
        /// What we met.
        error: Box<KafkaError>,
    },
    /// There is no connection, and the client has said why.
    #[error("connecting to {bootstrap}: {reason}; {advice}")]
    Connection {
        /// The brokers.
        bootstrap: String,
        /// The client's words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// The topic is not there.
    #[error("topic {topic} does not exist at {bootstrap}: create it, or set KAFKA_TOPIC")]
    NoTopic {
        /// The topic.
        topic: String,
        /// The brokers.
        bootstrap: String,
    },
}

impl SourceError {
    /// librdkafka made no client of these settings.
    pub fn client(kafka: &KafkaSettings, error: KafkaError) -> Self {
        let (topic, bootstrap) = (kafka.topic.clone(), kafka.bootstrap.clone());
        Self::Broker {
            doing: "making a client",
            topic,
            bootstrap,
            error: Box::new(error),
        }
    }
}

fn hint(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut,
        ) => "; is the broker up, and its address and KAFKA_SECURITY_PROTOCOL right?",
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
            "; check KAFKA_USERNAME and KAFKA_PASSWORD"
        }
        _ => "",
    }
}

/// The client that reads.
pub struct Reader {
    consumer: BaseConsumer<Logged>,
    topic: String,
    bootstrap: String,
}

/// What the broker says at the start of a run.
#[derive(Debug)]
pub struct TopicOffsets {
    /// Which stream this is.
    pub stream: StreamId,
    /// The topic's id, where the broker tells one.
    pub topic_id: Option<String>,
    /// Each partition.
    pub partition_offsets: Vec<PartitionOffsets>,
}

impl Reader {
    /// Makes the client; nothing is asked of the broker yet.
    ///
    /// # Errors
    /// The configuration does not hold together.
    pub fn new(config: &ClientConfig, topic: &str) -> KafkaResult<Self> {
        let consumer = BaseConsumer::from_config_and_context(config, Logged::default())?;
        let bootstrap = config
            .get("bootstrap.servers")
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
            bootstrap,
        })
    }

    /// Asks the broker for everything that a window is planned from, within `patience`; a broker that is not there is
    /// not waited for when the run is asked to stop.
    ///
    /// # Errors
    /// The broker is away or refuses; the topic is not there.
    pub fn list_offsets(
        &self,
        from: &WindowStart,
        until: &WindowEnd,
        patience: Duration,
        asked_to_stop: &AtomicBool,
    ) -> Result<TopicOffsets, SourceError> {
        let deadline = Instant::now() + patience;
        let left = || {
            deadline
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1))
        };
        // Metadata first: offsets are asked of each partition's leader, which is not known before.
        let metadata = self.metadata(left(), asked_to_stop)?;
        let partitions = self.partitions(&metadata)?;
        let (topic_id, cluster) = std::thread::scope(|scope| {
            let topic_id = scope.spawn(|| {
                describe::topic_id(self.consumer.client(), &self.topic, &metadata, left())
            });
            let cluster = self.consumer.client().fetch_cluster_id(left());
            (topic_id.join().ok().flatten(), cluster)
        });
        let partition_offsets = self.partition_offsets(&partitions, from, until, left)?;
        // A cluster without a controller for a moment tells no id. Keys must not change for that: an earlier run has
        // noted the id beside its commits.
        let noted = || {
            partition_offsets
                .iter()
                .find_map(|known| offset_map::topic_of(&known.metadata))
                .map(str::to_owned)
        };
        let stream = StreamId {
            cluster: cluster.unwrap_or_else(|| self.bootstrap.clone()),
            topic: topic_id
                .clone()
                .or_else(noted)
                .unwrap_or_else(|| self.topic.clone()),
        };
        Ok(TopicOffsets {
            stream,
            topic_id,
            partition_offsets,
        })
    }

    /// The committed offset and metadata of these partitions now.
    ///
    /// # Errors
    /// The group's coordinator is away.
    pub fn committed(
        &self,
        partitions: &[i32],
        patience: Duration,
    ) -> Result<Vec<(i32, Option<i64>, String)>, SourceError> {
        let list = self.names(partitions);
        let committed = patiently(patience, |left| {
            answered(self.consumer.committed_offsets(list.clone(), left)?)
        })
        .map_err(|error| self.broker("reading the committed offsets", error))?;
        Ok(committed
            .elements()
            .iter()
            .map(|element| {
                let offset = if let Offset::Offset(offset) = element.offset() {
                    Some(offset)
                } else {
                    None
                };
                (element.partition(), offset, element.metadata().to_owned())
            })
            .collect())
    }

    /// The log's end of each partition now, for the lag after the run.
    ///
    /// # Errors
    /// A leader is away.
    pub fn ends(
        &self,
        partitions: &[i32],
        patience: Duration,
    ) -> Result<Vec<(i32, i64)>, SourceError> {
        Ok(self
            .at(partitions, Offset::End, patience)?
            .into_iter()
            .map(|(partition, end)| (partition, end.unwrap_or(0)))
            .collect())
    }

    /// Reads these partitions, each from its offset, and no others.
    ///
    /// # Errors
    /// librdkafka refused.
    pub fn assign(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.list(starts)
            .and_then(|list| self.consumer.assign(&list))
            .map_err(|error| self.broker("assigning the partitions", error))
    }

    /// Reads these partitions too, each from its offset.
    ///
    /// # Errors
    /// librdkafka refused.
    pub fn assign_more(&self, starts: &[(i32, i64)]) -> Result<(), SourceError> {
        self.list(starts)
            .and_then(|list| self.consumer.incremental_assign(&list))
            .map_err(|error| self.broker("assigning more partitions", error))
    }

    fn names(&self, partitions: &[i32]) -> TopicPartitionList {
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

    /// Asks the broker for no more of these partitions until we [go back](Self::go_back) in them.
    ///
    /// # Errors
    /// librdkafka refused.
    pub fn pause(&self, partitions: &[i32]) -> Result<(), SourceError> {
        self.consumer
            .pause(&self.names(partitions))
            .map_err(|error| self.broker("pausing partitions", error))
    }

    /// Reads one partition again from `offset`, paused or not.
    ///
    /// # Errors
    /// librdkafka refused.
    pub fn go_back(&self, partition: i32, offset: i64) -> Result<(), SourceError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let to = Offset::Offset(offset);
        // In this order nothing is fetched from where the partition was paused.
        self.consumer
            .seek(&self.topic, partition, to, PATIENCE)
            .and_then(|()| self.consumer.resume(&self.names(&[partition])))
            .map_err(|error| self.broker("going back for another pass", error))
    }

    /// Stops reading one partition.
    ///
    /// # Errors
    /// librdkafka refused.
    pub fn release(&self, partition: i32) -> Result<(), SourceError> {
        self.consumer
            .incremental_unassign(&self.names(&[partition]))
            .map_err(|error| self.broker("giving up a partition", error))
    }

    /// The queue of records.
    ///
    /// # Errors
    /// The client has no group id and therefore no queue.
    pub fn queue(&self) -> Result<Queue<'_>, SourceError> {
        Queue::of(&self.consumer).ok_or_else(|| {
            let reason = "the client has no queue: group.id is not set".to_owned();
            self.broker("opening the queue", KafkaError::ClientCreation(reason))
        })
    }

    /// The members of the group now; `None` where the broker does not tell.
    pub fn group_members(
        &self,
        group: &str,
        patience: Duration,
    ) -> Option<Vec<describe::GroupMember>> {
        describe::group_members(self.consumer.client(), group, patience)
    }

    fn metadata(
        &self,
        patience: Duration,
        asked_to_stop: &AtomicBool,
    ) -> Result<Metadata, SourceError> {
        let met = contact::metadata(&self.consumer, &self.topic, patience, asked_to_stop);
        met.map_err(|failed| match failed {
            NoContact::Said(reason, advice) => SourceError::Connection {
                bootstrap: self.bootstrap.clone(),
                reason,
                advice,
            },
            NoContact::Silence(error) => self.broker("asking for the partitions", error),
        })
    }

    fn partitions(&self, metadata: &Metadata) -> Result<Vec<i32>, SourceError> {
        let no_topic = || SourceError::NoTopic {
            topic: self.topic.clone(),
            bootstrap: self.bootstrap.clone(),
        };
        let topic = metadata.topics().first().ok_or_else(no_topic)?;
        if let Some(error) = topic.error() {
            let code = RDKafkaErrorCode::from(error);
            return Err(match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                    no_topic()
                }
                code => self.broker("asking for the partitions", KafkaError::MetadataFetch(code)),
            });
        }
        let mut partitions: Vec<i32> = topic
            .partitions()
            .iter()
            .map(|partition| partition.id())
            .collect();
        partitions.sort_unstable();
        if partitions.is_empty() {
            Err(no_topic())
        } else {
            Ok(partitions)
        }
    }

    fn partition_offsets(
        &self,
        partitions: &[i32],
        from: &WindowStart,
        until: &WindowEnd,
        left: impl Fn() -> Duration,
    ) -> Result<Vec<PartitionOffsets>, SourceError> {
        // The commits first: what another run reads and commits meanwhile must not look like a log that was cut.
        let committed = self.committed(partitions, left())?;
        let lows = self.at(partitions, Offset::Beginning, left())?;
        let highs = self.at(partitions, Offset::End, left())?;
        let from_times = if let WindowStart::Time(time) = from {
            Some(self.at(partitions, Offset::Offset(*time), left())?)
        } else {
            None
        };
        let until_times = if let WindowEnd::Time(time) = until {
            Some(self.at(partitions, Offset::Offset(*time), left())?)
        } else {
            None
        };
        let of = |list: &[(i32, Option<i64>)], partition: i32| {
            list.iter()
                .find(|(known, _)| *known == partition)
                .and_then(|(_, offset)| *offset)
        };
        Ok(partitions
            .iter()
            .map(|&partition| {
                let commit = committed.iter().find(|(known, ..)| *known == partition);
                PartitionOffsets {
                    partition,
                    low: of(&lows, partition).unwrap_or(0),
                    high: of(&highs, partition).unwrap_or(0),
                    committed: commit.and_then(|(_, offset, _)| *offset),
                    metadata: commit
                        .map(|(.., metadata)| metadata.clone())
                        .unwrap_or_default(),
                    start_time_offset: from_times.as_ref().and_then(|list| of(list, partition)),
                    end_time_offset: until_times.as_ref().and_then(|list| of(list, partition)),
                }
            })
            .collect())
    }

    /// One ListOffsets request a broker: a time answers the first offset of that time or later (`None`: there is
    /// none), `Beginning` and `End` (KIP-79's −2 and −1) the ends of the log, `End` for a reader of committed records.
    fn at(
        &self,
        partitions: &[i32],
        time: Offset,
        patience: Duration,
    ) -> Result<Vec<(i32, Option<i64>)>, SourceError> {
        let asking = |error| self.broker("asking for offsets", error);
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, time)
                .map_err(asking)?;
        }
        let answers = patiently(patience, |left| {
            answered(self.consumer.offsets_for_times(list.clone(), left)?)
        })
        .map_err(asking)?;
        Ok(answers
            .elements()
            .iter()
            .map(|element| {
                let offset = if let Offset::Offset(offset) = element.offset() {
                    Some(offset)
                } else {
                    None
                };
                (element.partition(), offset)
            })
            .collect())
    }

    fn broker(&self, doing: &'static str, error: KafkaError) -> SourceError {
        SourceError::Broker {
            doing,
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

/// Asks again while the answer is one that passes by itself: a coordinator or a leader that is being found, moves, or
/// reads its log. A cluster's very first group meets such answers too.
fn patiently<T>(patience: Duration, ask: impl Fn(Duration) -> KafkaResult<T>) -> KafkaResult<T> {
    let end = Instant::now() + patience;
    loop {
        let left = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        match ask(left) {
            Err(error) if passes(&error) && Instant::now() < end => {
                tracing::debug!(%error, "asking again");
                std::thread::sleep(Duration::from_millis(50));
            }
            answer => return answer,
        }
    }
}

/// The list, if no partition in it has met an error of its own.
fn answered(list: TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    list.elements()
        .iter()
        .try_for_each(|element| element.error())?;
    Ok(list)
}

fn passes(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::ReplicaNotAvailable
                | RDKafkaErrorCode::FencedLeaderEpoch
                | RDKafkaErrorCode::UnknownLeaderEpoch
                | RDKafkaErrorCode::OffsetNotAvailable
                | RDKafkaErrorCode::UnstableOffsetCommit
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::WaitingForCoordinator
        )
    )
}
