//! What a datum arrives in: nothing, a container file, or the single-object encoding.

use super::Schema;

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
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(&CONTAINER_MAGIC) {
            Framing::Container
        } else if bytes.starts_with(&SINGLE_OBJECT_MAGIC) {
            Framing::SingleObject
        } else {
            Framing::Raw
        }
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
