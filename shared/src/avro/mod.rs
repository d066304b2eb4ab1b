//! Avro: bytes ⇄ records. The only place that sees inside a datum.
//!
//! A [`Schema`] is parsed and compiled once; after that, every question about bytes is answered by one walk over
//! them that allocates nothing.

use std::sync::Arc;

/// A parsed Avro schema, compiled for walking; cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema(#[allow(dead_code)] Arc<str>);

/// The schema is not valid Avro, or outside our limits.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub String);

/// Why bytes are not one datum of the schema: what is wrong, where in the bytes, and in which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {offset}{}", if path.is_empty() { String::new() } else { format!(", in field {path}") })]
pub struct Fault {
    /// Where in the datum, from 0.
    pub offset: usize,
    /// The field, as `address.lines[2]`; empty for the datum itself.
    pub path: String,
    /// What is wrong, as a phrase: "the datum ends inside a string of 12 bytes".
    pub reason: String,
}

/// Why a JSON value does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, found {found}", if path.is_empty() { "the value" } else { path })]
pub struct Mismatch {
    /// The field, as `address.lines[2]`; empty for the value itself.
    pub path: String,
    /// What the schema asks for.
    pub expected: String,
    /// What the JSON holds.
    pub found: String,
}

/// One captured field of a datum, borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// `null`, and the null branch of a union.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `int` and `long`.
    Int(i64),
    /// `float` and `double`.
    Double(f64),
    /// `string`, and the symbol of an `enum`.
    Str(&'a str),
    /// `bytes` and `fixed`.
    Bytes(&'a [u8]),
    /// A record, array, map, as the bytes that encode it.
    Complex(&'a [u8]),
}

/// Reads a few named fields while it validates the whole datum.
#[derive(Clone, Debug)]
pub struct Projection {}

impl Projection {
    /// Validates the whole datum and stores the wanted fields, in the order in which they were named, into
    /// `fields` (cleared first; no allocation once it has grown).
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    pub fn read<'a>(&self, _datum: &'a [u8], _fields: &mut Vec<Field<'a>>) -> Result<(), Fault> {
        unimplemented!()
    }
}

impl Schema {
    /// Parses and compiles a schema from its JSON text.
    ///
    /// # Errors
    /// No valid Avro schema, or one outside the limits.
    pub fn parse(_json: &str) -> Result<Self, SchemaError> {
        unimplemented!()
    }

    /// The record's full name.
    pub fn name(&self) -> &str {
        unimplemented!()
    }

    /// The schema's own JSON text.
    pub fn json(&self) -> &str {
        unimplemented!()
    }

    /// CRC-64-AVRO of the canonical form, little-endian as in the header of a single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        unimplemented!()
    }

    /// Proves that the bytes are exactly one datum: nothing missing, nothing wrong, nothing left over.
    ///
    /// # Errors
    /// The first fault met.
    pub fn validate(&self, _datum: &[u8]) -> Result<(), Fault> {
        unimplemented!()
    }

    /// Prepares a projection of the named fields (`id`, `address.city`).
    ///
    /// # Errors
    /// The schema has no such field.
    pub fn projection(&self, _fields: &[&str]) -> Result<Projection, SchemaError> {
        unimplemented!()
    }

    /// The datum as JSON for people (unions without their branch names).
    ///
    /// # Errors
    /// The bytes are not exactly one datum.
    pub fn to_json(&self, _datum: &[u8]) -> Result<serde_json::Value, Fault> {
        unimplemented!()
    }

    /// A JSON value as one raw datum.
    ///
    /// # Errors
    /// The value does not fit the schema.
    pub fn from_json(&self, _value: &serde_json::Value) -> Result<Vec<u8>, Mismatch> {
        unimplemented!()
    }
}

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
    pub fn of(_bytes: &[u8]) -> Self {
        unimplemented!()
    }
}
