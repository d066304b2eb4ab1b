//! A sample: a record as a line of JSON, and the route that it expects. Pure.

use avro::{Schema, parse_json};
use bytes::Bytes;
use serde_json::{Map, Value};

/// The maximum memory of the parsed value of a line, in bytes.
const MAX_PARSED: usize = 64 << 20;

/// A record, and the route that it expects.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The datum; `None`: a tombstone.
    pub datum: Option<Bytes>,
    /// The Kafka key.
    pub key: Option<Bytes>,
    /// The Kafka headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// The timestamp of the record, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The expected route; `Some(None)`: no route.
    pub expect: Option<Option<String>>,
}

impl Sample {
    /// Parses a line, and encodes the value with the schema.
    ///
    /// # Errors
    /// The line is not a JSON object of this form, or its value does not fit the schema.
    pub fn parse(line: &[u8], schema: &Schema) -> Result<Self, String> {
        let value = parse_json(line, MAX_PARSED).map_err(|error| {
            // The line is the one of the sample.
            error
                .to_string()
                .replace(" at line 1 column ", " at column ")
        })?;
        let Value::Object(mut members) = value else {
            return Err("a sample is a JSON object such as {\"value\": …}".to_owned());
        };
        let value = members
            .shift_remove("value")
            .ok_or("the sample has no \"value\"; null is a tombstone")?;
        let datum = match value {
            Value::Null => None,
            value => Some(
                schema
                    .from_json(&value)
                    .map_err(|mismatch| format!("value: {mismatch}"))?
                    .into(),
            ),
        };
        let key = match members.shift_remove("key") {
            None | Some(Value::Null) => None,
            Some(Value::String(key)) => Some(key.into()),
            Some(_) => return Err("\"key\" must be a string".to_owned()),
        };
        let headers = match members.shift_remove("headers") {
            None => Vec::new(),
            Some(Value::Object(headers)) => kafka_headers(headers)?,
            Some(_) => return Err("\"headers\" must be an object".to_owned()),
        };
        let timestamp = match members.shift_remove("timestamp") {
            None => None,
            Some(timestamp) => {
                let millis = timestamp.as_i64();
                Some(millis.ok_or("\"timestamp\" must be a whole number of milliseconds")?)
            }
        };
        let expect = match members.shift_remove("expect") {
            None => None,
            Some(Value::Null) => Some(None),
            Some(Value::String(route)) => Some(Some(route)),
            Some(_) => return Err("\"expect\" must be the name of a route, or null".to_owned()),
        };
        if let Some(name) = members.keys().next() {
            let short: String = name.chars().take(40).collect();
            return Err(format!(
                "unknown member {short:?}: expected value, key, headers, timestamp and expect"
            ));
        }
        Ok(Self {
            datum,
            key,
            headers,
            timestamp,
            expect,
        })
    }
}

/// Headers of an object: a string, null, or a list of them for a header that occurs several times.
fn kafka_headers(members: Map<String, Value>) -> Result<Vec<(String, Option<Bytes>)>, String> {
    let mut headers = Vec::new();
    for (name, value) in members {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(text.into()),
                _ => {
                    return Err(
                        "the value of a header must be a string, null or a list of them".to_owned(),
                    );
                }
            };
            headers.push((name.clone(), value));
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#;

    fn parse(line: &[u8]) -> Result<Sample, String> {
        Sample::parse(line, &Schema::parse(SCHEMA).unwrap())
    }

    #[test]
    fn a_sample_has_a_value_and_what_belongs_to_it() {
        let line = br#" {"value": {"id": 1}, "key": "k", "headers": {"b": "1", "a": ["2", null]}, "timestamp": 5, "expect": "A"} "#;
        let header =
            |name: &str, value: Option<&'static str>| (name.to_owned(), value.map(Bytes::from));
        let expected = Sample {
            datum: Some(vec![2].into()),
            key: Some("k".into()),
            headers: vec![
                header("b", Some("1")),
                header("a", Some("2")),
                header("a", None),
            ],
            timestamp: Some(5),
            expect: Some(Some("A".to_owned())),
        };
        assert_eq!(parse(line), Ok(expected));
        let tombstone = parse(br#"{"value": null, "key": null, "expect": null}"#).unwrap();
        assert_eq!((tombstone.datum, tombstone.key), (None, None));
        assert_eq!(tombstone.expect, Some(None));
        assert_eq!(parse(br#"{"value": {"id": 1}}"#).unwrap().expect, None);
    }

    #[test]
    fn another_form_is_an_error() {
        let deep = format!("{{\"value\": {}1{}}}", "[".repeat(500), "]".repeat(500));
        let many = format!(
            "{{\"value\": {{\"id\": 1}}, \"x\": [{}0]}}",
            "{},".repeat(500_000)
        );
        let long = format!(
            "{{\"value\": {{\"id\": 1}}, \"{}\": 1}}",
            "x".repeat(100_000)
        );
        for (line, expected) in [
            (&b"hunter2"[..], "expected value at column 1"),
            (b"[]", "a sample is a JSON object"),
            (b"{\"value\": {\"id\": 1}", "EOF while parsing"),
            (b"{\"value\": {\"id\": 1}} {}", "trailing characters"),
            (b"{\"value\": \"\xff\"}", "invalid unicode"),
            (b"\xff\xfe{\0", "expected value"),
            (b"{}", "has no \"value\""),
            (b"{\"value\": {\"id\": 1, \"id\": 2}}", "occurs twice"),
            (b"{\"value\": 1, \"value\": 2}", "occurs twice"),
            (b"{\"value\": {\"id\": \"x\"}}", "value: "),
            (b"{\"value\": {\"id\": 1, \"x\": 2}}", "value: "),
            (
                b"{\"value\": {\"id\": 1}, \"valeu\": 1}",
                "unknown member \"valeu\"",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"key\": 1}",
                "\"key\" must be a string",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"headers\": []}",
                "\"headers\" must be an object",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"headers\": {\"a\": 1}}",
                "the value of a header",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"headers\": {\"a\": [[]]}}",
                "the value of a header",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"timestamp\": 1.5}",
                "\"timestamp\" must be",
            ),
            (
                b"{\"value\": {\"id\": 1}, \"expect\": 1}",
                "\"expect\" must be",
            ),
            (deep.as_bytes(), "recursion limit exceeded"),
            (many.as_bytes(), "more than 67108864 bytes"),
            (long.as_bytes(), "unknown member \"xxx"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected) && error.len() < 400, "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_a_sample_or_an_error(line: Vec<u8>, text: String) {
            let _ = parse(&line);
            let _ = parse(text.as_bytes());
            let _ = parse(format!("{{\"value\": {{\"id\": 1}}, {text}}}").as_bytes());
        }
    }
}
