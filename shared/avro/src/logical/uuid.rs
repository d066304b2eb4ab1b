//! UUIDs of 16 bytes, as text of RFC 9562.

use std::fmt::Write;

/// The text, in lower case.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        write!(text, "{byte:02x}").ok()?;
    }
    (bytes.len() == 16).then_some(text)
}

/// The bytes of a text, in lower or upper case.
pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let has_hyphens = bytes.len() == 36 && [8, 13, 18, 23].iter().all(|at| bytes[*at] == b'-');
    let digits = bytes.iter().filter(|byte| **byte != b'-');
    let digits = digits.map(|digit| char::from(*digit).to_digit(16).map(|value| value as u8));
    let digits: Vec<u8> = digits.collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let is_uuid = has_hyphens && pairs.len() == 16 && rest.is_empty();
    is_uuid.then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_32_digits_and_four_hyphens() {
        let bytes: Vec<u8> = (0xf0..=0xff).collect();
        let expected = "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff";
        assert_eq!(text(&bytes).as_deref(), Some(expected));
        assert_eq!(parse(expected), Some(bytes.clone()));
        assert_eq!(parse(&expected.to_uppercase()), Some(bytes));
        for text in [
            "",
            "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfef",
            "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfefg",
            "f0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfe-f",
            "f0f1f2f34-f5-f6f7-f8f9-fafbfcfdfeff-",
            "+0f1f2f3-f4f5-f6f7-f8f9-fafbfcfdfeff",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(super::text(&[0; 15]), None);
    }
}
