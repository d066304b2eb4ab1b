//! The `traceparent` header of W3C Trace Context, level 1 (section 3.2).

/// The name of the HTTP header and of the Kafka header.
pub const HEADER: &str = "traceparent";

/// The longest value that is accepted, in bytes. Only future versions are longer than 55.
const MAX_LENGTH: usize = 256;

/// Whether this is a valid value: `version-traceid-parentid-flags`.
///
/// A version later than `00` may have further parts (section 3.2.4).
pub fn is_valid(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'-');
    let (Some(version), Some(trace_id), Some(parent_id), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    value.len() <= MAX_LENGTH
        && is_hex(version, 2)
        && version != b"ff"
        && (version != b"00" || parts.next().is_none())
        && is_id(trace_id, 32)
        && is_id(parent_id, 16)
        && is_hex(flags, 2)
        && parts.all(|part| part.iter().all(u8::is_ascii_graphic))
}

/// Whether this is an id of so many hexadecimal digits. An id of zeros is invalid (sections 3.2.2.3 and 3.2.2.4).
pub fn is_id(text: &[u8], digits: usize) -> bool {
    is_hex(text, digits) && text.iter().any(|byte| *byte != b'0')
}

/// Whether these are so many hexadecimal digits in lower case.
fn is_hex(text: &[u8], digits: usize) -> bool {
    text.len() == digits
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn accepts_this_version_and_longer_later_versions() {
        assert!(is_valid(VALID.as_bytes()));
        assert!(is_valid(format!("cc{}-more", &VALID[2..]).as_bytes()));
    }

    #[test]
    fn rejects_other_lengths_digits_and_versions_and_ids_of_zeros() {
        for invalid in [
            "",
            "00",
            &VALID[..52],
            &VALID[..54],
            &format!("{VALID}-more"),
            &format!("{VALID}\r\nx: y"),
            &format!("cc{}-\r\nx: y", &VALID[2..]),
            &format!("cc{}-{}", &VALID[2..], "x".repeat(256)),
            &VALID.to_uppercase(),
            "00-zzf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &format!("ff{}", &VALID[2..]),
        ] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
