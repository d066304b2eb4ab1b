//! What a record's headers say about its schema.

use avro::FINGERPRINT_HEADER;
use avro::confluent::{SchemaHeader, VALUE_SCHEMA_ID};

/// The length of a fingerprint in hex digits.
const FINGERPRINT_DIGITS: usize = 16;

/// The headers of a record that say how its value is encoded. Headers of one name with different contents count as
/// malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaHeaders {
    /// [`FINGERPRINT_HEADER`]: 16 hex digits. `Some(None)`: its value is malformed, empty or absent.
    pub(crate) fingerprint: Option<Option<[u8; 8]>>,
    /// [`VALUE_SCHEMA_ID`]. `Some(None)`: its value is malformed.
    pub(crate) registered: Option<Option<SchemaHeader>>,
    /// Whether `content-type` is `avro/binary`.
    pub(crate) is_avro_binary: bool,
}

impl SchemaHeaders {
    /// Takes a header into account. Headers of other names have no effect.
    #[inline]
    pub fn add(&mut self, name: &[u8], value: Option<&[u8]>) {
        if name == FINGERPRINT_HEADER.as_bytes() {
            add(&mut self.fingerprint, value.and_then(fingerprint));
        } else if name == VALUE_SCHEMA_ID.as_bytes() {
            add(&mut self.registered, value.and_then(SchemaHeader::parse));
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.is_avro_binary = value.is_some_and(|value| value == b"avro/binary");
        }
    }
}

fn add<T: PartialEq>(header: &mut Option<Option<T>>, content: Option<T>) {
    match header {
        None => *header = Some(content),
        Some(first) if *first != content => *first = None,
        Some(_) => {}
    }
}

/// Parses hex digits of either case.
fn fingerprint(digits: &[u8]) -> Option<[u8; 8]> {
    if digits.len() != FINGERPRINT_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINGERPRINT: [u8; 8] = [0x51, 0xd5, 0x28, 0xbe, 0x20, 0xc8, 0xa6, 0xcc];

    #[test]
    fn a_fingerprint_has_16_digits_of_either_case() {
        for digits in ["51d528be20c8a6cc", "51D528BE20C8A6CC"] {
            assert_eq!(fingerprint(digits.as_bytes()), Some(FINGERPRINT));
        }
        // The same bytes cut, in another notation, and what other systems may write.
        for other in [
            &b""[..],
            b"51d528be20c8a6c",
            b"51d528be20c8a6cc0",
            b" 51d528be20c8a6cc",
            b"0x51d528be20c8a6",
            b"51d528be20c8a6c\xff",
            &FINGERPRINT,
            b"com.example.User",
        ] {
            assert_eq!(fingerprint(other), None);
        }
    }

    #[test]
    fn headers_that_contradict_each_other_are_malformed() {
        let mut headers = SchemaHeaders::default();
        headers.add(b"other", Some(b"x"));
        assert_eq!(headers, SchemaHeaders::default());
        headers.add(b"avro-schema-fingerprint", Some(b"51d528be20c8a6cc"));
        headers.add(b"avro-schema-fingerprint", Some(b"51D528BE20C8A6CC"));
        assert_eq!(headers.fingerprint, Some(Some(FINGERPRINT)));
        headers.add(b"avro-schema-fingerprint", None);
        assert_eq!(headers.fingerprint, Some(None));
        headers.add(b"__value_schema_id", Some(b"\x00\x00\x00\x00\x07"));
        assert_eq!(headers.registered, Some(Some(SchemaHeader::Id(7))));
        headers.add(b"__value_schema_id", Some(b"\x00\x00\x00\x00\x08"));
        assert_eq!(headers.registered, Some(None));
    }
}
