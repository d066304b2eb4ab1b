//! Validates, decodes, resolves and converts Avro data.
//!
//! A [`Schema`] is parsed and compiled once. Validation then reads the bytes once, without allocating. Input of unknown
//! framing (a raw datum, the single-object encoding or a container file) goes through [`decode()`].
//!
//! | to | use |
//! |---|---|
//! | parse a schema | [`Schema::parse`], [`Schema::parse_writer`], [`Schema::parse_with_references`] |
//! | validate one datum | [`Schema::validate`] |
//! | validate a datum and read some of its fields | [`Schema::projection`], [`Projection`] |
//! | validate a request body of any framing | [`decode()`], [`Framing`] |
//! | convert between JSON and Avro | [`parse_json`], [`Schema::from_json`], [`Schema::to_json`], [`Schema::to_avro_json`] |
//! | convert datums of another schema | [`Resolution`] |
//! | read or write container files | [`container`] |
//! | find the schema's id in a message of a schema registry's client | [`confluent`] |
//! | inspect the types of a schema | [`Schema::root`], [`SchemaNode`], [`LogicalType`] |
//!
//! Not part of this crate: schema registries, Avro RPC and code generation. Validation reads a logical type as its
//! underlying type: neither a date's range nor a UUID's format is checked.
//!
//! # Validity
//!
//! Avro 1.12 leaves some questions to the reader. Here:
//!
//! - An `int`, a union's index and an enum's symbol take at most five bytes, a `long` at most ten. Longer encodings than
//!   necessary are accepted within these limits, as in Java.
//! - If a block of an array or map states its size in bytes, the size must be correct.
//! - Text is UTF-8.
//! - Nesting is at most [`MAX_DEPTH`], and zero-length items are at most [`MAX_ZERO_LENGTH_ITEMS`].
//! - No bytes follow the datum.
//!
//! The names in a writer's schema may have any characters. Only unqualified names decide whether types match.
//!
//! # Example
//!
//! ```
//! use avro::{Field, Schema};
//!
//! let schema = Schema::parse(
//!     r#"{"type":"record","name":"Order","fields":[
//!         {"name":"id","type":"long"},{"name":"country","type":"string"}]}"#,
//! )?;
//! let datum = schema.from_json(&serde_json::json!({"id": 7, "country": "PT"}))?;
//! schema.validate(&datum)?;
//!
//! let projection = schema.projection(&["country"])?;
//! let mut fields = Vec::new();
//! projection.read(&datum, &mut fields)?;
//! assert_eq!(fields, [Field::Str("PT")]);
//!
//! let fault = schema.validate(&datum[..2]).unwrap_err();
//! assert_eq!(fault.to_string(), "the datum ends inside a string of 2 bytes at byte 1, in field country");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod binary;
mod canonical;
mod compile;
pub mod confluent;
pub mod container;
mod datums;
mod decode;
mod decode_error;
mod error;
mod field;
mod framing;
mod graph;
mod graph_builder;
mod json;
mod logical;
mod logical_type;
mod min_size;
mod mismatch;
mod names;
mod node;
mod parse;
mod program;
mod projection;
mod reason;
mod references;
mod registry_answer;
mod resolve;
mod schema;
mod stack;
mod validate;

pub use datums::Data;
pub use decode::decode;
pub use decode_error::{DecodeError, Limits};
pub use error::{Fault, SchemaError};
pub use field::Field;
pub use framing::{Framing, single_object, split_single_object};
pub use json::{JsonError, parse_json};
pub use logical_type::LogicalType;
pub use mismatch::Mismatch;
pub use node::{SchemaNode, SchemaType};
pub use projection::Projection;
pub use resolve::{Resolution, ResolveFault};
pub use schema::{BUILT_IN_SCHEMA, FINGERPRINT_HEADER, Schema};
pub use stack::MAX_DEPTH;
pub use validate::MAX_ZERO_LENGTH_ITEMS;
