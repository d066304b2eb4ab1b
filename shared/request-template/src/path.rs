//! Segments of a path that a record's values are in.

/// The value as a part of one segment, or of a query.
pub(crate) fn encode(value: &str) -> String {
    runtime::text::percent_encode(value)
}

/// Checks a segment with values of a record, which are percent-encoded.
///
/// # Errors
/// It is empty, or a server could take it, or a part of it, for a step to another level (RFC 3986, section 5.2.4). Some
/// servers decode `%2F`, `%5C` and `%2E` before they resolve `..`, and some ignore what follows a semicolon.
pub(crate) fn check(segment: &str) -> Result<(), String> {
    if segment.is_empty() {
        return Err("a segment of its path is empty".to_owned());
    }
    let decoded = segment
        .replace("%2E", ".")
        .replace("%2e", ".")
        .replace("%2F", "/")
        .replace("%2f", "/")
        .replace("%5C", "/")
        .replace("%5c", "/")
        .replace("%3B", ";")
        .replace("%3b", ";");
    let mut steps = decoded.split('/').map(|step| match step.split_once(';') {
        Some((step, _)) => step,
        None => step,
    });
    match steps.any(|step| matches!(step, "." | "..")) {
        true => Err("a segment of its path is . or ..".to_owned()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_that_leads_to_another_level_is_an_error() {
        for segment in [
            "",
            ".",
            "..",
            "%2e%2E",
            ".%2e",
            "..;a=b",
            "..%3Ba",
            "..%2Fa",
            "a%2f..",
            "a%5C..%5Cb",
            "%2E",
        ] {
            assert!(check(segment).is_err(), "{segment}");
        }
        for segment in ["a", "...", "..a", "a.b", "%252e%252e", "a..b", "%2F", ";.."] {
            assert!(check(segment).is_ok(), "{segment}");
        }
    }

    #[test]
    fn a_value_has_only_unreserved_characters_and_escapes() {
        assert_eq!(
            encode("a/b?c#d%;\\\0\r\né@:&=+ "),
            "a%2Fb%3Fc%23d%25%3B%5C%00%0D%0A%C3%A9%40%3A%26%3D%2B%20"
        );
        assert_eq!(encode("aZ09-._~"), "aZ09-._~");
    }
}
