//! ListObjects of Object Storage: the objects whose names have a prefix, in pages, in the order of their names.
//!
//! Source: "ListObjects" in Oracle's API reference. Of its parameters, `prefix`, `start`, `limit` and `fields` are
//! implemented; another one is an error.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::response::{self, FaultyBody, error};
use super::state::StateInner;
use super::url::parameter;

/// The maximum number of objects of a page, which is also the default of `limit`.
const MAX_PAGE: usize = 1000;

/// Answers a request for the objects of an existing bucket.
pub(super) fn answer(inner: &StateInner, bucket: &str, query: &str) -> Response<FaultyBody> {
    let names = query
        .split('&')
        .filter_map(|pair| Some(pair.split_once('=')?.0));
    if let Some(name) = names
        .into_iter()
        .find(|name| !["prefix", "start", "limit", "fields"].contains(name))
    {
        return error(400, "InvalidParameter", &format!("{name} is not supported"));
    }
    let limit = parameter(query, "limit").map_or(Ok(MAX_PAGE), |text| text.parse());
    let Some(limit) = limit.ok().filter(|limit| (1..=MAX_PAGE).contains(limit)) else {
        return error(400, "InvalidParameter", "limit must be from 1 to 1000");
    };
    let prefix = parameter(query, "prefix").unwrap_or_default();
    let start = parameter(query, "start").unwrap_or_default();
    let fields = parameter(query, "fields").unwrap_or_default();
    let has_etag = fields.split(',').any(|field| field == "etag");
    let mut objects = inner
        .objects(bucket)
        .filter(|(name, _)| name.starts_with(&prefix) && **name >= start);
    let page: Vec<Value> = objects
        .by_ref()
        .take(limit)
        .map(|(name, object)| match has_etag {
            true => json!({"name": name, "etag": object.etag}),
            false => json!({"name": name}),
        })
        .collect();
    let mut body = json!({"objects": page});
    if let Some((next, _)) = objects.next() {
        body["nextStartWith"] = json!(next);
    }
    response::json(StatusCode::OK, &body)
}
