//! A matched record on its way from the stream to an endpoint.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// Where a record lies; prints as `orders/3@1042`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinates {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A record with everything that delivery and the dead-letter topic need of it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where it lies.
    pub at: Coordinates,
    /// The Kafka key, unchanged.
    pub key: Option<Bytes>,
    /// The raw datum, unchanged; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The Kafka headers, unchanged and in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970, if the broker keeps them.
    pub timestamp: Option<i64>,
    /// The client's own idempotency key, if it sent one at the door.
    pub client_key: Option<Arc<str>>,
}

/// Which stream this is, beyond its name: a topic that is deleted and made again is another stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamId {
    /// The cluster's id, or the bootstrap address where the broker tells none.
    pub cluster: String,
    /// The topic's id, or its name where the broker tells none.
    pub topic: String,
}

impl StreamId {
    /// The message's idempotency key: the client's own, else made of cluster, topic, partition and offset, so that
    /// it is the same over retries and reruns and no two records share one.
    pub fn idempotency_key(&self, message: &Message) -> String {
        match &message.client_key {
            Some(key) => key.to_string(),
            None => format!(
                "{}/{}/{}/{}",
                self.cluster, self.topic, message.at.partition, message.at.offset
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_offset_of_two_partitions_has_two_keys() {
        let stream = StreamId {
            cluster: "c".into(),
            topic: "t".into(),
        };
        let message = |partition, client_key: Option<&str>| Message {
            at: Coordinates {
                topic: "orders".into(),
                partition,
                offset: 7,
            },
            key: None,
            value: None,
            headers: Vec::new(),
            timestamp: None,
            client_key: client_key.map(Into::into),
        };
        assert_eq!(stream.idempotency_key(&message(0, None)), "c/t/0/7");
        assert_eq!(stream.idempotency_key(&message(1, None)), "c/t/1/7");
        assert_eq!(stream.idempotency_key(&message(1, Some("mine"))), "mine");
        assert_eq!(message(3, None).at.to_string(), "orders/3@7");
    }
}
