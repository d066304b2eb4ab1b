//! A parsed and compiled schema.

use std::sync::Arc;

use crate::graph::Graph;
use crate::json::Form;
use crate::node::SchemaNode;
use crate::parse::{self, Origin};
use crate::program::{Program, Selection};
use crate::projection::Projection;
use crate::{
    Fault, Mismatch, SchemaError, canonical, compile, json, references, registry_answer, validate,
};

/// The default schema of every program (the tutorial's `User`): its file's name and its text.
pub const BUILT_IN_SCHEMA: (&str, &str) = (
    "schemas/user.avsc",
    include_str!("../../../schemas/user.avsc"),
);

/// The Kafka header with the fingerprint of the value's schema: [`Schema::fingerprint`] as 16 hex digits.
pub const FINGERPRINT_HEADER: &str = "avro-schema-fingerprint";

/// An Avro schema, parsed and compiled; cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    json: String,
    graph: Graph,
    program: Program,
    canonical: String,
    fingerprint: [u8; 8],
}

impl Schema {
    /// Parses and compiles a schema from its JSON text. A schema registry's answer (`{"schema": "…", …}`) and a JSON string
    /// that contains the schema are accepted as well.
    ///
    /// Unknown and invalid logical types are ignored, and `"type": "error"` is a record (Avro specification 1.12,
    /// "Logical Types" and "Protocol Declaration").
    ///
    /// # Errors
    /// The schema is not valid Avro or exceeds a limit.
    pub fn parse(json: &str) -> Result<Self, SchemaError> {
        Self::parse_with_references(json, &[])
    }

    /// Parses the schema that came with data, only to read the data: defaults and aliases are ignored, and names may have
    /// any characters.
    ///
    /// # Errors
    /// The schema is not valid Avro or exceeds a limit. The limits are lower than for [`parse`](Self::parse).
    pub fn parse_writer(json: &str) -> Result<Self, SchemaError> {
        Self::with_origin(json, Origin::Writer)
    }

    /// Parses a schema that uses the named types of other schemas, each a text as for [`parse`](Self::parse). The result is one
    /// self-contained schema, and [`json`](Self::json) contains the definitions that it uses.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), or two references define a type differently.
    pub fn parse_with_references(json: &str, references: &[&str]) -> Result<Self, SchemaError> {
        let json = registry_answer::unwrap(without_mark(json), !references.is_empty())?;
        match references {
            [] => Self::with_origin(&json, Origin::Configured),
            _ => Self::with_origin(&references::join(&json, references)?, Origin::Configured),
        }
    }

    /// The same for a writer's schema, with the rules of [`parse_writer`](Self::parse_writer).
    ///
    /// # Errors
    /// As for [`parse_writer`](Self::parse_writer), or two references define a type differently.
    pub fn parse_writer_with_references(
        json: &str,
        references: &[&str],
    ) -> Result<Self, SchemaError> {
        match references {
            [] => Self::parse_writer(json),
            _ => Self::with_origin(&references::join(json, references)?, Origin::Writer),
        }
    }

    fn with_origin(json: &str, origin: Origin) -> Result<Self, SchemaError> {
        let json = without_mark(json);
        let graph = parse::graph(json, origin)?;
        let program = compile::program(&graph, &Selection::default(), 0)?;
        let canonical = canonical::form(&graph);
        Ok(Self(Arc::new(Inner {
            json: json.to_owned(),
            fingerprint: canonical::fingerprint(&canonical),
            graph,
            program,
            canonical,
        })))
    }

    /// The full name of the record, enum or fixed; of another schema, its kind, for example `array`.
    pub fn name(&self) -> &str {
        self.0.graph.name(self.0.graph.root)
    }

    /// The JSON text that the schema was parsed from.
    pub fn json(&self) -> &str {
        &self.0.json
    }

    /// The type of the datum, to inspect the schema.
    pub fn root(&self) -> SchemaNode<'_> {
        SchemaNode::new(&self.0.graph, self.0.graph.root)
    }

    /// The parsing canonical form. Schemas with the same form encode data the same way.
    pub fn canonical_form(&self) -> &str {
        &self.0.canonical
    }

    /// CRC-64-AVRO of the canonical form, little-endian, as in the header of the single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.0.fingerprint
    }

    /// Validates that the bytes are exactly one datum.
    ///
    /// # Errors
    /// The first fault.
    pub fn validate(&self, datum: &[u8]) -> Result<(), Fault> {
        validate::datum(&self.0.program, datum, &mut [])
    }

    /// Compiles a projection of the named fields (`id`, `address.city`).
    ///
    /// # Errors
    /// The schema has no such field.
    pub fn projection(&self, fields: &[&str]) -> Result<Projection, SchemaError> {
        Projection::new(&self.0.graph, fields)
    }

    /// Converts the datum to JSON, from which [`from_json`](Self::from_json) makes an equal datum.
    ///
    /// Logical types are text: `"12.34"`, `"2026-11-26T12:30:45.678Z"`. A value outside the range of the text is that of the
    /// underlying type. The value of a union has no branch name, unless it would be read as another branch.
    ///
    /// Not kept are the payload of a NaN, and all but the last entry of a map with the same key.
    ///
    /// # Errors
    /// The bytes are not exactly one datum, or values are nested in more than about 500 types. Every record counts
    /// here; for [`validate`](Self::validate) only those that occur in several places do.
    pub fn to_json(&self, datum: &[u8]) -> Result<serde_json::Value, Fault> {
        self.convert(datum, Form::Text)
    }

    /// The same with the values of the underlying types, and without branch names.
    ///
    /// # Errors
    /// As for [`to_json`](Self::to_json).
    pub fn to_underlying_json(&self, datum: &[u8]) -> Result<serde_json::Value, Fault> {
        self.convert(datum, Form::Underlying)
    }

    /// The same in Avro's JSON encoding (specification 1.12, "JSON Encoding"): the values of the underlying types, and
    /// `{"branch": value}` for each value of a union that is not null.
    ///
    /// # Errors
    /// As for [`to_json`](Self::to_json).
    pub fn to_avro_json(&self, datum: &[u8]) -> Result<serde_json::Value, Fault> {
        self.convert(datum, Form::AvroJson)
    }

    fn convert(&self, datum: &[u8], form: Form) -> Result<serde_json::Value, Fault> {
        self.validate(datum)?;
        json::value(&self.0.graph, datum, form)
    }

    /// Encodes a JSON value as one raw datum. Absent fields take the schema's defaults.
    ///
    /// # Errors
    /// The value does not fit the schema.
    pub fn from_json(&self, value: &serde_json::Value) -> Result<Vec<u8>, Mismatch> {
        json::datum(&self.0.graph, value)
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.0.graph
    }

    pub(super) fn program(&self) -> &Program {
        &self.0.program
    }
}

/// The text without the byte order mark that editors on Windows write.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
