//! Builds the requests of one route.

use std::sync::Arc;

use http::HeaderValue;
use record::{Message, StreamId};
use runtime::text::hex;

use super::idempotency::{BatchKey, IdempotencyKeys};
use super::payload::PayloadFormat;
use super::prepared::{DeliveryHeaders, PreparedRequest};
use super::trace_context::traceparent;

/// Builds the requests of one route.
#[derive(Debug)]
pub(crate) struct RequestBuilder {
    keys: IdempotencyKeys,
    format: Arc<dyn PayloadFormat>,
}

impl RequestBuilder {
    /// `stream` is the source of the messages; it is part of their idempotency keys.
    pub(crate) fn new(stream: StreamId, format: Arc<dyn PayloadFormat>) -> Self {
        Self {
            keys: IdempotencyKeys::new(stream),
            format,
        }
    }

    /// The request for these messages, which have values and are of one partition. Exactly one, unless the format is a
    /// batch format.
    pub(crate) fn build(&self, messages: &[Message]) -> PreparedRequest {
        let is_batch = self.format.is_batch();
        // No key for a batch: after a crash it may hold other records. Each record has a key of its own in the body.
        let (batch_key, idempotency_key, traceparent, schema) = match messages {
            [message] if !is_batch => (
                BatchKey::default(),
                Some(self.keys.record_header(message)),
                traceparent(message),
                schema_fingerprint(message),
            ),
            _ => (self.keys.batch_key(messages), None, None, None),
        };
        let headers = DeliveryHeaders {
            content_type: self.format.content_type(),
            idempotency_key,
            traceparent,
            schema,
        };
        let body = self.format.encode(messages, &batch_key);
        PreparedRequest::post(headers, body, is_batch)
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
