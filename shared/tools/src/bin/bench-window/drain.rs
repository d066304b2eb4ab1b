//! The limit of reading: a librdkafka consumer that drops every record.

use std::time::Duration;

use anyhow::Result;
use rdkafka::config::FromClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// Reads every partition up to its current end, with librdkafka's defaults except one setting.
pub(crate) fn run(bootstrap: &str, topic: &str) -> Result<()> {
    let timeout = Duration::from_secs(30);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-drain")
        .set("enable.auto.commit", "false")
        // With the default, librdkafka fetches nothing for a second after its queue was full.
        .set("fetch.queue.backoff.ms", "2");
    let consumer = BaseConsumer::from_config(&config)?;
    let metadata = consumer.fetch_metadata(Some(topic), timeout)?;
    let mut list = TopicPartitionList::new();
    let mut left = 0;
    for partition in metadata
        .topics()
        .iter()
        .flat_map(|topic| topic.partitions())
    {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), timeout)?;
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
    // Use the result, so that the compiler does not remove the loop.
    println!("{bytes}");
    // Exit without closing the consumer, which is not part of reading.
    std::process::exit(0)
}
