//! The successful responses.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use super::decode::DecodedRecord;

/// The most records that a response repeats.
const MAX_ECHOED: usize = 100;

/// 200 with a JSON body.
pub(super) fn json(body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// 200 to a request whose records were accepted.
///
/// The body depends on the payload alone: a repeated request has the same response. Headers say how many of the records
/// are duplicates, and whether all of them are.
pub(super) fn accepted(
    title: &str,
    records: &[DecodedRecord],
    duplicates: usize,
) -> Response<Bytes> {
    let echoed: Vec<_> = records
        .iter()
        .take(MAX_ECHOED)
        .map(|record| &record.value)
        .collect();
    let mut response = json(&json!({
        "title": title,
        "accepted": records.len(),
        "records": echoed,
    }));
    if duplicates > 0 {
        let headers = response.headers_mut();
        headers.insert("frontdoor-records-repeated", HeaderValue::from(duplicates));
        if duplicates == records.len() {
            headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
        }
    }
    response
}
