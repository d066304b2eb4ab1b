//! The context attributes of a CloudEvent in binary mode, from the HTTP binding to the Kafka binding (CloudEvents 1.0.2).

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::DateTime;
use http::header::{HeaderMap, HeaderValue};
use http_server::problem::Problem;
use kafka::producer::MessageHeader;
use percent_encoding::percent_decode;

use crate::ingest::problems::{HEADER_FIELDS_TOO_LARGE, INVALID_EVENT};

/// What the names of the attributes' headers begin with in HTTP.
const HTTP_PREFIX: &str = "ce-";
/// The same in Kafka.
const KAFKA_PREFIX: &str = "ce_";
/// The attributes that every event has, beside `specversion`.
const REQUIRED: [&str; 3] = ["id", "source", "type"];
/// The most attributes.
const MAX_ATTRIBUTES: usize = 64;
/// The most bytes of all attributes together.
const MAX_BYTES: usize = 16 << 10;

/// The Kafka headers of the event's context attributes, sorted by name; none if the request is not an event in binary mode:
/// if it has no header with the prefix `ce-`.
///
/// # Errors
/// An attribute is missing or invalid, or there are too many.
pub(super) fn headers(headers: &HeaderMap, is_list: bool) -> Result<Vec<MessageHeader>, Problem> {
    let attributes = attributes(headers)?;
    if attributes.is_empty() {
        return Ok(Vec::new());
    }
    check(&attributes, is_list).map_err(|reason| {
        let detail = format!("The CloudEvent is invalid: {reason}. Nothing was published.");
        Problem::new(&INVALID_EVENT, detail).with_member("reason", reason)
    })?;
    let header = |(name, value): (&str, Result<String, _>)| {
        let name = Cow::Owned(format!("{KAFKA_PREFIX}{name}"));
        value.ok().map(|value| (name, value.into()))
    };
    Ok(attributes.into_iter().filter_map(header).collect())
}

/// The value of each attribute by its name, or what is wrong with it.
type Attributes<'a> = BTreeMap<&'a str, Result<String, &'static str>>;

fn attributes(headers: &HeaderMap) -> Result<Attributes<'_>, Problem> {
    let mut found = Attributes::new();
    let mut bytes = 0;
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix(HTTP_PREFIX) else {
            continue;
        };
        bytes += name.len() + value.len();
        if found.len() == MAX_ATTRIBUTES || bytes > MAX_BYTES {
            let detail = format!(
                "The CloudEvent has more than {MAX_ATTRIBUTES} attributes, or they have more than {MAX_BYTES} bytes. \
                 Nothing was published."
            );
            return Err(Problem::new(&HEADER_FIELDS_TOO_LARGE, detail));
        }
        let value = match found.contains_key(name) {
            true => Err("it occurs more than once"),
            false => decode(value),
        };
        found.insert(name, value);
    }
    Ok(found)
}

fn check(attributes: &Attributes<'_>, is_list: bool) -> Result<(), String> {
    for (name, value) in attributes {
        let value = value
            .as_ref()
            .map_err(|reason| format!("ce-{name}: {reason}"))?;
        check_attribute(name, value).map_err(|reason| format!("ce-{name}: {reason}"))?;
    }
    match attributes.get("specversion") {
        Some(Ok(version)) if version == "1.0" => {}
        Some(_) => return Err("ce-specversion: only 1.0 is supported".to_owned()),
        None => return Err("ce-specversion is missing".to_owned()),
    }
    if let Some(missing) = REQUIRED
        .iter()
        .find(|name| !attributes.contains_key(**name))
    {
        return Err(format!("ce-{missing} is missing"));
    }
    if is_list {
        let reason = "its body is a list of records, and all of them would have the event's id: send one record";
        return Err(reason.to_owned());
    }
    Ok(())
}

/// Checks the name and the value of one attribute (specification, "Context Attributes").
fn check_attribute(name: &str, value: &str) -> Result<(), &'static str> {
    if name.is_empty()
        || !name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    {
        return Err("a name has only letters and digits");
    }
    match name {
        "data" | "datacontenttype" => Err("the body and Content-Type have this"),
        "id" | "type" | "subject" if value.is_empty() => Err("it is empty"),
        "source" | "dataschema" if value.is_empty() || !value.bytes().all(is_uri_byte) => {
            Err("it is not a URI")
        }
        "dataschema" if !has_scheme(value) => Err("it is not an absolute URI"),
        "time" if DateTime::parse_from_rfc3339(value).is_err() => {
            Err("it is not a timestamp of RFC 3339")
        }
        _ => Ok(()),
    }
}

/// Decodes a header's value (HTTP binding, 3.1.3.2): first the quotes of a quoted string, then percent-encoding.
fn decode(value: &HeaderValue) -> Result<String, &'static str> {
    let bytes = unquote(value.as_bytes().trim_ascii())?;
    let text = percent_decode(&bytes)
        .decode_utf8()
        .map_err(|_| "it is not UTF-8")?;
    match text.chars().all(is_allowed) {
        true => Ok(text.into_owned()),
        false => Err("it has control characters or noncharacters"),
    }
}

