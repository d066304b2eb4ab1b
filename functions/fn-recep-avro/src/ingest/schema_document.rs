//! `GET …/schema`: the schema that producers encode with.

use avro::{FINGERPRINT_HEADER, Schema};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use runtime::text::hex;

/// The response to a request for the schema; `None` for other requests. Only the last segment of the path counts: gateways
/// and stages add a prefix.
pub(super) fn respond(head: &Parts, schema: &Schema) -> Option<Response<Bytes>> {
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    let is_schema = head.uri.path().rsplit('/').next() == Some("schema");
    if !is_read || !is_schema {
        return None;
    }
    let mut response = Response::new(Bytes::from(schema.json().to_owned()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(fingerprint) = HeaderValue::from_str(&hex(&schema.fingerprint())) {
        headers.insert(FINGERPRINT_HEADER, fingerprint);
    }
    Some(response)
}
