//! The method and the headers of a route's requests.

use std::collections::BTreeMap;

use delivery::request::{InvalidRecord, Records, RequestShape, Shape};
use http::Method;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use record::Message;
use request_template::Template;
use serde::Deserialize;
use settings::Settings;

use super::reserved::is_reserved;
use super::template;

/// The most headers of a route, and the most values of Kafka headers in one request.
const MAX_HEADERS: usize = 64;

/// The maximum length of a header value, in bytes.
const MAX_VALUE: usize = 4 << 10;

/// Method and headers of a route's requests, as far as they do not depend on the record's value. The target is the route's
/// URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteShape {
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Kafka headers that are copied.
    kafka_headers: Vec<HeaderName>,
}

/// The method, as it is written.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) enum MethodText {
    #[default]
    #[serde(rename = "POST")]
    Post,
    #[serde(rename = "PUT")]
    Put,
    #[serde(rename = "PATCH")]
    Patch,
}

/// The headers of a route, as they are written.
pub(super) struct HeadersText<'t> {
    pub(super) headers: &'t BTreeMap<String, String>,
    pub(super) kafka_headers: &'t [String],
}

/// Headers with placeholders.
pub(super) type HeaderTemplates = Vec<(HeaderName, Template)>;

impl RouteShape {
    /// Checks the members of a route that has requests of up to `batch` records. Returns the headers with placeholders
    /// too.
    ///
    /// # Errors
    /// A header has an invalid or reserved name, or an invalid value; or a batch would need the headers of one record.
    pub(super) fn resolve(
        method: MethodText,
        text: &HeadersText<'_>,
        batch: usize,
        settings: &Settings,
    ) -> Result<(Self, HeaderTemplates), String> {
        let HeadersText {
            headers,
            kafka_headers,
        } = text;
        if headers.len() + kafka_headers.len() > MAX_HEADERS {
            return Err(format!(
                "it has more than {MAX_HEADERS} headers and kafka_headers"
            ));
        }
        if batch > 1 && !kafka_headers.is_empty() {
            return Err(format!(
                "batch is {batch}, and kafka_headers are those of one record: set batch to 1"
            ));
        }
        let mut shape = Self {
            method: match method {
                MethodText::Post => Method::POST,
                MethodText::Put => Method::PUT,
                MethodText::Patch => Method::PATCH,
            },
            headers: Vec::new(),
            kafka_headers: Vec::new(),
        };
        let (mut names, mut templates) = (Vec::new(), Vec::new());
        for (name, text) in *headers {
            let header = new_name(name, &mut names)?;
            let invalid = |reason| format!("the value of the header {name:?} {reason}");
            let template = template::parse(text, settings)
                .map_err(|reason| format!("the value of the header {name:?}: {reason}"))?;
            if let Some(text) = template.constant() {
                let value = header_value(text.as_bytes()).map_err(invalid)?;
                shape.headers.push((header, value));
            } else if batch > 1 {
                return Err(format!(
                    "batch is {batch}, and the header {name:?} has a value of one record: set batch to 1"
                ));
            } else {
                templates.push((header, template));
            }
        }
        for name in *kafka_headers {
            let header = new_name(name, &mut names)?;
            shape.kafka_headers.push(header);
        }
        Ok((shape, templates))
    }
}

/// A name that is valid, not reserved, and not among `names`, to which it is added.
fn new_name(name: &str, names: &mut Vec<HeaderName>) -> Result<HeaderName, String> {
    let header =
        HeaderName::try_from(name).map_err(|_| format!("the header {name:?} has no valid name"))?;
    // Credentials belong into `auth`, which redacts them.
    if is_reserved(header.as_str()) || header == AUTHORIZATION {
        return Err(format!(
            "the header {name:?} is set by the job or belongs to the connection"
        ));
    }
    if names.contains(&header) {
        return Err(format!("the header {name:?} occurs twice"));
    }
    names.push(header.clone());
    Ok(header)
}

impl RequestShape for RouteShape {
    fn shape(&self, records: &Records<'_>) -> Result<Shape, InvalidRecord> {
        let mut headers = self.headers.clone();
        if let [message] = records.messages() {
            let copied = copy(&self.kafka_headers, message)
                .map_err(|reason| InvalidRecord { index: 0, reason })?;
            headers.extend(copied);
        }
        Ok(Shape {
            method: self.method.clone(),
            target: None,
            headers,
        })
    }
}

