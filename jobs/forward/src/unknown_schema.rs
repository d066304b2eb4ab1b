//! Whether a record's header names the schema that records are decoded with. Pure.
//!
//! The function writes the header [`FINGERPRINT_HEADER`]: the CRC-64-AVRO fingerprint of the schema's Parsing Canonical
//! Form as 16 hex digits, in the byte order of the single-object encoding. Bytes of another schema may decode without an
//! error, with the wrong fields; so a record whose header is not exactly this fingerprint is not decoded. That includes
//! a header that is malformed, empty, or of another system that uses the same name.

use avro::FINGERPRINT_HEADER;
use runtime::text::hex;

/// The length of a fingerprint in hex digits.
const DIGITS: usize = 16;

/// The header names another schema, or none that could be known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the header {FINGERPRINT_HEADER} {}; AVRO_SCHEMA has the fingerprint {}",
    describe(*.found), hex(.expected)
)]
pub struct UnknownSchema {
    /// The fingerprint in the header; `None` if its value is not one.
    found: Option<[u8; 8]>,
    /// The fingerprint of the configured schema.
    expected: [u8; 8],
}

impl UnknownSchema {
    /// Checks a header's value; `None` is a header without a value.
    ///
    /// # Errors
    /// It is not the fingerprint `expected`.
    pub fn check(value: Option<&[u8]>, expected: [u8; 8]) -> Result<(), Self> {
        match value.and_then(fingerprint) {
            Some(found) if found == expected => Ok(()),
            found => Err(Self { found, expected }),
        }
    }
}

fn fingerprint(digits: &[u8]) -> Option<[u8; 8]> {
    if digits.len() != DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some(number.to_be_bytes())
}

fn describe(fingerprint: Option<[u8; 8]>) -> String {
    match fingerprint {
        Some(fingerprint) => format!("names schema {}", hex(&fingerprint)),
        // The value is not repeated: it may have any length and content.
        None => format!("is not {DIGITS} hex digits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [u8; 8] = [0x51, 0xd5, 0x28, 0xbe, 0x20, 0xc8, 0xa6, 0xcc];

    fn refusal(value: Option<&[u8]>) -> String {
        UnknownSchema::check(value, OURS).unwrap_err().to_string()
    }

    #[test]
    fn accepts_its_own_fingerprint_in_either_case() {
        for value in ["51d528be20c8a6cc", "51D528BE20C8A6CC"] {
            assert_eq!(UnknownSchema::check(Some(value.as_bytes()), OURS), Ok(()));
        }
    }

    #[test]
    fn names_both_schemas() {
        assert_eq!(
            refusal(Some(b"51d528be20c8a6cd")),
            "the header avro-schema-fingerprint names schema 51d528be20c8a6cd; \
             AVRO_SCHEMA has the fingerprint 51d528be20c8a6cc"
        );
    }

    #[test]
    fn refuses_what_is_no_fingerprint_without_repeating_it() {
        let long = vec![b'a'; 1 << 20];
        // The same bytes as a number, in another notation, and cut; and what other systems may write.
        for value in [
            None,
            Some(&b""[..]),
            Some(b"51d528be20c8a6c"),
            Some(b"51d528be20c8a6cc0"),
            Some(b" 51d528be20c8a6cc"),
            Some(b"0x51d528be20c8a6"),
            Some(b"51d528be20c8a6c\xff"),
            Some(&OURS),
            Some(b"com.example.User"),
            Some(&long),
        ] {
            let refusal = refusal(value);
            assert!(refusal.contains("is not 16 hex digits"), "{refusal}");
            assert!(refusal.len() < 200);
        }
        let reversed = refusal(Some(b"cca6c820be28d551"));
        assert!(reversed.contains("names schema cca6c820be28d551"));
    }
}
