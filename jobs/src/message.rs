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
    /// The same over retries, reruns and replays.
    pub idempotency_key: Arc<str>,
}
