//! UUIDs of 16 bytes, as text of RFC 9562.

use uuid::Uuid;

/// The text, in lower case. `None` if there are not 16 bytes.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    Some(Uuid::from_slice(bytes).ok()?.to_string())
}

/// The bytes of a text, in lower or upper case.
pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    // The library reads other forms too, of other lengths.
    let uuid = Uuid::try_parse(text).ok().filter(|_| text.len() == 36)?;
    Some(uuid.into_bytes().to_vec())
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
