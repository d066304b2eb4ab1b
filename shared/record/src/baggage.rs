//! The `baggage` header of W3C Baggage (section 3): properties that callers attach to a trace.

/// The name of the HTTP header and of the Kafka header.
pub const HEADER: &str = "baggage";

/// The longest value that is passed on, in bytes: section 3.3.2 requires at least 8,192.
const MAX_LENGTH: usize = 8192;
/// The most list members; section 3.3.2 requires at least 64.
const MAX_MEMBERS: usize = 180;

/// Whether this is a valid value within the limits: `key=value;property,key=value`.
pub fn is_valid(value: &[u8]) -> bool {
    let is_member = |member: &[u8]| {
        let key = member.split(|byte| *byte == b'=').next();
        let key = key.unwrap_or_default().trim_ascii();
        key.len() < member.len() && !key.is_empty() && key.iter().all(is_token)
    };
    value.len() <= MAX_LENGTH
        && value.iter().all(|byte| matches!(byte, b' '..=b'~'))
        && value
            .split(|byte| *byte == b',')
            .take(MAX_MEMBERS + 1)
            .count()
            <= MAX_MEMBERS
        && value
            .split(|byte| *byte == b',')
            .all(|member| is_member(member.trim_ascii()))
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_lists_within_the_limits() {
        for valid in ["userId=alice", "a=1;p=2, b=%20", "a="] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        assert!(is_valid(
            format!("a={}", "x".repeat(MAX_LENGTH - 2)).as_bytes()
        ));
    }

    #[test]
    fn rejects_malformed_and_long_values() {
        let long = format!("a={}", "x".repeat(MAX_LENGTH - 1));
        let many = vec!["a=1"; MAX_MEMBERS + 1].join(",");
        for invalid in [
            "", "a", "=1", "a b=1", "a=1,,b=2", "a=\r\n", "é=1", &long, &many,
        ] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
