//! The framing of Avro data: none, the single-object encoding, or a container file.
//!
//! Source: Avro specification 1.12, "Single-object encoding" and "Object Container Files".

use crate::{DecodeError, Schema};

/// The first bytes of a container file.
pub(super) const CONTAINER_MAGIC: [u8; 4] = *b"Obj\x01";

/// The first bytes of the single-object encoding. The writer schema's fingerprint follows.
const SINGLE_OBJECT_MAGIC: [u8; 2] = [0xc3, 0x01];

/// The length of the single-object encoding's header: magic and fingerprint.
pub(super) const SINGLE_OBJECT_HEADER: usize = 10;

/// How input is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One raw datum.
    Raw,
    /// An object container file; begins with `Obj\x01`.
    Container,
    /// The single-object encoding; begins with `C3 01`.
    SingleObject,
}

impl Framing {
    /// The framing by the first bytes only.
    ///
    /// A raw datum can begin with the same bytes, for example a record whose first field is the int −98. Use
    /// [`detect`](Self::detect) where raw datums are expected.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&CONTAINER_MAGIC) {
            Framing::Container
        } else if bytes.starts_with(&SINGLE_OBJECT_MAGIC) {
            Framing::SingleObject
        } else {
            Framing::Raw
        }
    }

    /// The framing by the first bytes and, if a raw datum could begin with them, by validation.
    ///
    /// A single object with the schema's own fingerprint is a single object. Otherwise bytes that are exactly one datum
    /// are a raw datum. Otherwise the first bytes decide.
    pub fn detect(schema: &Schema, bytes: &[u8]) -> Self {
        match Self::of(bytes) {
            Framing::Raw => Framing::Raw,
            Framing::SingleObject if single_object_datum(schema, bytes).is_ok() => {
                Framing::SingleObject
            }
            _ if schema.validate(bytes).is_ok() => Framing::Raw,
            by_magic => by_magic,
        }
    }
}

/// The fingerprint and the datum of a value that begins like a single-object encoding. The datum is not validated. A raw datum
/// can begin with the same bytes.
pub fn split_single_object(bytes: &[u8]) -> Option<([u8; 8], &[u8])> {
    let (fingerprint, datum) = bytes
        .strip_prefix(&SINGLE_OBJECT_MAGIC)?
        .split_first_chunk()?;
    Some((*fingerprint, datum))
}

/// The datum of a single-object encoding, not validated.
///
/// # Errors
/// The header is incomplete, or has another schema's fingerprint.
pub(super) fn single_object_datum<'a>(
    schema: &Schema,
    bytes: &'a [u8],
) -> Result<&'a [u8], DecodeError> {
    match split_single_object(bytes) {
        Some((fingerprint, datum)) if fingerprint == schema.fingerprint() => Ok(datum),
        Some((found, _)) => Err(DecodeError::UnknownFingerprint {
            found,
            expected: schema.fingerprint(),
        }),
        None => Err(DecodeError::malformed(
            bytes.len(),
            "the bytes end inside the header of a single-object encoding",
        )),
    }
}

/// Encodes a raw datum in the single-object encoding.
pub fn single_object(schema: &Schema, datum: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(SINGLE_OBJECT_HEADER + datum.len());
    out.extend_from_slice(&SINGLE_OBJECT_MAGIC);
    out.extend_from_slice(&schema.fingerprint());
    out.extend_from_slice(datum);
    out
}
