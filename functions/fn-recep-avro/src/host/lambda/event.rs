//! Lambda's HTTP events, without the fields that make the library panic.
//!
//! The crate `lambda_http` parses the four event formats. It panics if a body is not valid base64, and if the `Host`
//! header or the path does not form a URL. Clients control these: a load balancer forwards any `Host`. The function needs
//! neither host nor path, so they are removed, and the body is decoded here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use lambda_http::request::LambdaRequest;
use serde::{Deserialize, Deserializer};

/// One event: a request for the library to convert, and its body.
pub(super) struct Event {
    pub(super) request: LambdaRequest,
    pub(super) body: Bytes,
    /// The path of the request, empty if the event has none.
    pub(super) path: String,
    /// Whether the event carried the body as text and not as base64.
    pub(super) is_text: bool,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        LambdaRequest::deserialize(deserializer).map(sanitize)
    }
}

fn sanitize(mut request: LambdaRequest) -> Event {
    let mut path = None;
    let (body, is_text) = match &mut request {
        LambdaRequest::ApiGatewayV1(event) => {
            path = event.path.take();
            event.request_context.domain_name = None;
            event.request_context.stage = None;
            event.query_string_parameters = Default::default();
            event.multi_value_query_string_parameters = Default::default();
            sanitize_headers(&mut event.multi_value_headers);
            sanitize_headers(&mut event.headers);
            let text = event.body.take();
            let is_base64 = event.is_base64_encoded;
            (decode(text, is_base64, &mut event.headers), !is_base64)
        }
        LambdaRequest::ApiGatewayV2(event) => {
            path = event.raw_path.take();
            event.raw_query_string = None;
            event.query_string_parameters = Default::default();
            event.request_context.domain_name = None;
            event.request_context.stage = None;
            sanitize_headers(&mut event.headers);
            let text = event.body.take();
            let is_base64 = event.is_base64_encoded;
            (decode(text, is_base64, &mut event.headers), !is_base64)
        }
        LambdaRequest::Alb(event) => {
            path = event.path.take();
            event.query_string_parameters = Default::default();
            event.multi_value_query_string_parameters = Default::default();
            sanitize_headers(&mut event.multi_value_headers);
            sanitize_headers(&mut event.headers);
            let text = event.body.take();
            let is_base64 = event.is_base64_encoded;
            (decode(text, is_base64, &mut event.headers), !is_base64)
        }
        // The other formats need features of the library that are disabled.
        _ => (Bytes::new(), false),
    };
    Event {
        request,
        body,
        path: path.unwrap_or_default(),
        is_text,
    }
}

fn sanitize_headers(headers: &mut HeaderMap) {
    headers.remove(HOST);
    headers.remove("x-forwarded-proto");
}

/// Decodes a body. Invalid base64 is kept as it is and marked by a header: decoding it again makes the function reject it.
fn decode(text: Option<String>, base64: bool, headers: &mut HeaderMap) -> Bytes {
    let text = text.unwrap_or_default();
    if !base64 {
        return text.into();
    }
    STANDARD.decode(&text).map_or_else(
        |_| {
            let name = HeaderName::from_static("content-transfer-encoding");
            headers.insert(name, HeaderValue::from_static("base64"));
            text.into()
        },
        Bytes::from,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The events of a REST API, an HTTP API and a load balancer.
    fn events() -> [Value; 3] {
        [
            include_str!("../../../tests/ingest/events/rest-api.json"),
            include_str!("../../../tests/ingest/events/http-api.json"),
            include_str!("../../../tests/ingest/events/load-balancer.json"),
        ]
        .map(|event| {
            let mut event: Value = serde_json::from_str(event).unwrap();
            event["body"] = json!("AAEC");
            event["isBase64Encoded"] = json!(true);
            event
        })
    }

    fn converted(event: &Value) -> (http::Request<lambda_http::Body>, Bytes) {
        let Event { request, body, .. } = serde_json::from_str(&event.to_string()).unwrap();
        (request.into(), body)
    }

    #[test]
    fn decodes_the_body_of_every_event_format() {
        for event in events() {
            let (request, body) = converted(&event);
            assert_eq!(request.method(), "POST");
            assert_eq!(body[..], [0, 1, 2]);
        }
    }

    #[test]
    fn hosts_paths_and_queries_that_form_no_url_cause_no_panic() {
        for mut event in events() {
            for host in ["", "[", "a b", "http://", "%", "-:x"] {
                for proto in ["1 2", "://", ""] {
                    event["headers"] = json!({"host": host, "x-forwarded-proto": proto, "a": "b"});
                    event["multiValueHeaders"] =
                        json!({"Host": [host], "X-Forwarded-Proto": [proto]});
                    for (name, value) in [
                        ("path", json!("no path \u{0}")),
                        ("rawPath", json!("no path")),
                        ("rawQueryString", json!("a b\u{7f}")),
                        ("queryStringParameters", json!({"%": "\u{0}"})),
                        ("multiValueQueryStringParameters", json!({" ": ["\u{0}"]})),
                    ] {
                        if let Some(known) = event.get_mut(name) {
                            *known = value;
                        }
                    }
                    event["requestContext"]["stage"] = json!("no stage ");
                    event["requestContext"]["domainName"] = json!("no host ");
                    let (request, _) = converted(&event);
                    assert_eq!(request.headers()["a"], "b");
                }
            }
        }
    }

    #[test]
    fn keeps_and_marks_a_body_of_invalid_base64() {
        for mut event in events() {
            event["body"] = json!("not base64!");
            let (request, body) = converted(&event);
            assert_eq!(body, "not base64!");
            assert_eq!(request.headers()["content-transfer-encoding"], "base64");
        }
    }
}
