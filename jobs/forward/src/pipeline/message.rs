//! Copies records out of the Kafka client's memory.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka::batch::Record;
use offsets::progress::Class;
use record::{Coordinates, Message, Payload, idempotency};

use super::router::{DatumBytes, RoutedDatum};

/// Makes messages of records.
pub(super) struct MessageBuilder {
    topic: Arc<str>,
    /// For each class, the allocation that the next bytes are copied to. Consecutive records share one.
    arenas: Vec<BytesMut>,
}

impl MessageBuilder {
    pub(super) fn new(topic: Arc<str>, classes: usize) -> Self {
        Self {
            topic,
            arenas: vec![BytesMut::new(); classes],
        }
    }

    /// Where the record is in the topic.
    pub(super) fn coordinates(&self, partition: i32, offset: i64) -> Coordinates {
        Coordinates {
            topic: Arc::clone(&self.topic),
            partition,
            offset,
        }
    }

    /// A copy of the record, with the datum that is delivered.
    pub(super) fn build(
        &mut self,
        record: &Record<'_>,
        class: Class,
        datum: Option<RoutedDatum<'_>>,
    ) -> Message {
        let headers = record.headers();
        let client_key = client_key(&headers);
        let message = Message {
            at: self.coordinates(record.partition(), record.offset()),
            key: record.key().map(|key| self.share(class, key)),
            value: record.value().map(|value| self.share(class, value)),
            payload: None,
            origin: None,
            headers,
            timestamp: record.timestamp(),
            client_key,
        };
        self.with_datum(message, class, datum)
    }

    /// The message with the datum that is delivered, which the router has found in its value.
    pub(super) fn with_datum(
        &mut self,
        message: Message,
        class: Class,
        datum: Option<RoutedDatum<'_>>,
    ) -> Message {
        let payload = datum.map(|datum| Payload {
            datum: match datum.bytes {
                DatumBytes::Value { framing } => {
                    message.value.clone().unwrap_or_default().slice(framing..)
                }
                DatumBytes::Resolved(bytes) => self.share(class, bytes),
            },
            schema: datum.schema,
        });
        Message { payload, ..message }
    }

    /// A copy of the record with allocations of its own.
    pub(super) fn copy(&self, record: &Record<'_>) -> Message {
        let headers = record.headers();
        Message {
            at: self.coordinates(record.partition(), record.offset()),
            key: record.key().map(Bytes::copy_from_slice),
            value: record.value().map(Bytes::copy_from_slice),
            payload: None,
            origin: None,
            client_key: client_key(&headers),
            headers,
            timestamp: record.timestamp(),
        }
    }

    fn share(&mut self, class: Class, bytes: &[u8]) -> Bytes {
        const CHUNK: usize = 16 * 1024;
        let arena = &mut self.arenas[class];
        if arena.capacity() < bytes.len() {
            *arena = BytesMut::with_capacity(bytes.len().max(CHUNK));
        }
        arena.extend_from_slice(bytes);
        arena.split().freeze()
    }
}

/// The idempotency key of the client that these Kafka headers contain.
pub(crate) fn client_key(headers: &[(String, Option<Bytes>)]) -> Option<Arc<str>> {
    headers
        .iter()
        .find(|(name, _)| name == idempotency::HEADER)
        .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
        // A text that is not a key cannot be an HTTP header.
        .filter(|key| idempotency::is_key(key.as_bytes()))
        .map(Arc::from)
}