/// The values of these Kafka headers, in the order of the record. A header without a value is skipped.
fn copy(names: &[HeaderName], message: &Message) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut copied = Vec::new();
    for (name, value) in &message.headers {
        let is_copied = |known: &&HeaderName| known.as_str().eq_ignore_ascii_case(name);
        let (Some(name), Some(value)) = (names.iter().find(is_copied), value) else {
            continue;
        };
        if copied.len() == MAX_HEADERS {
            return Err(format!(
                "it has more than {MAX_HEADERS} values of kafka_headers"
            ));
        }
        let value = header_value(value)
            .map_err(|reason| format!("the value of its Kafka header {name} {reason}"))?;
        copied.push((name.clone(), value));
    }
    Ok(copied)
}

/// Printable ASCII without spaces at the ends: servers disagree on everything else (RFC 9110, section 5.5).
fn header_value(value: &[u8]) -> Result<HeaderValue, String> {
    if value.len() > MAX_VALUE {
        return Err(format!("has more than {MAX_VALUE} bytes"));
    }
    if !value.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("has characters other than printable ASCII".to_owned());
    }
    if value.first() == Some(&b' ') || value.last() == Some(&b' ') {
        return Err("begins or ends with a space".to_owned());
    }
    HeaderValue::from_bytes(value).map_err(|_| "is not valid".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::RouteConfig;
    use super::*;
    use proptest::prelude::*;

    fn shape(members: &str) -> Result<RouteShape, String> {
        let text = format!(
            "version: 1\nroutes:\n- {{name: A, when: 'true', url: 'http://a', {members}}}\n"
        );
        let routes = RouteConfig::parse(&text, &Settings::default())?;
        Ok(routes[0].shape.clone())
    }

    #[test]
    fn the_default_is_post_without_headers() {
        let shape = shape("").unwrap();
        assert_eq!(shape.method, Method::POST);
        assert!(shape.headers.is_empty() && shape.kafka_headers.is_empty());
    }

    #[test]
    fn an_invalid_or_reserved_header_is_an_error_at_the_start() {
        for (members, expected) in [
            ("method: DELETE", "unknown variant"),
            ("method: post", "unknown variant"),
            ("headers: {'a b': x}", "has no valid name"),
            ("headers: {\"a\\r\\nb\": x}", "has no valid name"),
            ("headers: {'': x}", "has no valid name"),
            ("headers: {Host: x}", "is set by the job"),
            ("headers: {Transfer-Encoding: x}", "is set by the job"),
            ("kafka_headers: [TraceParent]", "is set by the job"),
            ("kafka_headers: [Authorization]", "is set by the job"),
            ("headers: {ce-id: x}", "is set by the job"),
            ("headers: {X: a, x: b}", "occurs twice"),
            ("headers: {X: a}, kafka_headers: [x]", "occurs twice"),
            (
                "headers: {X: \"a\\r\\nb: c\"}",
                "other than printable ASCII",
            ),
            ("headers: {X: é}", "other than printable ASCII"),
            ("headers: {X: ' a'}", "begins or ends with a space"),
            (
                "headers: {X: '{id'}",
                "a { without }: write {{ for the character (at character 1)",
            ),
            ("headers: {X: '{id}', x: a}", "occurs twice"),
            ("headers: {Host: '{id}'}", "is set by the job"),
            (
                "headers: {X: '{id}'}, batch: 2",
                "has a value of one record: set batch to 1",
            ),
            ("headers: {X: '${NO_SUCH}'}", "unknown setting NO_SUCH"),
            ("kafka_headers: [x], batch: 2", "set batch to 1"),
        ] {
            let error = shape(members).unwrap_err();
            assert!(error.contains(expected), "{members}: {error}");
        }
    }

    #[test]
    fn a_route_has_a_bounded_number_of_headers() {
        let names: Vec<String> = (0..=MAX_HEADERS).map(|n| format!("x{n}")).collect();
        let of = |count: usize| format!("kafka_headers: [{}]", names[..count].join(", "));
        assert!(shape(&of(MAX_HEADERS)).is_ok());
        assert!(shape(&of(MAX_HEADERS + 1)).is_err());
    }

    proptest! {
        #[test]
        fn a_value_that_could_end_a_header_is_never_accepted(value: Vec<u8>) {
            if let Ok(header) = header_value(&value) {
                prop_assert!(header.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte)));
                prop_assert_eq!(header.as_bytes(), &value[..]);
            }
        }
    }
}
