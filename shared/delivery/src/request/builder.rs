//! Builds the requests of one route.

use std::sync::Arc;

use http::HeaderValue;
use record::{Message, StreamId};
use runtime::text::hex;

use super::idempotency::IdempotencyKeys;
use super::payload::{InvalidRecord, Payload, PayloadFormat, Records};
use super::prepared::{DeliveryHeaders, PreparedRequest};
use super::shape::RequestShape;
use super::trace_context::traceparent;

/// Builds the requests of one route.
#[derive(Debug)]
pub(crate) struct RequestBuilder {
    keys: IdempotencyKeys,
    format: Arc<dyn PayloadFormat>,
    shape: Arc<dyn RequestShape>,
}

impl RequestBuilder {
    /// `stream` is the source of the messages; it is part of their idempotency keys.
    pub(crate) fn new(
        stream: StreamId,
        format: Arc<dyn PayloadFormat>,
        shape: Arc<dyn RequestShape>,
    ) -> Self {
        Self {
            keys: IdempotencyKeys::new(stream),
            format,
            shape,
        }
    }

    /// The request for these messages, which are of one partition. Exactly one, unless the format is a batch format; only
    /// a single one can be a tombstone.
    ///
    /// # Errors
    /// No request can be built of one of them.
    pub(crate) fn build(&self, messages: &[Message]) -> Result<PreparedRequest, InvalidRecord> {
        let is_tombstone = messages.iter().any(|message| message.value.is_none());
        let is_batch = self.format.is_batch() && !is_tombstone;
        let records = Records::new(messages, &self.keys);
        let shape = self.shape.shape(&records)?;
        let payload = match is_tombstone {
            true => Payload::default(),
            false => self.format.encode(&records)?,
        };
        // No key for a batch: after a crash it may hold other records. Each record has a key of its own in the body.
        let (idempotency_key, traceparent, schema) = match messages {
            [message] if !is_batch => (
                Some(self.keys.record_header(message)),
                traceparent(message),
                schema_fingerprint(message),
            ),
            _ => (None, None, None),
        };
        let headers = DeliveryHeaders {
            idempotency_key,
            traceparent,
            schema,
        };
        Ok(PreparedRequest::delivery(headers, shape, payload, is_batch))
    }

    /// The idempotency keys by which a response can report these messages as failed.
    pub(crate) fn record_keys(&self, messages: &[Message]) -> Vec<String> {
        messages
            .iter()
            .map(|message| self.keys.record_key(message))
            .collect()
    }
}

/// The fingerprint of the datum's schema as 16 hex digits, if it is known. A container file contains its schema.
fn schema_fingerprint(message: &Message) -> Option<HeaderValue> {
    let payload = message.payload.as_ref()?;
    HeaderValue::from_str(&hex(&payload.schema)).ok()
}
