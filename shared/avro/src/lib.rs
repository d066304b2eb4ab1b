//! Avro: bytes ⇄ records. The only place that sees inside a datum.
//!
//! A [`Schema`] is parsed and compiled once; after that, every question about bytes is answered by one walk over
//! them that allocates nothing. What arrives in a container file or a single-object encoding goes through
//! [`decode()`].
//!
//! What counts as one datum of a schema, where readers disagree (all others follow the specification): an `int`,
//! a union's index and an enum's symbol take at most five bytes and a `long` ten, though fewer might do; a block of
//! an array or map that states its byte size states it right; text is UTF-8; nesting is at most [`MAX_DEPTH`];
//! items without bytes are at most [`MAX_ZERO_LENGTH_ITEMS`]; no byte is left over. A logical type's own rules (a date's
//! range, a UUID's dashes) are not checked.
//!
//! The schema crate reads schemas' text. It does not read data: its stable version takes damaged ones for whole.

mod canonical;
pub mod container;
mod decode;
mod framing;
mod json_in;
mod json_out;
mod program;
mod projection;
mod resolve;
mod schema;
mod tree;
mod walk;
mod wire;

use std::sync::Arc;

/// The schema of the tutorial, which programs use where no other is configured: its file's name and its text.
pub const BUILT_IN_SCHEMA: (&str, &str) = (
    "schemas/user.avsc",
    include_str!("../../../schemas/user.avsc"),
);

pub use decode::{Data, DecodeError, Limits, decode};
pub use framing::{Framing, single_object};
pub use projection::{Field, Projection};
pub use walk::{MAX_DEPTH, MAX_ZERO_LENGTH_ITEMS};

use program::{Program, Wanted};
use schema::Origin;
use tree::Tree;

/// The Kafka header that names the schema of a record's value: its fingerprint as 16 hex digits, see
/// [`Schema::fingerprint`].
pub const FINGERPRINT_HEADER: &str = "avro-schema-fingerprint";

/// A parsed Avro schema, compiled for walking; cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    json: String,
    tree: Tree,
    program: Program,
    canonical: String,
    fingerprint: [u8; 8],
}

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

impl Fault {
    /// A fault of no field.
    fn plain(offset: usize, reason: impl Into<String>) -> Self {
        Self {
            offset,
            path: String::new(),
            reason: reason.into(),
        }
    }
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

impl Schema {
    /// Parses and compiles a schema from its JSON text.
    ///
    /// # Errors
    /// No valid Avro schema, or one outside the limits.
    pub fn parse(json: &str) -> Result<Self, SchemaError> {
        Self::of_origin(json, Origin::Configured)
    }

    /// Parses the schema that came with data, only to read them: defaults and aliases do not count.
    ///
    /// # Errors
    /// No valid Avro schema, or one outside the limits, which are tighter than for one's own.
    pub fn parse_writer(json: &str) -> Result<Self, SchemaError> {
        Self::of_origin(json, Origin::Writer)
    }

    fn of_origin(json: &str, origin: Origin) -> Result<Self, SchemaError> {
        let tree = schema::parse(json, origin)?;
        let program = Program::compile(&tree, &Wanted::default(), 0)?;
        let canonical = canonical::form(&tree);
        Ok(Self(Arc::new(Inner {
            json: json.to_owned(),
            fingerprint: canonical::fingerprint(&canonical),
            tree,
            program,
            canonical,
        })))
    }

    /// The record's full name; of a schema that is no record, enum or fixed, its kind.
    pub fn name(&self) -> &str {
        self.0.tree.name(self.0.tree.root)
    }

    /// The schema's own JSON text.
    pub fn json(&self) -> &str {
        &self.0.json
    }

    /// The parsing canonical form: schemas with the same one read the same bytes alike.
    pub fn canonical_form(&self) -> &str {
        &self.0.canonical
    }

    /// CRC-64-AVRO of the canonical form, little-endian as in the header of a single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.0.fingerprint
    }

    /// Proves that the bytes are exactly one datum: nothing missing, nothing wrong, nothing left over.
    ///
    /// # Errors
    /// The first fault met.
    pub fn validate(&self, datum: &[u8]) -> Result<(), Fault> {
        walk::whole(&self.0.program, datum, &mut [])
    }

    /// Prepares a projection of the named fields (`id`, `address.city`).
    ///
    /// # Errors
    /// The schema has no such field.
    pub fn projection(&self, fields: &[&str]) -> Result<Projection, SchemaError> {
        Projection::new(&self.0.tree, fields)
    }

    /// The datum as JSON for people (unions without their branch names).
    ///
    /// # Errors
    /// The bytes are not exactly one datum, or one that lies in more than about 500 types, records in line counted
    /// too; [`validate`](Self::validate) counts only those that occur in several places.
    pub fn to_json(&self, datum: &[u8]) -> Result<serde_json::Value, Fault> {
        self.validate(datum)?;
        json_out::value(&self.0.tree, datum)
    }

    /// A JSON value as one raw datum; absent fields take the schema's defaults.
    ///
    /// # Errors
    /// The value does not fit the schema.
    pub fn from_json(&self, value: &serde_json::Value) -> Result<Vec<u8>, Mismatch> {
        json_in::datum(&self.0.tree, value)
    }
}
