//! The requests that a run would send, for people: built as for delivery, with secrets masked, and not sent.

pub(crate) mod text;

use std::sync::Arc;

use avro::Schema;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use delivery::request::{AuthorizationError, InvalidRecord, RequestAuthorization, RequestBuilder};
use delivery::{EndpointUrl, EndpointUrlError};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request};
use record::{Message, StreamId};
use runtime::redact;
use serde::Serialize;
use settings::SettingError;

use crate::config::Config;
use crate::route_config::RouteConfig;

/// What the requests of a route need.
pub struct RequestPreview {
    /// The name of the route.
    pub route: String,
    url: EndpointUrl,
    requests: RequestBuilder,
    authorization: Arc<dyn RequestAuthorization>,
    batch: usize,
    unknown: Vec<String>,
}

/// The requests of a route cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// An expression does not fit the schema.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The URL of a route.
    #[error("route {0:?}: its url {1}")]
    Url(String, EndpointUrlError),
}

/// A request, as it would be sent. Secrets are masked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestReport {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// Name and value of each header, in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: String,
    /// How the body is written.
    pub body_encoding: BodyEncoding,
    /// The maximum number of records of a request of the route. This one has one record.
    pub batch: usize,
    /// The references to secrets whose values are not known.
    pub unknown: Vec<String>,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEncoding {
    /// As it is sent.
    Text,
    /// In base64 (RFC 4648, section 4).
    Base64,
}

impl RequestPreview {
    /// Those of the routes, in their order.
    ///
    /// # Errors
    /// An expression does not fit the schema, or a URL is invalid.
    pub fn all(
        config: &Config,
        routes: &[RouteConfig],
        stream: &StreamId,
        schema: &Schema,
    ) -> Result<Vec<Self>, PreviewError> {
        let delivery = config.delivery(routes, stream.clone(), schema, 0)?;
        let mut previews = Vec::new();
        for (route, endpoint) in routes.iter().zip(delivery.endpoints) {
            let url = EndpointUrl::parse(&endpoint.url);
            previews.push(Self {
                url: url.map_err(|error| PreviewError::Url(route.name.clone(), error))?,
                requests: RequestBuilder::new(stream.clone(), endpoint.format, endpoint.shape),
                authorization: route.preview_authorization(),
                batch: endpoint.batch_records,
                unknown: route.unknown.clone(),
                route: endpoint.name,
            });
        }
        Ok(previews)
    }
    /// The request that delivers this message.
    ///
    /// # Errors
    /// No request can be built of it.
    pub fn request(&self, message: Message) -> Result<RequestReport, String> {
        let prepared = self.requests.build(&[message]);
        let prepared = prepared.map_err(|InvalidRecord { reason, .. }| reason)?;
        let request = prepared.attempt(&self.url, &*self.authorization);
        let mut request = request.map_err(|AuthorizationError(reason)| reason)?;
        add_length(&mut request);
        let scheme = if self.url.tls { "https" } else { "http" };
        let authority = self.url.authority.to_str().unwrap_or_default();
        let url = format!("{scheme}://{authority}{}", request.uri());
        let headers = request.headers().iter();
        let (body, body_encoding) = body(&request);
        Ok(RequestReport {
            method: request.method().to_string(),
            url: redact::mask(&url).into_owned(),
            headers: headers
                .map(|(name, value)| (name.to_string(), shown(value)))
                .collect(),
            body,
            body_encoding,
            batch: if prepared.is_batch() { self.batch } else { 1 },
            unknown: self.unknown.clone(),
        })
    }
}

/// Adds the header that the connection adds.
fn add_length(request: &mut Request<Bytes>) {
    let length = request.body().len();
    if length > 0 {
        let headers = request.headers_mut();
        let entry = headers.entry(CONTENT_LENGTH);
        entry.or_insert_with(|| HeaderValue::from(length));
    }
}

/// A header's value without secrets.
fn shown(value: &HeaderValue) -> String {
    if value.is_sensitive() {
        return "[redacted]".to_owned();
    }
    let text = String::from_utf8_lossy(value.as_bytes());
    redact::mask(&text).into_owned()
}

/// The body, as text if its type is JSON.
fn body(request: &Request<Bytes>) -> (String, BodyEncoding) {
    let bytes = request.body();
    let content_type = request.headers().get(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let is_text = match content_type.unwrap_or_default() {
        "application/json" | "application/x-ndjson" | "" => true,
        other => other.ends_with("+json") || other.starts_with("text/"),
    };
    match std::str::from_utf8(bytes) {
        Ok(text) if is_text => (text.to_owned(), BodyEncoding::Text),
        _ => (STANDARD.encode(bytes), BodyEncoding::Base64),
    }
}
