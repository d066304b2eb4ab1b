//! The limit of reading: librdkafka's own poll, every record touched and dropped.

use std::time::Duration;

use anyhow::Result;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Reads every partition up to the end that it has now, by librdkafka's defaults but for one.
pub(crate) fn run(bootstrap: &str, topic: &str) -> Result<()> {
    let patience = Duration::from_secs(30);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-drain")
        .set("enable.auto.commit", "false")
        // The one default that is not the limit's: a queue that was full once is not filled again for a second.
        .set("fetch.queue.backoff.ms", "2");
    let consumer = BaseConsumer::from_config(&config)?;
    let metadata = consumer.fetch_metadata(Some(topic), patience)?;
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), patience)?;
        list.add_partition_offset(topic, partition.id(), Offset::Offset(low))?;
        left += high - low;
    }
    consumer.assign(&list)?;
    drop(list);
    let mut bytes = 0;
    while left > 0 {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            bytes += message?.payload_len();
            left -= 1;
        }
    }
    // So that no compiler thinks that nobody looked.
    println!("{bytes}");
    // Closing the consumer is no part of reading.
    std::process::exit(0)
}
