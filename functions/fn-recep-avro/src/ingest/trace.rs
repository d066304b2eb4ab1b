//! The caller's trace, as one W3C `traceparent`. Pure.
//!
//! A sound `traceparent` is passed on as it is; Zipkin's B3 headers, which OCI's API Gateway sends, are bridged
//! (W3C Trace Context level 1, section 3.2; github.com/openzipkin/b3-propagation). What is not sound is dropped:
//! W3C asks to start afresh then, never to refuse.

use http::HeaderMap;

/// The `traceparent` that belongs to these headers, if any.
pub(crate) fn parent(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(parent) = text("traceparent").filter(|value| is_traceparent(value)) {
        return Some(parent.to_owned());
    }
    if let Some(single) = text("b3") {
        let mut parts = single.split('-');
        return bridge(parts.next()?, parts.next()?, parts.next());
    }
    let sampled = if text("x-b3-flags") == Some("1") {
        Some("d")
    } else {
        text("x-b3-sampled")
    };
    bridge(text("x-b3-traceid")?, text("x-b3-spanid")?, sampled)
}

/// Version, trace id, parent id and flags; of a later version only the first four parts are ours to judge.
fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-');
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && is_id(trace, 32)
        && is_id(span, 16)
        && is_hex(flags, 2)
        && value.len() <= 256
}

fn bridge(trace: &str, span: &str, sampled: Option<&str>) -> Option<String> {
    let trace = trace.to_ascii_lowercase();
    let span = span.to_ascii_lowercase();
    // B3's older ids have 64 bits; W3C's are their low half.
    let known = is_id(&trace, 32) || is_id(&trace, 16);
    if !known || !is_id(&span, 16) {
        return None;
    }
    let flags = match sampled {
        Some("1" | "d" | "true") => "01",
        _ => "00",
    };
    Some(format!("00-{trace:0>32}-{span}-{flags}"))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Ids that are all zeros are invalid by W3C's rules.
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        parent(&map)
    }

    const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_sound_traceparent_passes_as_it_is_and_beats_b3() {
        let b3 = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1");
        assert_eq!(of(&[("traceparent", W3C), b3]).as_deref(), Some(W3C));
        let later = format!("cc{}-more", &W3C[2..]);
        assert_eq!(of(&[("traceparent", &later)]), Some(later));
    }

    #[test]
    fn b3_in_one_header_or_in_four_becomes_a_traceparent() {
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
    fn what_is_not_sound_is_dropped() {
        for wrong in [
            "",
            "00",
            &W3C[..54],
            &format!("{W3C}-more"),
            &W3C.to_uppercase(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &format!("ff{}", &W3C[2..]),
        ] {
            assert_eq!(of(&[("traceparent", wrong)]), None, "{wrong}");
        }
        assert_eq!(of(&[("b3", "0")]), None);
        assert_eq!(of(&[("b3", "zz-zz-1")]), None);
        assert_eq!(
            of(&[("x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7")]),
            None
        );
    }
}
