//! A message that a producer sends.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{Header, OwnedHeaders};
use record::idempotency;

/// The name and the value of a header.
pub type MessageHeader = (Cow<'static, str>, Bytes);

/// A message before it is sent. The topic is an argument of the producer.
#[derive(Debug)]
pub struct OutgoingMessage<'a> {
    /// Key.
    pub key: Option<Bytes>,
    /// Value.
    pub value: &'a [u8],
    /// Milliseconds since 1970, greater than 0: librdkafka replaces 0. `None`: the time of sending.
    pub timestamp: Option<i64>,
    /// The headers that all messages of a call share.
    pub headers: Arc<[MessageHeader]>,
    /// The value of the last header, [`idempotency::HEADER`].
    pub idempotency_key: Option<String>,
}

impl OutgoingMessage<'_> {
    /// The bytes of a record batch with this message alone (message format 2, not compressed). The topic's
    /// `max.message.bytes` limits it.
    pub fn batch_size(&self) -> usize {
        /// From the base offset to the number of records.
        const BATCH_HEADER: usize = 61;
        /// The attributes, and the differences to the batch's first timestamp and offset, which are 0.
        const RECORD_HEADER: usize = 3;
        let sized = |length: usize| varint_size(length) + length;
        // The length of an absent key is -1, in one byte.
        let key = self.key.as_ref().map_or(1, |key| sized(key.len()));
        let headers = self
            .all_headers()
            .map(|(name, value)| sized(name.len()) + sized(value.len()));
        let record = RECORD_HEADER
            + key
            + sized(self.value.len())
            + varint_size(self.all_headers().count())
            + headers.sum::<usize>();
        BATCH_HEADER + sized(record)
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
    fn all_headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let shared = self.headers.iter();
        let own = self.idempotency_key.as_ref();
        shared
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
            .chain(own.map(|key| (idempotency::HEADER, key.as_bytes())))
    }
}

/// The bytes of a length as a zigzag varint of Protocol Buffers, which the record format uses.
fn varint_size(length: usize) -> usize {
    let zigzag = (length as u64) << 1;
    (64 - (zigzag | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_the_size_of_its_zigzag_varint() {
        for (length, size) in [(0, 1), (63, 1), (64, 2), (8191, 2), (8192, 3), (1 << 20, 4)] {
            assert_eq!(varint_size(length), size, "{length}");
        }
    }
}
