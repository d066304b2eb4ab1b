//! Detects a binary body that a gateway decoded as text.
//!
//! A gateway passes a body as base64 or as a JSON string. For a string it decodes the body as UTF-8 and replaces every
//! byte that is not UTF-8 with U+FFFD. The result may still be a valid datum with other values. A U+FFFD that the
//! client sent looks the same and is rejected too; base64 preserves it. Any other conversion (ISO-8859-1, a dropped byte
//! order mark, changed line ends) is detected by `Content-Length`, if the gateway forwards that header. REST APIs may not
//! forward it.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

/// How a body that arrived as text differs from what the client sent, if a difference is detected.
pub(super) fn alteration(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    if body
        .windows(REPLACEMENT.len())
        .any(|bytes| bytes == REPLACEMENT)
    {
        return Some("it contains U+FFFD, which replaces bytes that are not UTF-8".to_owned());
    }
    // A gateway that decompresses a body may keep the length of the compressed one.
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let sent: usize = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (sent != body.len()).then(|| {
        let length = body.len();
        format!("it has {length} bytes, and Content-Length is {sent}")
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        let value = HeaderValue::from_static;
        fields
            .iter()
            .map(|(name, text)| (name.clone(), value(text)))
            .collect()
    }

    #[test]
    fn detects_the_replacement_character_and_another_length() {
        let none = headers(&[]);
        for text in ["\u{fffd}", "a\u{fffd}", "\u{fffd}a"] {
            assert!(
                alteration(&none, text.as_bytes())
                    .unwrap()
                    .contains("U+FFFD")
            );
        }
        let three = headers(&[(CONTENT_LENGTH, "3")]);
        let length = alteration(&three, b"abcd").unwrap();
        assert_eq!(length, "it has 4 bytes, and Content-Length is 3");
    }

    #[test]
    fn accepts_text_of_the_announced_length_or_of_an_unknown_one() {
        for fields in [
            &[][..],
            &[(CONTENT_LENGTH, "4")],
            &[(CONTENT_LENGTH, "many")],
            &[(CONTENT_LENGTH, "3"), (CONTENT_ENCODING, "gzip")],
        ] {
            assert_eq!(alteration(&headers(fields), "abé".as_bytes()), None);
        }
        assert_eq!(alteration(&headers(&[]), b"\xef\xbf"), None);
    }
}
