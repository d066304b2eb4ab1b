//! The leader epochs in a response to ListOffsets, which the safe wrapper does not return.

#![allow(unsafe_code)]

use std::collections::BTreeMap;

use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka_sys::rd_kafka_topic_partition_get_leader_epoch;

/// The leader epoch of each partition (KIP-320). Partitions without one are left out: brokers before Kafka 2.1 have none.
pub(crate) fn leader_epochs(list: &TopicPartitionList) -> BTreeMap<i32, i32> {
    let pointer = list.ptr();
    // SAFETY: the list is alive, its elements are an array of `count`, and they are only read.
    unsafe {
        (0..list.count())
            .map(|index| (*pointer).elems.add(index))
            .map(|element| {
                let epoch = rd_kafka_topic_partition_get_leader_epoch(element);
                ((*element).partition, epoch)
            })
            .filter(|(_, epoch)| *epoch >= 0)
            .collect()
    }
}
