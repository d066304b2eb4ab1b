//! Trims values that were copied and pasted. Pure.
//!
//! The rule is the same for an environment variable, a line of `config.properties` and the content of a secret: white
//! space and byte order marks at both ends are removed, then one pair of quotes that encloses the rest: `"…"`, `'…'` or
//! `“…”`. The text between the quotes is not changed.

/// Opening and closing quotes. Word processors and the tutorial's web page use the last pair.
const PAIRS: &[(char, char)] = &[('"', '"'), ('\'', '\''), ('“', '”')];

/// The value without surrounding white space and quotes.
pub(crate) fn value(text: &str) -> &str {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    PAIRS
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open)?.strip_suffix(*close))
        .unwrap_or(text)
}

/// The content of a secret as a value.
///
/// # Errors
/// It is not text, or empty after trimming. The reason never contains the content.
pub(crate) fn secret(bytes: Vec<u8>) -> Result<String, &'static str> {
    let text = String::from_utf8(bytes).map_err(|_| "its content is not UTF-8 text")?;
    let text = value(&text);
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
    fn removes_white_space_and_one_pair_of_quotes() {
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
            assert_eq!(value(pasted), "FrontDoorTopic", "{pasted:?}");
        }
    }

    #[test]
    fn keeps_unpaired_quotes() {
        for kept in ["a\"b", "\"a", "a'", "'a\"", "\"", "“a\""] {
            assert_eq!(value(kept), kept);
        }
        assert_eq!(value("\" a \""), " a ");
        assert_eq!(value("\"'a'\""), "'a'");
        assert_eq!(value("\"\""), "");
    }

    #[test]
    fn rejects_an_unusable_secret_without_showing_it() {
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
