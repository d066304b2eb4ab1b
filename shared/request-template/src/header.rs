//! Header values with placeholders.

use http::header::{HeaderName, HeaderValue};
use routes::{RecordValues, ValueScope};

use crate::placeholder::Piece;
use crate::template::{Part, Template};

/// The maximum length of a value, in bytes.
const MAX_VALUE: usize = 8 << 10;

/// A header whose placeholders are compiled.
#[derive(Debug)]
pub(crate) struct Header {
    name: HeaderName,
    pub(crate) value: Vec<Piece>,
}

impl Header {
    /// # Errors
    /// A placeholder is invalid, or the text around it cannot be in a header.
    pub(crate) fn compile(
        name: HeaderName,
        template: &Template,
        scope: &ValueScope,
    ) -> Result<Self, String> {
        let sample: String = template
            .0
            .iter()
            .map(|part| match part {
                Part::Literal(text) => text,
                Part::Expression(_) => "x",
            })
            .collect();
        check(&sample)?;
        Ok(Self {
            name,
            value: Piece::compile(template, scope)?,
        })
    }

    /// The header for a record.
    ///
    /// # Errors
    /// A value is null, or cannot be in a header.
    pub(crate) fn header(
        &self,
        values: &RecordValues<'_>,
    ) -> Result<(HeaderName, HeaderValue), String> {
        let mut text = String::new();
        for piece in &self.value {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(placeholder) => {
                    text.push_str(&placeholder.value(values, MAX_VALUE)?);
                }
            }
        }
        check(&text)?;
        let value = HeaderValue::from_str(&text).map_err(|_| "is not valid".to_owned())?;
        Ok((self.name.clone(), value))
    }

    /// `the header x-id`, for messages.
    pub(crate) fn description(&self) -> String {
        format!("the header {}", self.name)
    }
}

/// Printable ASCII without spaces at the ends: servers disagree on everything else (RFC 9110, section 5.5).
fn check(text: &str) -> Result<(), String> {
    if text.len() > MAX_VALUE {
        return Err(format!("the value has more than {MAX_VALUE} bytes"));
    }
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err("the value has characters other than printable ASCII".to_owned());
    }
    if text.starts_with(' ') || text.ends_with(' ') {
        return Err("the value begins or ends with a space".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn header(text: &str, key: &[u8]) -> Result<String, String> {
        let scope = ValueScope::of_tombstones();
        let kafka = fixtures::kafka(key);
        let template = fixtures::template(text);
        let header = Header::compile(HeaderName::from_static("x"), &template, &scope)?;
        let (_, value) = header.header(&scope.values(&[], kafka))?;
        Ok(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_value_is_a_part_of_the_text() {
        assert_eq!(
            header("a {kafka.key}; b={kafka.offset}", b"x y"),
            Ok("a x y; b=2".to_owned())
        );
        assert_eq!(header("{kafka.key}", b""), Ok(String::new()));
    }

    #[test]
    fn a_value_that_cannot_be_in_a_header_is_an_error() {
        let long = [b'a'; MAX_VALUE + 1];
        let hostile: [&[u8]; 9] = [
            b"a\r\nx: y",
            b"a\nb",
            b"a\rb",
            b"a\0b",
            b"a\tb",
            "é".as_bytes(),
            b" a",
            b"a ",
            &long,
        ];
        for key in hostile {
            assert!(header("{kafka.key}", key).is_err(), "{key:?}");
        }
        for text in [" {kafka.key}", "é{kafka.key}", "{kafka.keys}"] {
            assert!(header(text, b"a").is_err(), "{text}");
        }
    }
}
