//! What a datum arrives in: nothing, a container file, or the single-object encoding.

use super::{DecodeError, Schema};

/// The first bytes of a container file.
pub(super) const CONTAINER_MAGIC: [u8; 4] = *b"Obj\x01";

/// The first bytes of a single-object encoding; the writer schema's fingerprint follows.
pub(super) const SINGLE_OBJECT_MAGIC: [u8; 2] = [0xc3, 0x01];

/// What arrived, by its first bytes (magic), before anything else is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No known magic: one raw datum.
    Raw,
    /// `Obj\x01`: an object container file.
    Container,
    /// `C3 01`: single-object encoding.
    SingleObject,
}

impl Framing {
    /// Tells the framing by the magic bytes at the start.
    ///
    /// A raw datum can begin with the same bytes (a record whose first field is the int −98 does): where raw data
    /// are expected too, ask [`detect`](Self::detect).
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&CONTAINER_MAGIC) {
            Framing::Container
        } else if bytes.starts_with(&SINGLE_OBJECT_MAGIC) {
            Framing::SingleObject
        } else {
            Framing::Raw
        }
    }

    /// Tells the framing by the magic bytes and, where a raw datum begins with those, by what the rest proves.
    ///
    /// The schema's own fingerprint is proof of a single object; else bytes that are exactly one datum are that
    /// datum; else the magic holds.
    pub fn detect(schema: &Schema, bytes: &[u8]) -> Self {
        match Self::of(bytes) {
            Framing::Raw => Framing::Raw,
            Framing::SingleObject if strip(schema, bytes).is_ok() => Framing::SingleObject,
            _ if schema.validate(bytes).is_ok() => Framing::Raw,
            magic => magic,
        }
    }
}

/// The datum inside a single-object encoding, unproven.
///
/// # Errors
/// No such encoding, or of another schema.
pub(super) fn strip<'a>(schema: &Schema, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let header = bytes.strip_prefix(&SINGLE_OBJECT_MAGIC);
    match header.and_then(|rest| rest.split_first_chunk::<8>()) {
        Some((fingerprint, datum)) if *fingerprint == schema.fingerprint() => Ok(datum),
        Some((fingerprint, _)) => Err(DecodeError::UnknownFingerprint {
            found: *fingerprint,
            expected: schema.fingerprint(),
        }),
        None => Err(DecodeError::broken(
            bytes.len(),
            "the bytes end inside the header of a single-object encoding",
        )),
    }
}

/// A raw datum in the single-object encoding.
pub fn single_object(schema: &Schema, datum: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(10 + datum.len());
    out.extend_from_slice(&SINGLE_OBJECT_MAGIC);
    out.extend_from_slice(&schema.fingerprint());
    out.extend_from_slice(datum);
    out
}