fn unquote(bytes: &[u8]) -> Result<Cow<'_, [u8]>, &'static str> {
    const UNBALANCED: &str = "its quotes are not balanced";
    let Some(quoted) = bytes.strip_prefix(b"\"") else {
        return Ok(Cow::Borrowed(bytes));
    };
    let mut unquoted = Vec::with_capacity(quoted.len());
    let mut rest = quoted.iter();
    loop {
        match rest.next().ok_or(UNBALANCED)? {
            b'"' => break,
            b'\\' => unquoted.push(*rest.next().ok_or(UNBALANCED)?),
            byte => unquoted.push(*byte),
        }
    }
    match rest.next() {
        None => Ok(Cow::Owned(unquoted)),
        Some(_) => Err(UNBALANCED),
    }
}

/// Whether a string of the type system may have this character.
fn is_allowed(character: char) -> bool {
    let code = u32::from(character);
    let is_noncharacter = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    !character.is_control() && !is_noncharacter
}

/// Whether a URI reference may have this byte (RFC 3986, section 2).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn has_scheme(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const EVENT: [(&str, &str); 4] = [
        ("ce-specversion", "1.0"),
        ("ce-id", "A-1"),
        ("ce-source", "/orders"),
        ("ce-type", "org.example.order"),
    ];

    /// The Kafka headers of [`EVENT`] with other values for some headers; `None` removes one.
    fn event(changes: &[(&str, Option<&[u8]>)]) -> Result<Vec<(String, String)>, u16> {
        let mut map = HeaderMap::new();
        for (name, value) in EVENT {
            map.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in changes {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            match value {
                Some(value) => drop(map.insert(name, HeaderValue::from_bytes(value).unwrap())),
                None => drop(map.remove(name)),
            }
        }
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        match headers(&map, false) {
            Ok(found) => Ok(found
                .iter()
                .map(|(name, value)| (name.to_string(), text(value)))
                .collect()),
            Err(problem) => Err(problem.kind().status.as_u16()),
        }
    }

    #[test]
    fn attributes_get_the_prefix_of_kafka_and_are_decoded() {
        assert_eq!(headers(&HeaderMap::new(), true).unwrap(), []);
        let found = event(&[
            ("ce-subject", Some(b"Euro%20%E2%82%AC%20%F0%9F%98%80")),
            ("CE-Time", Some(b"2026-11-27T10:00:00.5+01:00")),
            ("ce-traceid", Some(br#""a \"b\" %25""#)),
            ("ce-empty", Some(b"")),
        ]);
        let expected = [
            ("ce_empty", ""),
            ("ce_id", "A-1"),
            ("ce_source", "/orders"),
            ("ce_specversion", "1.0"),
            ("ce_subject", "Euro \u{20ac} \u{1f600}"),
            ("ce_time", "2026-11-27T10:00:00.5+01:00"),
            ("ce_traceid", "a \"b\" %"),
            ("ce_type", "org.example.order"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn an_invalid_attribute_is_a_400() {
        let invalid: &[(&str, Option<&[u8]>)] = &[
            ("ce-specversion", None),
            ("ce-specversion", Some(b"0.3")),
            ("ce-id", None),
            ("ce-id", Some(b"")),
            ("ce-source", None),
            ("ce-source", Some(b"a%20b")),
            ("ce-type", Some(b"\"\"")),
            ("ce-subject", Some(b"")),
            ("ce-time", Some(b"yesterday")),
            ("ce-dataschema", Some(b"/relative")),
            ("ce-datacontenttype", Some(b"avro/binary")),
            ("ce-data", Some(b"x")),
            ("ce-", Some(b"x")),
            ("ce-with_line", Some(b"x")),
            ("ce-x", Some(b"\xff")),
            ("ce-x", Some(b"%FF")),
            ("ce-x", Some(b"%0A")),
            ("ce-x", Some(b"%EF%BF%BF")),
            ("ce-x", Some(b"\"open")),
            ("ce-x", Some(b"\"closed\" not")),
        ];
        for change in invalid {
            assert_eq!(event(&[*change]), Err(400), "{change:?}");
        }
        let mut twice = HeaderMap::new();
        for (name, value) in EVENT.into_iter().chain([("ce-id", "B")]) {
            twice.append(name, HeaderValue::from_static(value));
        }
        assert_eq!(headers(&twice, false).unwrap_err().kind().status, 400);
        twice.insert("ce-id", HeaderValue::from_static("A"));
        headers(&twice, false).unwrap();
        assert_eq!(headers(&twice, true).unwrap_err().kind().status, 400);
    }

    #[test]
    fn too_many_or_too_large_attributes_are_a_431() {
        assert_eq!(event(&[("ce-x", Some(&[b'x'; MAX_BYTES]))]), Err(431));
        let names: Vec<String> = (0..MAX_ATTRIBUTES).map(|n| format!("ce-x{n}")).collect();
        let many: Vec<_> = names
            .iter()
            .map(|name| (name.as_str(), Some(&b"x"[..])))
            .collect();
        assert_eq!(event(&many), Err(431));
    }
}
