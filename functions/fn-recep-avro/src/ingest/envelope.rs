//! What goes round a datum: the message's key and headers. Pure.

use std::sync::Arc;

use avro::{FINGERPRINT_HEADER, Field, Projection, Schema, SchemaError};
use bytes::Bytes;
use http::HeaderMap;
use kafka::config::MAX_MESSAGE_BYTES;
use kafka::producer::OutgoingMessage;
use record::idempotency::{MAX_CLIENT_KEY_LENGTH, in_container};
use runtime::text::hex;

use super::Call;
use super::datums::Datums;
use super::problem::{Kind, Problem};
use super::trace;
use http_server::idempotency;

/// What every message has, whatever the call.
#[derive(Debug)]
pub(super) struct Stamp {
    fingerprint: Bytes,
    key: Option<Projection>,
}

impl Stamp {
    /// Prepares the schema's fingerprint (CRC-64-AVRO, as hex digits in the order in which the bytes lie in a
    /// single-object header) and the way to the field that becomes the key.
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

    /// Text for everything that has one, the bytes themselves otherwise; null is no key.
    fn key(&self, datum: &[u8]) -> Option<Bytes> {
        let mut fields = Vec::with_capacity(1);
        // The datum is proven: there is no error left to meet.
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

/// Seals every datum as a message.
///
/// The records of a container share the caller's Idempotency-Key; each message carries it with `/` and the record's
/// place in the file, from 1, or a consumer that drops repeats would drop all but the first.
pub(super) fn seal<'a>(
    datums: &'a Datums<'_>,
    headers: &HeaderMap,
    stamp: &Stamp,
    call: &Call,
) -> Result<Vec<OutgoingMessage<'a>>, Box<Problem>> {
    let caller_key = idempotency::key(headers, MAX_CLIENT_KEY_LENGTH).map_err(|reason| {
        Problem::new(
            Kind::MalformedHeader,
            format!("The Idempotency-Key is not one string: {reason}."),
        )
        .with("reason", reason)
    })?;
    let mut lines = vec![
        ("content-type", Bytes::from_static(b"avro/binary")),
        (FINGERPRINT_HEADER, stamp.fingerprint.clone()),
    ];
    lines.extend(trace::parent(headers).map(|parent| ("traceparent", parent.into())));
    lines.extend(call.id.clone().map(|id| ("call-id", id.into())));
    let lines: Arc<[_]> = lines.into();

    let mut messages = Vec::with_capacity(datums.data.len());
    for (place, datum) in (1u64..).zip(datums.data.iter()) {
        let message = OutgoingMessage {
            key: stamp.key(datum),
            value: datum,
            headers: Arc::clone(&lines),
            idempotency_key: caller_key.as_ref().map(|key| match datums.many {
                true => in_container(key, place),
                false => key.clone(),
            }),
        };
        if message.wire_size() > MAX_MESSAGE_BYTES {
            let problem = Problem::new(
                Kind::RecordTooLarge,
                format!(
                    "The record has {} bytes; the stream takes messages of {MAX_MESSAGE_BYTES} bytes, key and \
                     headers included.",
                    datum.len()
                ),
            )
            .with("limit", MAX_MESSAGE_BYTES);
            return Err(match datums.many {
                true => problem.with("record", place),
                false => problem,
            });
        }
        messages.push(message);
    }
    Ok(messages)
}
