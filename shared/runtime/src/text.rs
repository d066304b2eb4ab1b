//! Small things about text that more than one place needs. Pure.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

/// Bytes as hex digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Whether it is a JSON object or array, which is what people send by mistake where Avro is due. Looks only: nothing
/// is built.
pub fn is_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The innermost cause of an error, which is the one that says something.
pub fn cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A path, in which `~/` at the beginning stands for the home folder, as in a shell.
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
    fn bytes_are_two_digits_each() {
        assert_eq!(hex(&[0, 0x0a, 0xff]), "000aff");
        assert_eq!(hex(&[]), "");
    }

    #[test]
    fn only_a_whole_object_or_array_is_json() {
        assert!(is_json(b" {\"id\":1}\n") && is_json(b"[1]"));
        for other in [&b""[..], b"{", b"7", b"{} {}", b"\x02{}"] {
            assert!(!is_json(other), "{other:?}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_folder_at_the_beginning_only() {
        let home = Some(Path::new("/home/me"));
        assert_eq!(
            path("~/.oci/config", home),
            Path::new("/home/me/.oci/config")
        );
        assert_eq!(path("/a/~/b", home), Path::new("/a/~/b"));
        assert_eq!(path("~/a", None), Path::new("~/a"));
    }
}
