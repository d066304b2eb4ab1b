//! The offsets of a topic: everything that a window is planned from, and the state after a run.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use offsets::offset_map;
use offsets::window::{PartitionOffsets, WindowEnd, WindowStart};
use rdkafka::Offset;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;
use rdkafka::topic_partition_list::{TopicPartitionList, TopicPartitionListElem};
use record::StreamId;

use crate::connect::{ConnectError, fetch_metadata};
pub use crate::deadline::Wait;
use crate::deadline::{Deadline, retry};
use crate::describe;
use crate::diagnosis::explain_brokers;
use crate::error_codes::is_connection_error;
use crate::leader_epochs::leader_epochs;
use crate::reader::{Reader, SourceError};

const LIST_OFFSETS: &str = "listing offsets";
const COMMITTED: &str = "reading committed offsets";
const METADATA: &str = "reading metadata";

/// A topic and its offsets at the start of a run.
#[derive(Debug)]
pub struct TopicOffsets {
    /// The identity of the stream, which idempotency keys contain.
    pub stream: StreamId,
    /// The topic's id (KIP-516), if the broker returned one.
    pub topic_id: Option<String>,
    /// The offsets of every partition, by ascending partition.
    pub partition_offsets: Vec<PartitionOffsets>,
    /// The leader epoch of each partition at the end of its log (KIP-320), if the broker returned one. It never decreases
    /// while the topic exists.
    pub leader_epochs: BTreeMap<i32, i32>,
}

impl Reader {
    /// Reads the offsets that a window is planned from.
    ///
    /// # Errors
    /// The broker is unreachable or rejected a request, or the topic does not exist, or `wait` ended.
    pub fn list_offsets(
        &self,
        start: &WindowStart,
        end: &WindowEnd,
        wait: &Wait<'_>,
    ) -> Result<TopicOffsets, SourceError> {
        let deadline = Deadline::of(wait);
        // Metadata first: the leader of each partition answers for its offsets.
        let metadata = self.metadata(wait.timeout, wait.shutdown)?;
        let partitions = self.partitions(&metadata)?;
        let left = deadline.remaining();
        let mut diagnosis = self.servers.diagnose_brokers(&metadata, left / 4, left / 2);
        let unreachable = |error| match &error {
            SourceError::Broker { error: cause, .. } if is_connection_error(cause) => {
                if let Some(denied) = self.group_error() {
                    return self.broker(COMMITTED, denied);
                }
                explain_brokers(&mut diagnosis).map_or(error, |found| self.connection(found))
            }
            _ => error,
        };
        let client = self.consumer.client();
        let topic_id = deadline
            .until_answered(|timeout| describe::topic_id(client, &self.topic, &metadata, timeout));
        // Part of the metadata, so this is no request.
        let cluster = deadline.until_answered(|timeout| client.fetch_cluster_id(timeout));
        let (partition_offsets, leader_epochs) = self
            .partition_offsets(&partitions, start, end, &deadline)
            .map_err(unreachable)?;
        // A cluster that is electing a controller returns no topic id. Idempotency keys must not change then: take the
        // id from the metadata of an earlier commit.
        let committed_id = || {
            partition_offsets
                .iter()
                .find_map(|partition| offset_map::topic_of(&partition.metadata))
                .map(str::to_owned)
        };
        let stream = StreamId {
            cluster: cluster.unwrap_or_else(|| self.bootstrap.clone()),
            topic: topic_id
                .clone()
                .or_else(committed_id)
                .unwrap_or_else(|| self.topic.clone()),
        };
        Ok(TopicOffsets {
            stream,
            topic_id,
            partition_offsets,
            leader_epochs,
        })
    }

    /// The committed offset and metadata of each partition now; `None` for a partition without a commit.
    ///
    /// # Errors
    /// The group's coordinator did not answer within `timeout`, or rejected the request.
    pub fn committed(
        &self,
        partitions: &[i32],
        timeout: Duration,
    ) -> Result<Vec<(i32, Option<i64>, String)>, SourceError> {
        let list = self.partition_list(partitions);
        self.committed_by(&list, &Deadline::after(timeout))
    }

    /// The committed offset and metadata of each partition of `list`, of any topic.
    pub(crate) fn committed_of(
        &self,
        list: &TopicPartitionList,
        wait: &Wait<'_>,
    ) -> Result<Vec<(i32, Option<i64>, String)>, SourceError> {
        self.committed_by(list, &Deadline::of(wait))
    }

    fn committed_by(
        &self,
        list: &TopicPartitionList,
        deadline: &Deadline<'_>,
    ) -> Result<Vec<(i32, Option<i64>, String)>, SourceError> {
        let committed = retry(deadline, |timeout| {
            self.consumer.committed_offsets(list.clone(), timeout)
        })
        .map_err(|error| self.broker(COMMITTED, error))?;
        Ok(committed
            .elements()
            .iter()
            .map(|element| {
                let metadata = element.metadata().to_owned();
                (element.partition(), offset_of(element), metadata)
            })
            .collect())
    }

    /// The end offset of each partition's log now.
    ///
    /// # Errors
    /// A leader did not answer within `timeout`, or rejected the request.
    pub fn end_offsets(
        &self,
        partitions: &[i32],
        timeout: Duration,
    ) -> Result<Vec<(i32, i64)>, SourceError> {
        Ok(self
            .offsets_at(partitions, Offset::End, &Deadline::after(timeout))?
            .into_iter()
            .map(|(partition, end)| (partition, end.unwrap_or(0)))
            .collect())
    }

