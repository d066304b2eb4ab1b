//! Values as people paste them. Pure: text in, value out.
//!
//! The rule, for an environment variable, a line of `config.properties` and the content of a secret alike: white space at
//! both ends is dropped (a final newline, a byte order mark, a space that came with the copy), then one pair of quotes
//! that encloses all the rest: `"…"`, `'…'` or `“…”`. What stands between the quotes is kept as it is.

/// The pairs that are taken for quotes; the last is what word processors and the tutorial's own page make of them.
const PAIRS: &[(char, char)] = &[('"', '"'), ('\'', '\''), ('“', '”')];

/// The value that was meant.
pub(super) fn trimmed(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    PAIRS
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
        .unwrap_or(text)
}

/// A secret's content as a value.
///
/// # Errors
/// It is not text, or nothing is left of it. The reason never holds the content.
pub(super) fn secret(bytes: Vec<u8>) -> Result<String, &'static str> {
    let text = String::from_utf8(bytes).map_err(|_| "its content is not UTF-8 text")?;
    let text = trimmed(&text);
    if text.is_empty() {
        return Err("its content is empty");
    }
    if text.contains('\0') {
        return Err("its content holds a NUL byte");
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_one_pair_of_quotes_are_dropped() {
        for pasted in [
            "FrontDoorTopic",
            "FrontDoorTopic\n",
            "  FrontDoorTopic \r\n\n",
            "\u{feff}FrontDoorTopic",
            "\u{a0}FrontDoorTopic\u{a0}",
            "\"FrontDoorTopic\"",
            " 'FrontDoorTopic'\n",
            "“FrontDoorTopic”",
        ] {
            assert_eq!(trimmed(pasted), "FrontDoorTopic", "{pasted:?}");
        }
    }

    #[test]
    fn what_only_looks_like_quotes_is_kept() {
        for kept in ["a\"b", "\"a", "a'", "'a\"", "\"", "“a\""] {
            assert_eq!(trimmed(kept), kept);
        }
        assert_eq!(trimmed("\" a \""), " a ");
        assert_eq!(trimmed("\"'a'\""), "'a'");
        assert_eq!(trimmed("\"\""), "");
    }

    #[test]
    fn a_secret_that_is_no_value_is_refused_without_showing_it() {
        assert_eq!(secret(b"token\n".to_vec()).unwrap(), "token");
        assert_eq!(secret(b" \n".to_vec()).unwrap_err(), "its content is empty");
        assert_eq!(
            secret(b"\"\"".to_vec()).unwrap_err(),
            "its content is empty"
        );
        assert_eq!(
            secret(vec![0xFF, b'x']).unwrap_err(),
            "its content is not UTF-8 text"
        );
        assert_eq!(
            secret(b"a\0b".to_vec()).unwrap_err(),
            "its content holds a NUL byte"
        );
    }
}
