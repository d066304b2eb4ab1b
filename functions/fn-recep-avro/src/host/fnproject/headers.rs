//! Converts the headers of Fn's requests and responses.
//!
//! A call comes directly from a client (`fn invoke`, a signed POST) or through a gateway or an HTTP trigger
//! (`Fn-Intent: httprequest`). A gateway adds a prefix to its client's headers. Every client that may invoke the function
//! can send this `Fn-Intent`, so it grants nothing: it only selects the client's headers and the form of the response.
//! The agent alone sets `Fn-Call-Id` and `Fn-Deadline` and overwrites what a client sends. They are never read from
//! prefixed headers.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use runtime::rfc3339;

use super::header_limit;
use crate::host::deadline;
use crate::ingest::{Call, Rejection};

/// How long the body of a call without a deadline may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const PREFIX: &str = "fn-http-h-";
const STATUS: HeaderName = HeaderName::from_static("fn-http-status");
/// The headers of the trace context. The platform starts a trace of its own.
const TRACE_HEADERS: [&str; 6] = [
    "traceparent",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
];

/// The origin of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// A client.
    Direct,
    /// A gateway or an HTTP trigger.
    HttpRequest,
}

impl Intent {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get("fn-intent").map(HeaderValue::as_bytes) {
            Some(b"httprequest") => Self::HttpRequest,
            _ => Self::Direct,
        }
    }
}

/// The call, by the headers that the agent sets.
pub(super) fn call(headers: &HeaderMap, wall: SystemTime, now: Instant) -> Call {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    // The agent truncates it to whole seconds: the real deadline is up to a second later.
    let deadline = text("fn-deadline")
        .and_then(rfc3339::time)
        .map(|deadline| deadline::reply_by(deadline, wall, now));
    Call {
        deadline,
        id: text("fn-call-id")
            .filter(|id| (1..=128).contains(&id.len()))
            .map(str::to_owned),
        // The agent always sends a deadline. Another client must not occupy a connection without end.
        body_timeout: deadline.is_none().then_some(BODY_TIMEOUT),
        // The agent does not read a response while it is still sending the body.
        max_discard: u64::MAX,
        rejection: header_limit::excess(headers)
            .map(|excess| Rejection::HeaderFieldsTooLarge(excess.to_owned())),
    }
}

/// The path that a gateway's client requested; empty for a direct call.
pub(super) fn path(headers: &HeaderMap, intent: Intent) -> String {
    let url = match intent {
        Intent::HttpRequest => headers.get("fn-http-request-url"),
        Intent::Direct => None,
    };
    url.and_then(|url| Uri::try_from(url.as_bytes()).ok())
        .map(|url| url.path().to_owned())
        .unwrap_or_default()
}

/// The request as its client sent it.
pub(super) fn unwrap<B>(request: Request<B>, intent: Intent) -> Request<B> {
    if intent == Intent::Direct {
        return request;
    }
    let (mut head, body) = request.into_parts();
    head.method = head
        .headers
        .get("fn-http-method")
        .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
        .unwrap_or(Method::POST);
    head.headers = client_headers(&head.headers);
    Request::from_parts(head, body)
}

/// The headers that a gateway's client sent.
fn client_headers(outer: &HeaderMap) -> HeaderMap {
    let mut inner = HeaderMap::with_capacity(outer.len());
    for (name, value) in outer {
        let own = name
            .as_str()
            .strip_prefix(PREFIX)
            .and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
        if let Some(own) = own {
            inner.append(own, value.clone());
        }
    }
    // The agent sets the content type itself; OCI's gateway sends it with and without the prefix.
    if let Some(value) = outer.get(CONTENT_TYPE) {
        inner.insert(CONTENT_TYPE, value.clone());
    }
    if !TRACE_HEADERS.iter().any(|name| inner.contains_key(*name)) {
        for name in TRACE_HEADERS {
            if let Some(value) = outer.get(name) {
                inner.insert(name, value.clone());
            }
        }
    }
    inner
}

/// Whether the caller has its 202 already and receives no response: the platform only records success or failure.
///
/// Oracle's API defines the header, and the platform passes it to the function (recorded with the value `sync`). A direct
/// client of an Fn server can send it too; then it receives the 502 of its own failed call.
pub(super) fn is_detached(headers: &HeaderMap) -> bool {
    headers
        .get("fn-invoke-type")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"detached"))
}

