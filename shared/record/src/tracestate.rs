//! The `tracestate` header of W3C Trace Context, level 1 (section 3.3). It belongs to a `traceparent`.

/// The name of the HTTP header and of the Kafka header.
pub const HEADER: &str = "tracestate";

/// The longest value that is passed on, in bytes: section 3.3.1.5 requires at least 512.
const MAX_LENGTH: usize = 512;
/// The most list members (section 3.3.1.1).
const MAX_MEMBERS: usize = 32;

/// Whether this is a valid value within the limits: `key=value,key=value`.
pub fn is_valid(value: &[u8]) -> bool {
    let members: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
    value.len() <= MAX_LENGTH
        && members.len() <= MAX_MEMBERS
        && members
            .into_iter()
            .all(|member| is_member(member.trim_ascii()))
}

/// A key in lower case and a printable value (sections 3.3.1.3.1 and 3.3.1.3.2).
fn is_member(member: &[u8]) -> bool {
    let Some(end) = member.iter().position(|byte| *byte == b'=') else {
        return false;
    };
    let (key, value) = (&member[..end], &member[end + 1..]);
    let is_key =
        |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte);
    (1..=256).contains(&key.len())
        && key.iter().all(is_key)
        && (1..=256).contains(&value.len())
        && value
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_lists_within_the_limits() {
        for valid in [
            "congo=t61rcWkgMzE",
            "rojo=00f067aa0ba902b7, congo=a b",
            "a@b=1",
        ] {
            assert!(is_valid(valid.as_bytes()), "{valid}");
        }
        let long = format!("a={}", "x".repeat(256));
        assert!(is_valid(long.as_bytes()));
        assert!(is_valid(vec!["a=1"; MAX_MEMBERS].join(",").as_bytes()));
    }

    #[test]
    fn rejects_malformed_and_long_values() {
        let long = format!("a={}", "x".repeat(257));
        let longer = format!("{},b={}", &long[..250], "x".repeat(256)) + ",c=1111111";
        let many = vec!["a=1"; MAX_MEMBERS + 1].join(",");
        for invalid in [
            "", "a", "=1", "a=", "A=1", "a=1,,b=2", "a=1=2", "a=\n", &long, &longer, &many,
        ] {
            assert!(!is_valid(invalid.as_bytes()), "{invalid}");
        }
    }
}
