//! Builds the requests of one route.

use std::sync::Arc;

use http::HeaderValue;
use record::{Message, StreamId};
use runtime::text::hex;

use super::idempotency::IdempotencyKeys;
use super::payload::{InvalidRecord, Payload, PayloadFormat, Records};
use super::prepared::{DeliveryHeaders, PreparedRequest};
use super::shape::RequestShape;
use super::trace_context::TraceHeaders;

/// Builds the requests of one route, as [`Delivery`](crate::Delivery) sends them. Pure: it sends nothing.
///
/// ```
/// use delivery::request::RequestBuilder;
/// use delivery::{EndpointConfig, EndpointUrl};
/// use record::{Coordinates, Message, StreamId};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = EndpointConfig::new("A", "https://api.example/orders");
/// let stream = StreamId { cluster: "c1".into(), topic: "t1".into() };
/// let message = Message {
///     at: Coordinates { topic: "orders".into(), partition: 0, offset: 42 },
///     key: None,
///     value: Some("datum".into()),
///     payload: None,
///     origin: None,
///     headers: Vec::new(),
///     timestamp: None,
///     client_key: None,
/// };
/// let builder = RequestBuilder::new(stream, endpoint.format, endpoint.shape);
/// let prepared = builder.build(&[message]).map_err(|invalid| invalid.reason)?;
/// let url = EndpointUrl::parse(&endpoint.url)?;
/// let request = prepared.attempt(&url, &*endpoint.authorization)?;
/// assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/orders"));
/// assert_eq!(request.headers()["idempotency-key"], "\"c1/t1/0/42\"");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RequestBuilder {
    keys: IdempotencyKeys,
    format: Arc<dyn PayloadFormat>,
    shape: Arc<dyn RequestShape>,
}

impl RequestBuilder {
    /// `stream` is the source of the messages; it is part of their idempotency keys.
    pub fn new(
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
    pub fn build(&self, messages: &[Message]) -> Result<PreparedRequest, InvalidRecord> {
        let is_tombstone = messages.iter().any(|message| message.value.is_none());
        let is_batch = self.format.is_batch() && !is_tombstone;
        let records = Records::new(messages, &self.keys);
        let shape = self.shape.shape(&records)?;
        let payload = match is_tombstone {
            true => Payload::default(),
            false => self.format.encode(&records)?,
        };
        // No key for a batch: after a crash it may hold other records. Each record has a key of its own in the body.
        let (idempotency_key, trace, schema) = match messages {
            [message] if !is_batch => (
                Some(self.keys.record_header(message)),
                TraceHeaders::of(message),
                schema_fingerprint(message),
            ),
            _ => (None, TraceHeaders::default(), None),
        };
        let headers = DeliveryHeaders {
            idempotency_key,
            trace,
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
