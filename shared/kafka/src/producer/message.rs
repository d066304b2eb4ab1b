//! A message that a producer sends.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};
use record::idempotency;

/// A message before it is sent. The topic is an argument of the producer.
#[derive(Debug)]
pub struct OutgoingMessage<'a> {
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: &'a [u8],
    /// The headers that all messages of a call share.
    pub headers: Arc<[(&'static str, Bytes)]>,
    /// The value of the last header, [`idempotency::HEADER`].
    pub idempotency_key: Option<String>,
}

impl OutgoingMessage<'_> {
    /// An upper bound of the message's size in Kafka's record format (version 2), in bytes.
    pub fn wire_size(&self) -> usize {
        // The longest varints are assumed.
        const RECORD: usize = 36;
        const HEADER: usize = 10;
        let headers: usize = self
            .all_headers()
            .map(|(name, value)| HEADER + name.len() + value.len())
            .sum();
        RECORD + self.key.as_ref().map_or(0, Bytes::len) + self.value.len() + headers
    }

    pub(crate) fn native_headers(&self) -> OwnedHeaders {
        let capacity = self.headers.len() + 1;
        let headers = OwnedHeaders::new_with_capacity(capacity);
        self.all_headers().fold(headers, |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        })
    }

    /// All headers, in order.
    fn all_headers(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let shared = self.headers.iter();
        let own = self.idempotency_key.as_ref();
        shared
            .map(|(name, value)| (*name, value.as_ref()))
            .chain(own.map(|key| (idempotency::HEADER, key.as_bytes())))
    }
}
