//! The text of a response body. Pure.

use runtime::redact;

/// The most bytes of a response body that are kept as the reason of a failure.
pub(super) const MAX_TEXT: usize = 1024;

/// Whether the media type is that of JSON.
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let media_type = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Masks secrets and replaces control characters and invalid UTF-8, so that the text can be written to logs and headers.
/// `is_cut`: the body is longer.
pub(super) fn printable(body: &[u8], is_cut: bool) -> String {
    // Secrets first: the other steps can cut one in two, and the rest would not be recognized.
    let text = redact::excerpt(body, is_cut);
    let text: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn response_text_is_printable_and_bounded() {
        assert_eq!(
            printable(b" no\r\nsuch \x1b[31mid\n", false),
            "no  such  [31mid"
        );
        assert!(printable(&[0xff; 1024], false).len() <= MAX_TEXT);
        assert!(printable("é".repeat(600).as_bytes(), true).len() <= MAX_TEXT);
    }
}
