//! The trace context of a record (W3C Trace Context, W3C Baggage).

use bytes::Bytes;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use record::{Message, baggage, traceparent, tracestate};

/// The headers with the trace context of a record. Invalid ones are not sent.
#[derive(Clone, Debug, Default)]
pub(super) struct TraceHeaders {
    pub(super) traceparent: Option<HeaderValue>,
    tracestate: Option<HeaderValue>,
    baggage: Option<HeaderValue>,
}

impl TraceHeaders {
    /// The record's own trace context.
    pub(super) fn of(message: &Message) -> Self {
        let traceparent = header(message, traceparent::HEADER, traceparent::is_valid);
        Self {
            tracestate: traceparent
                .as_ref()
                .and_then(|_| header(message, tracestate::HEADER, tracestate::is_valid)),
            baggage: header(message, baggage::HEADER, baggage::is_valid),
            traceparent,
        }
    }

    /// Adds the headers to a request.
    pub(super) fn insert(&self, headers: &mut HeaderMap) {
        for (name, value) in [
            (traceparent::HEADER, &self.traceparent),
            (tracestate::HEADER, &self.tracestate),
            (baggage::HEADER, &self.baggage),
        ] {
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), value.clone());
            }
        }
    }
}

fn header(message: &Message, name: &str, is_valid: fn(&[u8]) -> bool) -> Option<HeaderValue> {
    let is_name = |(known, _): &&(String, Option<Bytes>)| known.eq_ignore_ascii_case(name);
    let (_, value) = message.headers.iter().find(is_name)?;
    let value = value.as_ref().filter(|value| is_valid(value))?;
    HeaderValue::from_maybe_shared(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Coordinates;

    const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn sent(headers: &[(&str, &str)]) -> Vec<String> {
        let header = |(name, value): &(&str, &str)| {
            let value = Bytes::copy_from_slice(value.as_bytes());
            ((*name).to_owned(), Some(value))
        };
        let message = Message {
            at: Coordinates {
                topic: "orders".into(),
                partition: 0,
                offset: 0,
            },
            key: None,
            value: None,
            payload: None,
            origin: None,
            headers: headers.iter().map(header).collect(),
            timestamp: None,
            client_key: None,
        };
        let mut sent = HeaderMap::new();
        TraceHeaders::of(&message).insert(&mut sent);
        let mut names: Vec<String> = sent.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn only_a_valid_trace_context_is_sent() {
        assert_eq!(sent(&[("traceparent", TRACEPARENT)]), ["traceparent"]);
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let state = ("tracestate", "a=1");
            assert!(
                sent(&[("traceparent", invalid), state]).is_empty(),
                "{invalid}"
            );
        }
    }

    #[test]
    fn the_state_needs_a_trace_and_baggage_does_not() {
        let state = ("tracestate", "a=1");
        let baggage = ("baggage", "user=1");
        let all = sent(&[("Traceparent", TRACEPARENT), state, baggage]);
        assert_eq!(all, ["baggage", "traceparent", "tracestate"]);
        assert_eq!(sent(&[state, baggage]), ["baggage"]);
        let invalid = sent(&[
            ("traceparent", TRACEPARENT),
            ("tracestate", "A"),
            ("baggage", "é=1"),
        ]);
        assert_eq!(invalid, ["traceparent"]);
    }
}
