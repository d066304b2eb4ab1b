//! A request without the parts that belong to an endpoint or an attempt.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request};
use record::idempotency;

use super::authorization::{AuthorizationError, RequestAuthorization};
use crate::endpoint_url::EndpointUrl;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(idempotency::HEADER);
const TRACEPARENT: HeaderName = HeaderName::from_static(record::traceparent::HEADER);
const SCHEMA_FINGERPRINT: HeaderName = HeaderName::from_static(avro::FINGERPRINT_HEADER);
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("frontdoor/", env!("CARGO_PKG_VERSION")));

/// A request that can be sent any number of times. Except for what the authorization adds, it is the same each time.
#[derive(Clone, Debug)]
pub(crate) struct PreparedRequest {
    method: Method,
    delivery: Option<DeliveryHeaders>,
    body: Bytes,
    is_batch: bool,
}

/// The headers of a request that delivers records.
#[derive(Clone, Debug)]
pub(super) struct DeliveryHeaders {
    pub(super) content_type: HeaderValue,
    pub(super) idempotency_key: Option<HeaderValue>,
    pub(super) traceparent: Option<HeaderValue>,
    /// The fingerprint of the datum's schema.
    pub(super) schema: Option<HeaderValue>,
}

impl PreparedRequest {
    /// A GET without a body, which changes nothing at the endpoint.
    pub(crate) fn probe() -> Self {
        Self {
            method: Method::GET,
            delivery: None,
            body: Bytes::new(),
            is_batch: false,
        }
    }

    pub(super) fn post(headers: DeliveryHeaders, body: Bytes, is_batch: bool) -> Self {
        Self {
            method: Method::POST,
            delivery: Some(headers),
            body,
            is_batch,
        }
    }

    /// Whether the response can report failures of single records.
    pub(crate) fn is_batch(&self) -> bool {
        self.is_batch
    }

    /// The request for one attempt.
    ///
    /// # Errors
    /// The authorization failed.
    pub(crate) fn attempt(
        &self,
        url: &EndpointUrl,
        authorization: &dyn RequestAuthorization,
    ) -> Result<Request<Bytes>, AuthorizationError> {
        let mut request = Request::new(self.body.clone());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = url.path.clone();
        let headers = request.headers_mut();
        headers.reserve(8);
        headers.insert(header::HOST, url.authority.clone());
        headers.insert(header::USER_AGENT, USER_AGENT);
        if let Some(delivery) = &self.delivery {
            headers.insert(header::CONTENT_TYPE, delivery.content_type.clone());
            if let Some(key) = &delivery.idempotency_key {
                headers.insert(IDEMPOTENCY_KEY, key.clone());
            }
            if let Some(traceparent) = &delivery.traceparent {
                headers.insert(TRACEPARENT, traceparent.clone());
            }
            if let Some(schema) = &delivery.schema {
                headers.insert(SCHEMA_FINGERPRINT, schema.clone());
            }
        }
        authorization.authorize(&mut request)?;
        Ok(request)
    }
}
