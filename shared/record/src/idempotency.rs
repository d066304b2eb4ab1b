//! Idempotency keys on their way from caller to endpoint: what they are called on the wire, and what is one. Pure.
//!
//! A key grows on its way: the door adds a record's place to the caller's key for a container. The bound behind the
//! door has room for that, so that whatever key the door takes reaches the endpoint as it is.

/// The HTTP header that holds a key, and the Kafka header in which the door keeps the caller's
/// (draft-ietf-httpapi-idempotency-key-header-06, section 2.1).
pub const HEADER: &str = "idempotency-key";

/// The metadata key under which a container file brings its records' keys, in order, joined by `\n`.
pub const CONTAINER_KEYS: &str = "frontdoor.idempotency-keys";

/// The longest key that the door takes from a caller, in characters.
pub const LONGEST_OF_CALLER: usize = 255;

/// The longest key in the stream and at an endpoint, in characters.
pub const LONGEST: usize = 1024;

/// The most that the door adds to a caller's key: `/`, and a place of 64 bits.
const LONGEST_PLACE: usize = 1 + 20;
const _: () = assert!(LONGEST_OF_CALLER + LONGEST_PLACE <= LONGEST);

/// Whether this is a key that job and endpoint know a record by: 1 to [`LONGEST`] characters of printable ASCII, all
/// that a structured field's string can hold (RFC 9651, section 3.3.3).
pub fn is_key(text: &[u8]) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The key of the record at this place of a container, counted from 1, under the caller's key.
pub fn in_container(key: &str, place: u64) -> String {
    format!("{key}/{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_door_makes_of_a_callers_key_is_a_key() {
        let longest = "k".repeat(LONGEST_OF_CALLER);
        assert!(is_key(longest.as_bytes()));
        assert!(is_key(in_container(&longest, u64::MAX).as_bytes()));
    }

    #[test]
    fn a_key_is_bounded_and_printable() {
        assert!(is_key(b" a\"b\\c~"));
        assert!(is_key(&[b'k'; LONGEST]));
        for wrong in [
            &b""[..],
            b"a\nb",
            b"\x7f",
            "é".as_bytes(),
            &[b'k'; LONGEST + 1],
        ] {
            assert!(!is_key(wrong), "{wrong:?}");
        }
    }
}