    /// The coordinator's rejection, which librdkafka reports as an event, while the request for committed offsets waits.
    /// Call this before partitions are assigned: it discards records.
    fn group_error(&self) -> Option<KafkaError> {
        const MAX_EVENTS: usize = 100;
        let events = (0..MAX_EVENTS).map_while(|_| self.consumer.poll(Duration::from_millis(1)));
        let mut errors = events.filter_map(Result::err);
        errors.find(|error| {
            error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
        })
    }

    /// The brokers of the cluster that cannot be reached at their advertised addresses, as a [`SourceError::Connection`];
    /// `None` if all can. Probes 32 brokers at most, within `timeout`.
    pub fn unreachable_brokers(&self, timeout: Duration) -> Option<SourceError> {
        let mut diagnosis = self.servers.diagnose_advertised(timeout / 2);
        diagnosis.wait(Instant::now() + timeout);
        explain_brokers(&mut diagnosis).map(|found| self.connection(found))
    }

    fn metadata(&self, timeout: Duration, shutdown: &AtomicBool) -> Result<Metadata, SourceError> {
        let fetched = fetch_metadata(
            &self.consumer,
            &self.servers,
            &self.topic,
            timeout,
            shutdown,
        );
        fetched.map_err(|error| match error {
            ConnectError::Connection(explanation) => self.connection(explanation),
            ConnectError::Request(error) => self.broker(METADATA, error),
        })
    }

    /// The topic's partitions, ascending.
    fn partitions(&self, metadata: &Metadata) -> Result<Vec<i32>, SourceError> {
        let no_topic = || SourceError::NoTopic {
            topic: self.topic.clone(),
            bootstrap: self.bootstrap.clone(),
        };
        let topic = metadata.topics().first().ok_or_else(no_topic)?;
        if let Some(error) = topic.error() {
            return Err(match RDKafkaErrorCode::from(error) {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {
                    no_topic()
                }
                code => self.broker(METADATA, KafkaError::MetadataFetch(code)),
            });
        }
        let partitions = topic.partitions().iter();
        let mut partitions: Vec<i32> = partitions.map(|partition| partition.id()).collect();
        partitions.sort_unstable();
        if partitions.is_empty() {
            return Err(no_topic());
        }
        Ok(partitions)
    }

    fn partition_offsets(
        &self,
        partitions: &[i32],
        start: &WindowStart,
        end: &WindowEnd,
        deadline: &Deadline<'_>,
    ) -> Result<(Vec<PartitionOffsets>, BTreeMap<i32, i32>), SourceError> {
        let at = |time| self.offsets_at(partitions, time, deadline);
        // Committed offsets first: else a concurrent run could commit an offset beyond the log's end that was read
        // before, which looks like a truncated log.
        let committed = self.committed_by(&self.partition_list(partitions), deadline)?;
        let lows = at(Offset::Beginning)?;
        let ends = self.list_at(partitions, Offset::End, deadline)?;
        let highs = offsets_in(&ends);
        let start_times = match start {
            WindowStart::Time(time) => at(Offset::Offset(*time))?,
            _ => Vec::new(),
        };
        let end_times = match end {
            WindowEnd::Time(time) => at(Offset::Offset(*time))?,
            _ => Vec::new(),
        };
        let offsets = partitions
            .iter()
            .map(|&partition| {
                let (committed, metadata) = committed
                    .iter()
                    .find(|(known, ..)| *known == partition)
                    .map(|(_, offset, metadata)| (*offset, metadata.clone()))
                    .unwrap_or_default();
                PartitionOffsets {
                    partition,
                    low: find(&lows, partition).unwrap_or(0),
                    high: find(&highs, partition).unwrap_or(0),
                    committed,
                    metadata,
                    start_time_offset: find(&start_times, partition),
                    end_time_offset: find(&end_times, partition),
                }
            })
            .collect();
        Ok((offsets, leader_epochs(&ends)))
    }

    /// The offsets of [`Reader::list_at`]; `None`: there is none.
    fn offsets_at(
        &self,
        partitions: &[i32],
        time: Offset,
        deadline: &Deadline<'_>,
    ) -> Result<Vec<(i32, Option<i64>)>, SourceError> {
        Ok(offsets_in(&self.list_at(partitions, time, deadline)?))
    }

    /// Sends one ListOffsets request to each leader (KIP-79).
    ///
    /// `time` is milliseconds since 1970, for the first offset of that time or later, or `Offset::Beginning` or
    /// `Offset::End`. For a `read_committed` reader `End` is the last stable offset.
    fn list_at(
        &self,
        partitions: &[i32],
        time: Offset,
        deadline: &Deadline<'_>,
    ) -> Result<TopicPartitionList, SourceError> {
        let failed = |error| self.broker(LIST_OFFSETS, error);
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, time)
                .map_err(failed)?;
        }
        retry(deadline, |timeout| {
            self.consumer.offsets_for_times(list.clone(), timeout)
        })
        .map_err(failed)
    }
}

fn offsets_in(list: &TopicPartitionList) -> Vec<(i32, Option<i64>)> {
    let elements = list.elements();
    let offsets = elements.iter();
    offsets
        .map(|element| (element.partition(), offset_of(element)))
        .collect()
}

pub(crate) fn offset_of(element: &TopicPartitionListElem<'_>) -> Option<i64> {
    match element.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

fn find(offsets: &[(i32, Option<i64>)], partition: i32) -> Option<i64> {
    offsets
        .iter()
        .find(|(known, _)| *known == partition)
        .and_then(|(_, offset)| *offset)
}
