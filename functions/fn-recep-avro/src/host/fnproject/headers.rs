//! Fn's headers, in and out. Pure.
//!
//! A call comes straight from a caller (`fn invoke`, a signed POST), whose headers then are the request's own, or
//! from a gateway or trigger (`Fn-Intent: httprequest`), which hands its caller's headers on with a prefix. Anyone
//! who may invoke the function can claim to be a gateway. So nothing here grants anything: the claim decides which
//! headers are the caller's and how the reply is dressed, no more. Only the agent sets `Fn-Call-Id` and
//! `Fn-Deadline`, and it overwrites what a caller sends; they are never read from prefixed headers.

use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use runtime::rfc3339;

use super::header_limit;
use crate::host::deadline;
use crate::ingest::{Call, Refusal};

const PREFIX: &str = "fn-http-h-";
const STATUS: HeaderName = HeaderName::from_static("fn-http-status");
/// The trace that the platform itself began, in case its caller had none.
const PLATFORM_TRACE: [&str; 6] = [
    "traceparent",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
];

/// How the call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// Straight from a caller.
    Direct,
    /// Through a gateway or an HTTP trigger.
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

/// What the agent says about the call.
pub(super) fn call(headers: &HeaderMap, wall: SystemTime, now: Instant) -> Call {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    Call {
        // Whole seconds, cut off: the real deadline is up to a second later, never sooner.
        deadline: text("fn-deadline")
            .and_then(rfc3339::time)
            .map(|deadline| deadline::reply_by(deadline, wall, now)),
        id: text("fn-call-id")
            .filter(|id| (1..=128).contains(&id.len()))
            .map(str::to_owned),
        patience: None,
        // A call answered before its body is read is lost to the agent, which is still sending.
        discard: u64::MAX,
        refusal: header_limit::excess(headers)
            .map(|excess| Refusal::HeaderFieldsTooLarge(excess.to_owned())),
    }
}

/// The caller's own request.
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
    head.headers = callers(&head.headers);
    Request::from_parts(head, body)
}

/// The headers that the gateway's caller sent.
fn callers(outer: &HeaderMap) -> HeaderMap {
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
    // The agent names the body's type itself; OCI's gateway sends both.
    if let Some(value) = outer.get(CONTENT_TYPE) {
        inner.insert(CONTENT_TYPE, value.clone());
    }
    if !PLATFORM_TRACE.iter().any(|name| inner.contains_key(*name)) {
        for name in PLATFORM_TRACE {
            if let Some(value) = outer.get(name) {
                inner.insert(name, value.clone());
            }
        }
    }
    inner
}

/// The reply as the agent wants it: always 200, the true status in `Fn-Http-Status`, and for a gateway each header
/// under its prefix, all but the content type.
pub(super) fn wrap(response: Response<Bytes>, intent: Intent) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let mut wrapped = Response::new(body);
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
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::post("/call").body(()).unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_gateways_caller_is_seen_through_the_prefix_and_through_nothing_else() {
        let outer = request(&[
            ("fn-intent", "httprequest"),
            ("fn-http-method", "PUT"),
            ("content-type", "avro/binary"),
            ("fn-http-h-content-type", "text/html"),
            ("fn-http-h-idempotency-key", "k"),
            ("idempotency-key", "not the caller's"),
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
    fn the_callers_own_trace_beats_the_platforms() {
        let outer = request(&[
            ("fn-intent", "httprequest"),
            ("traceparent", "platform"),
            ("fn-http-h-b3", "caller"),
        ]);
        let inner = unwrap(outer, Intent::HttpRequest);
        assert!(!inner.headers().contains_key("traceparent"));
        assert_eq!(inner.headers()["b3"], "caller");
    }

    #[test]
    fn a_direct_caller_keeps_its_headers_and_cannot_name_the_call_through_the_prefix() {
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
    fn the_deadline_leaves_time_for_the_reply() {
        let now = Instant::now();
        let of = |text| call(request(&[("fn-deadline", text)]).headers(), UNIX_EPOCH, now).deadline;
        assert_eq!(
            of("1970-01-01T00:00:10Z"),
            Some(now + Duration::from_millis(9_700))
        );
        assert_eq!(of("soon"), None);
    }

    #[test]
    fn a_refusal_is_a_200_to_the_agent() {
        let refusal = || {
            Response::builder()
                .status(405)
                .header("allow", "POST")
                .header("content-type", "application/problem+json")
                .body(Bytes::from_static(b"{}"))
                .unwrap()
        };
        let direct = wrap(refusal(), Intent::Direct);
        assert_eq!(direct.status(), 200);
        assert_eq!(direct.headers()["fn-http-status"], "405");
        assert_eq!(direct.headers()["allow"], "POST");
        let gateway = wrap(refusal(), Intent::HttpRequest);
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
