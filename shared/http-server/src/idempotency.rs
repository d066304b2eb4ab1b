//! The caller's `Idempotency-Key` header, as door and endpoint read it. Pure: header values in, one key out.
//!
//! The IETF draft (draft-ietf-httpapi-idempotency-key-header-06, section 2.1) makes it a structured field's string, in
//! quotes; most clients send the bare key. Both are taken, and both mean the same key.

use http::HeaderMap;
use record::idempotency::HEADER;

/// The caller's key without its quotes; `None` if there is none.
///
/// # Errors
/// More than one, empty, longer than `longest` characters, or with characters that no structured-field string can hold
/// (RFC 9651, 3.3.3); a phrase says which.
pub fn key(headers: &HeaderMap, longest: usize) -> Result<Option<String>, String> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("it is there more than once".to_owned());
    }
    let text = value
        .to_str()
        .map_err(|_| "it holds characters other than printable ASCII".to_owned())?
        .trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest)?,
        None => bare(text)?,
    };
    if key.is_empty() {
        return Err("it is empty".to_owned());
    }
    if key.len() > longest {
        return Err(format!("it is longer than {longest} characters"));
    }
    Ok(Some(key))
}

/// The text after an opening quote, up to its closing one. Parameters may follow; none has a meaning for a key, and
/// those without a meaning are skipped (RFC 9651, 3.1.2).
fn unquote(text: &str) -> Result<String, String> {
    let mut key = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next() {
            Some('"') => break,
            Some('\\') => match rest.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                _ => {
                    return Err(
                        "a backslash may only stand before a quote or a backslash".to_owned()
                    );
                }
            },
            Some(plain @ ' '..='~') => key.push(plain),
            Some(_) => return Err("it holds characters other than printable ASCII".to_owned()),
            None => return Err("its closing quote is missing".to_owned()),
        }
    }
    match rest.as_str() {
        "" => Ok(key),
        parameters if parameters.starts_with(';') => Ok(key),
        _ => Err("something follows the closing quote".to_owned()),
    }
}

fn bare(text: &str) -> Result<String, String> {
    match text
        .chars()
        .find(|c| !matches!(c, '!'..='~') || *c == '"' || *c == '\\')
    {
        None => Ok(text.to_owned()),
        Some(_) => Err("without quotes it may hold no space, quote or backslash".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers, 255)
    }

    #[test]
    fn quoted_and_bare_are_the_same_key() {
        let wanted = Ok(Some("8e03978e-40d5-43e8-bc93-6894a57f9324".to_owned()));
        assert_eq!(of(&[b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\""]), wanted);
        assert_eq!(of(&[b" 8e03978e-40d5-43e8-bc93-6894a57f9324 "]), wanted);
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(
            of(&[b"\"a \\\"b\\\" \\\\ c\""]),
            Ok(Some("a \"b\" \\ c".to_owned()))
        );
    }

    #[test]
    fn parameters_are_no_part_of_the_key() {
        let wanted = Ok(Some("c/t/0/7".to_owned()));
        assert_eq!(of(&[b"\"c/t/0/7\";v=1"]), wanted);
        assert_eq!(of(&[b"  \"c/t/0/7\"; v=1 ; w "]), wanted);
    }

    #[test]
    fn what_is_no_single_bounded_string_is_refused() {
        let (long, just) = ([b'a'; 256], [b'a'; 255]);
        assert!(of(&[&just]).is_ok());
        let wrong: [&[&[u8]]; 14] = [
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
            &[&long],
            &[b"a", b"a"],
        ];
        for values in wrong {
            assert!(of(values).is_err(), "{values:?}");
        }
    }
}
