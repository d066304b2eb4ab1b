//! The memory that a buffered message occupies.

use bytes::Bytes;
use record::Message;

/// The approximate size of a message in memory, in bytes.
pub(crate) fn memory_bytes(message: &Message) -> usize {
    let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
    let headers: usize = message
        .headers
        .iter()
        .map(|(name, value)| 64 + name.len() + length(value))
        .sum();
    size_of::<Message>() + length(&message.value) + length(&message.key) + headers
}
