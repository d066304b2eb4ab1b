//! The trace context of a record (W3C Trace Context).

use http::header::HeaderValue;
use record::{Message, traceparent};

/// The record's own trace context, if it is valid.
pub(super) fn traceparent(message: &Message) -> Option<HeaderValue> {
    let (_, value) = message
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(traceparent::HEADER))?;
    let value = value
        .as_ref()
        .filter(|value| traceparent::is_valid(value))?;
    HeaderValue::from_maybe_shared(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use record::Coordinates;

    #[test]
    fn only_a_valid_trace_context_is_sent() {
        let is_sent = |value: &str| {
            let value = Some(Bytes::copy_from_slice(value.as_bytes()));
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
                headers: vec![("traceparent".into(), value)],
                timestamp: None,
                client_key: None,
            };
            traceparent(&message).is_some()
        };
        assert!(is_sent(
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        ));
        for invalid in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nx: y",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert!(!is_sent(invalid), "{invalid}");
        }
    }
}
