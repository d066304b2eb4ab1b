//! Small functions over text. Pure.

use std::error::Error;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;

/// Bytes as hex digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(digits);
    text
}

/// Percent-encodes everything except the unreserved characters of RFC 3986. Slashes are encoded too, so that the text is one
/// segment of a path.
pub fn percent_encode(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether the bytes are a JSON object or array, which clients send by mistake in place of Avro. Allocates nothing.
pub fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The innermost source of an error, such as the operating system's reason below an HTTP client's error.
pub fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A path. A leading `~/` is replaced by the home folder, as in a shell.
pub fn path(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn only_a_complete_object_or_array_is_json() {
        assert!(is_json(b" {\"id\":1}\n") && is_json(b"[1]"));
        for other in [&b""[..], b"{", b"7", b"{} {}", b"\x02{}"] {
            assert!(!is_json(other), "{other:?}");
        }
    }

    #[test]
    fn only_a_leading_tilde_is_the_home_folder() {
        let home = Some(Path::new("/home/me"));
        assert_eq!(
            path("~/.oci/config", home),
            Path::new("/home/me/.oci/config")
        );
        assert_eq!(path("/a/~/b", home), Path::new("/a/~/b"));
        assert_eq!(path("~/a", None), Path::new("~/a"));
    }
}
