//! Idempotency keys between client and endpoint: header names and limits. Pure.
//!
//! For a container file, the ingest function appends the position of each record to the client's key. The limit in
//! Kafka and at the endpoint is larger than the limit for clients, so every accepted key reaches the endpoint
//! unchanged.

/// The HTTP header of a key, and the Kafka header in which the ingest function stores the client's key
/// (draft-ietf-httpapi-idempotency-key-header-06, section 2.1).
pub const HEADER: &str = "idempotency-key";

/// The metadata entry of a container file with the keys of its records, in order, joined by `\n`.
pub const CONTAINER_KEYS: &str = "frontdoor.idempotency-keys";

/// The maximum length of a client's key, in characters.
pub const MAX_CLIENT_KEY_LENGTH: usize = 255;

/// The maximum length of a key in Kafka and at an endpoint, in characters.
pub const MAX_LENGTH: usize = 1024;

/// The maximum length of the suffix for a container: `/` and a position of 64 bits.
const MAX_SUFFIX_LENGTH: usize = 1 + 20;
const _: () = assert!(MAX_CLIENT_KEY_LENGTH + MAX_SUFFIX_LENGTH <= MAX_LENGTH);

/// Whether the text is a valid key: 1 to [`MAX_LENGTH`] characters of printable ASCII, the characters of a string in a
/// structured field (RFC 9651, section 3.3.3).
pub fn is_key(text: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The key of the record at this position, counted from 1, of a container file with the client's key.
pub fn in_container(key: &str, position: u64) -> String {
    format!("{key}/{position}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_a_position_is_valid() {
        let longest = "k".repeat(MAX_CLIENT_KEY_LENGTH);
        assert!(is_key(longest.as_bytes()));
        assert!(is_key(in_container(&longest, u64::MAX).as_bytes()));
    }

    #[test]
    fn a_key_is_bounded_and_printable() {
        assert!(is_key(b" a\"b\\c~"));
        assert!(is_key(&[b'k'; MAX_LENGTH]));
        for wrong in [
            &b""[..],
            b"a\nb",
            b"\x7f",
            "é".as_bytes(),
            &[b'k'; MAX_LENGTH + 1],
        ] {
            assert!(!is_key(wrong), "{wrong:?}");
        }
    }
}
