//! Makes a Kafka message of each datum: key, headers, value.

use std::sync::Arc;

use avro::{FINGERPRINT_HEADER, Field, Projection, Schema, SchemaError};
use bytes::Bytes;
use http::HeaderMap;
use http_server::idempotency;
use http_server::problem::Problem;
use kafka::producer::OutgoingMessage;
use record::idempotency::{MAX_CLIENT_KEY_LENGTH, in_container};
use record::traceparent;
use runtime::text::hex;

use super::call::Call;
use super::limits::RequestLimits;
use super::problems::RECORD_TOO_LARGE;
use super::store::StoredValues;
use super::trace;
use super::validate::ValidatedBody;

/// What the messages of all calls have in common.
#[derive(Debug)]
pub(super) struct Envelope {
    /// CRC-64-AVRO as hexadecimal digits, in the byte order of a single-object header.
    fingerprint: Bytes,
    /// The path to the field that becomes the message key.
    key: Option<Projection>,
}

impl Envelope {
    /// The envelope of this schema's datums. Without a key field, messages have no key.
    ///
    /// # Errors
    /// The schema has no such field.
    pub(super) fn new(schema: &Schema, key_field: Option<&str>) -> Result<Self, SchemaError> {
        Ok(Self {
            fingerprint: hex(&schema.fingerprint()).into(),
            key: key_field
                .map(|field| schema.projection(&[field]))
                .transpose()?,
        })
    }

    /// The key field as text. Bytes and complex values are copied as they are encoded; null is no key.
    fn key(&self, datum: &[u8]) -> Option<Bytes> {
        let mut fields = Vec::with_capacity(1);
        // A validated datum causes no error here.
        self.key.as_ref()?.read(datum, &mut fields).ok()?;
        match fields.first()? {
            Field::Null => None,
            Field::Bool(value) => Some(value.to_string().into()),
            Field::Int(value) => Some(value.to_string().into()),
            Field::Double(value) => Some(value.to_string().into()),
            Field::Str(text) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Field::Bytes(bytes) | Field::Complex(bytes) => Some(Bytes::copy_from_slice(bytes)),
        }
    }
}

/// One message for each datum, in the order of the body, with the value that is stored. The headers name the schema only of
/// raw datums: other values name it themselves.
///
/// The records of a container file share the client's Idempotency-Key. Each message carries it with `/` and the
/// record's position, from 1: with equal keys, a consumer that drops duplicates would drop all but the first.
///
/// # Errors
/// The Idempotency-Key is malformed, or a message is larger than `MAX_MESSAGE`.
pub(super) fn messages<'a>(
    datums: &ValidatedBody<'_>,
    stored: &'a StoredValues<'_>,
    headers: &HeaderMap,
    envelope: &Envelope,
    limits: &RequestLimits,
    call: &Call,
) -> Result<Vec<OutgoingMessage<'a>>, Problem> {
    let client_key = idempotency::parse_key(headers, MAX_CLIENT_KEY_LENGTH)?;
    let mut common = Vec::new();
    if stored.are_datums {
        common.push(("content-type", Bytes::from_static(b"avro/binary")));
        common.push((FINGERPRINT_HEADER, envelope.fingerprint.clone()));
    }
    common.extend(trace::traceparent(headers).map(|value| (traceparent::HEADER, value.into())));
    common.extend(call.id.clone().map(|id| ("call-id", id.into())));
    let common: Arc<[_]> = common.into();

    let mut messages = Vec::with_capacity(datums.data.len());
    let values = stored.values.iter().zip(datums.data.iter());
    for (position, (value, datum)) in (1u64..).zip(values) {
        let message = OutgoingMessage {
            key: envelope.key(datum),
            value,
            headers: Arc::clone(&common),
            idempotency_key: client_key.as_ref().map(|key| match datums.is_list {
                true => in_container(key, position),
                false => key.clone(),
            }),
        };
        if message.wire_size() > limits.max_message {
            let limit = limits.max_message;
            let detail = format!(
                "The record has {} bytes. With its key and headers it is larger than {limit} bytes (MAX_MESSAGE).",
                value.len()
            );
            let problem = Problem::new(&RECORD_TOO_LARGE, detail).with_member("limit", limit);
            return Err(match datums.is_list {
                true => problem.with_member("record", position),
                false => problem,
            });
        }
        messages.push(message);
    }
    Ok(messages)
}

/// The bytes that messages occupy until they are acknowledged: their decoded values, and the Kafka client's copies.
pub(super) fn memory(messages: &[OutgoingMessage<'_>]) -> usize {
    /// The structures of a message in the Kafka client, and here.
    const MESSAGE: usize = 1024;
    messages
        .iter()
        .map(|message| MESSAGE + message.value.len() + message.wire_size())
        .sum()
}
