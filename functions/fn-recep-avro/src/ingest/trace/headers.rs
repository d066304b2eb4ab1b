//! The trace context of a request, in the headers of W3C Trace Context and W3C Baggage.
//!
//! A valid `traceparent` is kept unchanged. Otherwise Zipkin's B3 headers (github.com/openzipkin/b3-propagation), which
//! OCI API Gateway sends, are converted. Invalid values are dropped, as W3C Trace Context recommends: the
//! request is not rejected.

use bytes::Bytes;
use http::HeaderMap;
use kafka::producer::MessageHeader;
use record::{baggage, traceparent, tracestate};

/// The headers with the trace context of a request's messages.
#[derive(Debug, Default)]
pub(in crate::ingest) struct TraceHeaders {
    pub(super) traceparent: Option<String>,
    pub(super) tracestate: Option<String>,
    baggage: Option<String>,
}

impl TraceHeaders {
    /// The trace context of these request headers.
    pub(in crate::ingest) fn of(headers: &HeaderMap) -> Self {
        let traceparent = traceparent(headers);
        // The state belongs to a `traceparent` in W3C's format.
        let has_state = traceparent.is_some() && headers.contains_key(traceparent::HEADER);
        let tracestate = joined(headers, tracestate::HEADER, tracestate::is_valid);
        Self {
            tracestate: tracestate.filter(|_| has_state),
            baggage: joined(headers, baggage::HEADER, baggage::is_valid),
            traceparent,
        }
    }

    /// The headers of messages.
    pub(in crate::ingest) fn message_headers(&self) -> impl Iterator<Item = MessageHeader> {
        let headers = [
            (traceparent::HEADER, &self.traceparent),
            (tracestate::HEADER, &self.tracestate),
            (baggage::HEADER, &self.baggage),
        ];
        headers.into_iter().filter_map(|(name, value)| {
            let value = Bytes::copy_from_slice(value.as_deref()?.as_bytes());
            Some((name.into(), value))
        })
    }
}

/// The value of a header that is a list, from all its fields (RFC 9110, section 5.3).
fn joined(headers: &HeaderMap, name: &str, is_valid: fn(&[u8]) -> bool) -> Option<String> {
    let mut fields = headers.get_all(name).iter();
    let mut value = fields.next()?.to_str().ok()?.to_owned();
    for field in fields {
        value.push(',');
        value.push_str(field.to_str().ok()?);
    }
    is_valid(value.as_bytes()).then_some(value)
}

/// The `traceparent` value of these request headers, if any.
fn traceparent(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let given = text(traceparent::HEADER);
    if let Some(given) = given.filter(|value| traceparent::is_valid(value.as_bytes())) {
        return Some(given.to_owned());
    }
    if let Some(single) = text("b3") {
        let mut parts = single.split('-');
        return from_b3(parts.next()?, parts.next()?, parts.next());
    }
    let sampled = if text("x-b3-flags") == Some("1") {
        Some("d")
    } else {
        text("x-b3-sampled")
    };
    from_b3(text("x-b3-traceid")?, text("x-b3-spanid")?, sampled)
}

fn from_b3(trace_id: &str, span_id: &str, sampled: Option<&str>) -> Option<String> {
    let is_id = |text: &str, digits| traceparent::is_id(text.as_bytes(), digits);
    let trace_id = trace_id.to_ascii_lowercase();
    let span_id = span_id.to_ascii_lowercase();
    // An older B3 trace id has 64 bits. They are the low half of a W3C trace id.
    if !(is_id(&trace_id, 32) || is_id(&trace_id, 16)) || !is_id(&span_id, 16) {
        return None;
    }
    let flags = match sampled {
        Some("1" | "d" | "true") => "01",
        _ => "00",
    };
    Some(format!("00-{trace_id:0>32}-{span_id}-{flags}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        traceparent(&map)
    }

    const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn keeps_a_valid_traceparent_and_prefers_it_to_b3() {
        let b3 = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1");
        assert_eq!(of(&[("traceparent", W3C), b3]).as_deref(), Some(W3C));
        let later = format!("cc{}-more", &W3C[2..]);
        assert_eq!(of(&[("traceparent", &later)]), Some(later));
    }

    #[test]
    fn converts_b3_in_one_header_or_in_four() {
        let expected = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01";
        let id = "80f198ee56343ba864fe8b2a57d3eff7";
        let single = format!("{id}-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90");
        assert_eq!(of(&[("b3", &single)]).as_deref(), Some(expected));
        let ids = [("x-b3-traceid", id), ("x-b3-spanid", "E457B5A2E4D86BD1")];
        let with = |name, value| of(&[ids[0], ids[1], (name, value)]);
        assert_eq!(with("x-b3-sampled", "1").as_deref(), Some(expected));
        assert_eq!(with("x-b3-flags", "1").as_deref(), Some(expected));
        assert!(of(&ids).unwrap().ends_with("-00"));
        let short = [("x-b3-traceid", "64fe8b2a57d3eff7"), ids[1]];
        assert_eq!(
            of(&short).as_deref(),
            Some("00-000000000000000064fe8b2a57d3eff7-e457b5a2e4d86bd1-00")
        );
    }

    #[test]
    fn the_state_and_baggage_are_kept_if_they_are_valid() {
        let names = |headers: &[(&'static str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, value.parse().unwrap());
            }
            let headers = TraceHeaders::of(&map);
            let headers = headers.message_headers();
            headers
                .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value)))
                .collect::<Vec<_>>()
        };
        let parent = ("traceparent", W3C);
        let state = ("tracestate", "a=1");
        let baggage = ("baggage", "user=1");
        let expected = format!("traceparent={W3C}");
        assert_eq!(
            names(&[parent, state, ("tracestate", "b=2"), baggage]),
            [&expected, "tracestate=a=1,b=2", "baggage=user=1"]
        );
        let long = format!("a={}", "x".repeat(8192));
        assert_eq!(
            names(&[parent, ("tracestate", &long), ("baggage", &long)]),
            [expected]
        );
        let b3 = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1");
        assert_eq!(names(&[b3, state]).len(), 1);
        assert_eq!(names(&[state, baggage]), ["baggage=user=1"]);
    }

    #[test]
    fn drops_invalid_values() {
        for invalid in ["", "00", &W3C[..54], &W3C.to_uppercase()] {
            assert_eq!(of(&[("traceparent", invalid)]), None, "{invalid}");
        }
        assert_eq!(of(&[("b3", "0")]), None);
        assert_eq!(of(&[("b3", "zz-zz-1")]), None);
        assert_eq!(
            of(&[("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7")]),
            None
        );
    }
}