/// The response in the agent's format: the status is 200, the real one is in `Fn-Http-Status`. For a gateway each header
/// but the content type has the prefix.
///
/// The failure of a detached call has status 502, "function failed" in Fn's contract: the platform evaluates no
/// `Fn-Http-Status` of a call without a caller.
pub(super) fn wrap(
    response: Response<Bytes>,
    intent: Intent,
    is_detached: bool,
) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let mut wrapped = Response::new(body);
    if is_detached && !head.status.is_success() {
        *wrapped.status_mut() = StatusCode::BAD_GATEWAY;
    }
    let headers = wrapped.headers_mut();
    for (name, value) in &head.headers {
        let name = match intent {
            Intent::HttpRequest if name != CONTENT_TYPE => {
                HeaderName::from_bytes(format!("{PREFIX}{name}").as_bytes()).ok()
            }
            _ => Some(name.clone()),
        };
        if let Some(name) = name {
            headers.append(name, value.clone());
        }
    }
    headers.insert(STATUS, HeaderValue::from(head.status.as_u16()));
    headers.insert(
        HeaderName::from_static("fn-fdk-version"),
        HeaderValue::from_static(concat!("frontdoor/", env!("CARGO_PKG_VERSION"))),
    );
    wrapped
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::post("/call").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_gateways_client_is_known_by_prefixed_headers_only() {
        let outer = request(&[
            ("fn-intent", "httprequest"),
            ("fn-http-method", "PUT"),
            ("content-type", "avro/binary"),
            ("fn-http-h-content-type", "text/html"),
            ("fn-http-h-idempotency-key", "k"),
            ("idempotency-key", "not the client's"),
            ("content-encoding", "gzip"),
            ("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"),
        ]);
        let intent = Intent::of(outer.headers());
        assert_eq!(intent, Intent::HttpRequest);
        let inner = unwrap(outer, intent);
        assert_eq!(inner.method(), Method::PUT);
        assert_eq!(inner.headers()["content-type"], "avro/binary");
        assert_eq!(inner.headers()["idempotency-key"], "k");
        assert!(!inner.headers().contains_key("content-encoding"));
        assert!(inner.headers().contains_key("x-b3-traceid"));
    }

    #[test]
    fn prefers_the_clients_trace_to_the_platforms() {
        let outer = request(&[
            ("fn-intent", "httprequest"),
            ("traceparent", "platform"),
            ("fn-http-h-b3", "client"),
        ]);
        let inner = unwrap(outer, Intent::HttpRequest);
        assert!(!inner.headers().contains_key("traceparent"));
        assert_eq!(inner.headers()["b3"], "client");
    }

    #[test]
    fn ignores_prefixed_headers_of_a_direct_client() {
        let direct = request(&[
            ("fn-http-h-idempotency-key", "k"),
            ("fn-http-method", "GET"),
            ("fn-http-h-fn-call-id", "forged"),
            ("fn-call-id", "01F"),
        ]);
        let intent = Intent::of(direct.headers());
        let call = call(direct.headers(), UNIX_EPOCH, Instant::now());
        assert_eq!(call.id.as_deref(), Some("01F"));
        let inner = unwrap(direct, intent);
        assert_eq!(inner.method(), Method::POST);
        assert!(!inner.headers().contains_key("idempotency-key"));
    }

    #[test]
    fn the_deadline_leaves_time_for_the_response() {
        let now = Instant::now();
        let of = |text| call(request(&[("fn-deadline", text)]).headers(), UNIX_EPOCH, now).deadline;
        assert_eq!(
            of("1970-01-01T00:00:10Z"),
            Some(now + Duration::from_millis(9_700))
        );
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn an_error_response_has_status_200_for_the_agent() {
        let rejected = || {
            Response::builder()
                .status(405)
                .header("allow", "POST")
                .header("content-type", "application/problem+json")
                .body(Bytes::from_static(b"{}"))
                .unwrap()
        };
        let direct = wrap(rejected(), Intent::Direct, false);
        assert_eq!(direct.status(), 200);
        assert_eq!(direct.headers()["fn-http-status"], "405");
        assert_eq!(direct.headers()["allow"], "POST");
        let gateway = wrap(rejected(), Intent::HttpRequest, false);
        assert_eq!(gateway.status(), 200);
        assert_eq!(gateway.headers()["fn-http-status"], "405");
        assert_eq!(gateway.headers()["fn-http-h-allow"], "POST");
        assert_eq!(
            gateway.headers()["content-type"],
            "application/problem+json"
        );
        assert!(!gateway.headers().contains_key("allow"));
    }
}
