//! Reads a topic from end to end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// A record as stored in the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl StoredRecord {
    /// The value of the first header with this name, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        value
            .as_ref()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The committed records in the topic, by partition and offset. A topic that does not exist is empty.
///
/// # Errors
/// The broker does not respond within ten seconds.
pub fn all(bootstrap: &str, topic: &str) -> Result<Vec<StoredRecord>> {
    let timeout = Duration::from_secs(10);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "testkit-reader")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10");
    let consumer = BaseConsumer::from_config(&config)?;
    let metadata = consumer
        .fetch_metadata(Some(topic), timeout)
        .context("requesting metadata")?;
    let partitions: Vec<i32> = metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
        .map(|partition| partition.id())
        .collect();
    let mut assignment = TopicPartitionList::new();
    let mut unread = std::collections::BTreeSet::new();
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, partition, timeout)?;
        if high > low {
            assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
            unread.insert(partition);
        }
    }
    consumer.assign(&assignment)?;
    drop(assignment);
    let mut stored = Vec::new();
    let end = std::time::Instant::now() + timeout;
    // The last offset may belong to a control record or a compacted record, so only the end of the partition counts.
    while !unread.is_empty() {
        if std::time::Instant::now() > end {
            bail!(
                "reading {topic}: partitions {unread:?} are incomplete after {timeout:?}, {} records read",
                stored.len()
            );
        }
        let message = match consumer.poll(Duration::from_millis(100)) {
            None => continue,
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                unread.remove(&partition);
                continue;
            }
            Some(message) => message?,
        };
        stored.push(StoredRecord {
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map_or_else(Vec::new, |headers| {
                headers
                    .iter()
                    .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                    .collect()
            }),
        });
    }
    stored.sort_by_key(|message| (message.partition, message.offset));
    Ok(stored)
}
