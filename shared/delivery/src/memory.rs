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
    size_of::<Message>() + values(message) + length(&message.key) + headers
}

/// The bytes of the value and of the datum, which may be a part of the value.
fn values(message: &Message) -> usize {
    let value = message.value.as_deref().unwrap_or_default();
    let datum = message.datum().map_or(&[][..], |datum| datum);
    let is_part = value.as_ptr_range().contains(&datum.as_ptr());
    value.len() + if is_part { 0 } else { datum.len() }
}
