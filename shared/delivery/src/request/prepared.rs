//! A request without the parts that belong to an endpoint or an attempt.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request};
use record::idempotency;

use super::authorization::{AuthorizationError, RequestAuthorization};
use super::payload::Payload;
use super::shape::Shape;
use super::trace_context::TraceHeaders;
use crate::endpoint_url::EndpointUrl;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(idempotency::HEADER);
const SCHEMA_FINGERPRINT: HeaderName = HeaderName::from_static(avro::FINGERPRINT_HEADER);
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("frontdoor/", env!("CARGO_PKG_VERSION")));

/// A request that can be sent any number of times. Except for what the authorization adds, and
/// the `traceparent` of an attempt that is observed, it is the same each time.
#[derive(Clone, Debug)]
pub struct PreparedRequest {
    delivery: DeliveryHeaders,
    shape: Shape,
    payload: Payload,
    is_batch: bool,
}

/// The headers of a request that delivers records, which each format has.
#[derive(Clone, Debug, Default)]
pub(super) struct DeliveryHeaders {
    pub(super) idempotency_key: Option<HeaderValue>,
    pub(super) trace: TraceHeaders,
    /// The fingerprint of the datum's schema.
    pub(super) schema: Option<HeaderValue>,
}

impl PreparedRequest {
    /// A GET without a body, which changes nothing at the endpoint.
    pub(crate) fn probe() -> Self {
        Self {
            delivery: DeliveryHeaders::default(),
            shape: Shape {
                method: Method::GET,
                target: None,
                headers: Vec::new(),
            },
            payload: Payload::default(),
            is_batch: false,
        }
    }

    pub(super) fn delivery(
        delivery: DeliveryHeaders,
        shape: Shape,
        payload: Payload,
        is_batch: bool,
    ) -> Self {
        Self {
            delivery,
            shape,
            payload,
            is_batch,
        }
    }

    /// The method.
    pub(crate) fn method(&self) -> &Method {
        &self.shape.method
    }

    /// Replaces the record's `traceparent`, or adds one.
    pub(crate) fn set_traceparent(&mut self, value: HeaderValue) {
        self.delivery.trace.traceparent = Some(value);
    }

    /// Whether the response can report failures of single records.
    pub fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// The request for one attempt, in the order in which its headers are sent. The connection adds `content-length` if there
    /// is a body and no such header.
    ///
    /// # Errors
    /// The authorization failed.
    pub fn attempt(
        &self,
        url: &EndpointUrl,
        authorization: &dyn RequestAuthorization,
    ) -> Result<Request<Bytes>, AuthorizationError> {
        let mut request = Request::new(self.payload.body.clone());
        *request.method_mut() = self.shape.method.clone();
        *request.uri_mut() = self.shape.target.as_ref().unwrap_or(&url.path).clone();
        let headers = request.headers_mut();
        headers.reserve(10 + self.shape.headers.len() + self.payload.headers.len());
        // First those of the route: delivery's own replace them.
        for (name, value) in self.shape.headers.iter().chain(&self.payload.headers) {
            headers.append(name.clone(), value.clone());
        }
        headers.insert(header::HOST, url.authority.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(content_type) = &self.payload.content_type {
            headers.insert(header::CONTENT_TYPE, content_type.clone());
        }
        let DeliveryHeaders {
            idempotency_key,
            trace,
            schema,
        } = &self.delivery;
        if let Some(key) = idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
        trace.insert(headers);
        if let Some(schema) = schema {
            headers.insert(SCHEMA_FINGERPRINT, schema.clone());
        }
        authorization.authorize(&mut request)?;
        Ok(request)
    }
}
