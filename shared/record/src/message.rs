//! A record with its coordinates.

use std::sync::Arc;

use bytes::Bytes;

use crate::coordinates::Coordinates;

/// A record with everything that delivery and the dead-letter topic need.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its topic, partition and offset.
    pub at: Coordinates,
    /// The coordinates that requests and answers name, if they are others than `at`: those of the record that a dead letter is
    /// about.
    pub origin: Option<Box<Coordinates>>,
    /// The Kafka key, unchanged.
    pub key: Option<Bytes>,
    /// The Kafka value, unchanged; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// What is delivered; `None`: the value.
    pub payload: Option<Payload>,
    /// The Kafka headers, unchanged and in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970, if the broker stores timestamps.
    pub timestamp: Option<i64>,
    /// The idempotency key of the client, if its request to the ingest function had one.
    pub client_key: Option<Arc<str>>,
}

/// A datum and its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The datum: the value, a part of it, or its resolution to another schema.
    pub datum: Bytes,
    /// CRC-64-AVRO of the schema that the datum is encoded with, in the byte order of the single-object encoding.
    pub schema: [u8; 8],
}

impl Message {
    /// The coordinates that requests and answers name.
    pub fn coordinates(&self) -> &Coordinates {
        self.origin.as_deref().unwrap_or(&self.at)
    }

    /// The datum that is delivered; `None` for a tombstone.
    pub fn datum(&self) -> Option<&Bytes> {
        let payload = self.payload.as_ref().map(|payload| &payload.datum);
        payload.or(self.value.as_ref())
    }
}

/// The identity of a stream. A topic that is deleted and created again has another identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamId {
    /// The cluster's id, or the bootstrap address if the broker sends none.
    pub cluster: String,
    /// The topic's id, or its name if the broker sends none.
    pub topic: String,
}

impl StreamId {
    /// The idempotency key of the message: the client's, or else cluster, topic, partition and offset. It is the same
    /// in retries and later runs, and different for each record.
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
    fn keys_differ_between_partitions() {
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
            payload: None,
            origin: None,
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
