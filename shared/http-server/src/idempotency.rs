//! The `Idempotency-Key` request header (draft-ietf-httpapi-idempotency-key-header-06).
//!
//! The draft defines the value as a string of structured fields, in quotes (section 2.1). Most clients send the key
//! without quotes. Both forms are accepted and denote the same key.

use http::HeaderMap;
use record::idempotency::HEADER;

use crate::problem::{MALFORMED_HEADER, Problem};

/// The key without its quotes, or `None` if the request has no such header.
///
/// # Errors
/// There is more than one header field, or the key is empty, longer than `max_length` characters, or contains
/// characters that a string of structured fields cannot contain (RFC 9651, section 3.3.3).
pub fn parse_key(headers: &HeaderMap, max_length: usize) -> Result<Option<String>, Problem> {
    parse(headers, max_length).map_err(|reason| {
        let detail = format!("The Idempotency-Key header is invalid: {reason}.");
        Problem::new(&MALFORMED_HEADER, detail).with_member("reason", reason)
    })
}

fn parse(headers: &HeaderMap, max_length: usize) -> Result<Option<String>, String> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("it occurs more than once".to_owned());
    }
    let text = value.to_str().map_err(|_| NOT_PRINTABLE.to_owned())?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => parse_quoted(rest)?,
        None => parse_bare(text)?,
    };
    if key.is_empty() {
        return Err("the key is empty".to_owned());
    }
    if key.len() > max_length {
        return Err(format!("the key is longer than {max_length} characters"));
    }
    Ok(Some(key))
}

const NOT_PRINTABLE: &str = "it contains characters other than printable ASCII";

/// Parses the text after an opening quote.
///
/// Parameters may follow the closing quote. The draft defines none, and unknown parameters are ignored (RFC 9651,
/// section 3.1.2).
fn parse_quoted(text: &str) -> Result<String, String> {
    let mut key = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next() {
            Some('"') => break,
            Some('\\') => match rest.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => {
                    return Err("a backslash may only precede a quote or a backslash".to_owned());
                }
            },
            Some(plain @ ' '..='~') => key.push(plain),
            Some(_) => return Err(NOT_PRINTABLE.to_owned()),
            None => return Err("the closing quote is missing".to_owned()),
        }
    }
    match rest.as_str() {
        "" => Ok(key),
        parameters if parameters.starts_with(';') => Ok(key),
        _ => Err("text follows the closing quote".to_owned()),
    }
}

fn parse_bare(text: &str) -> Result<String, String> {
    match text
        .chars()
        .find(|c| !matches!(c, '!'..='~') || *c == '"' || *c == '\\')
    {
        None => Ok(text.to_owned()),
        Some(_) => {
            Err("a key without quotes may not contain a space, quote or backslash".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parsed(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        parse(&headers, 255)
    }

    #[test]
    fn a_quoted_and_a_bare_value_denote_the_same_key() {
        let expected = Ok(Some("8e03978e-40d5-43e8-bc93-6894a57f9324".to_owned()));
        assert_eq!(
            parsed(&[b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\""]),
            expected
        );
        assert_eq!(
            parsed(&[b" 8e03978e-40d5-43e8-bc93-6894a57f9324 "]),
            expected
        );
        assert_eq!(parsed(&[]), Ok(None));
        assert_eq!(
            parsed(&[b"\"a \\\"b\\\" \\\\ c\""]),
            Ok(Some("a \"b\" \\ c".to_owned()))
        );
    }

    #[test]
    fn ignores_parameters() {
        let expected = Ok(Some("c/t/0/7".to_owned()));
        assert_eq!(parsed(&[b"\"c/t/0/7\";v=1"]), expected);
        assert_eq!(parsed(&[b"  \"c/t/0/7\"; v=1 ; w "]), expected);
    }

    #[test]
    fn rejects_values_that_are_not_one_string_of_bounded_length() {
        let (too_long, longest) = ([b'a'; 256], [b'a'; 255]);
        assert!(parsed(&[&longest]).is_ok());
        let invalid: [&[&[u8]]; 14] = [
            &[b""],
            &[b" "],
            &[b"\"\""],
            &[b"\"a"],
            &[b"\"a\\"],
            &[b"\"a\"b"],
            &[b"\"a\" b"],
            &[b"\"a\\n\""],
            &[b"a b"],
            &[b"a\"b"],
            &[b"\xc3\xa9"],
            &[b"\"\t\""],
            &[&too_long],
            &[b"a", b"a"],
        ];
        for values in invalid {
            assert!(parsed(values).is_err(), "{values:?}");
        }
    }
}
