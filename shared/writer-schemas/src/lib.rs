//! Finds the schema that a value was written with, and resolves the value to the reader's schema.
//!
//! - [`SchemaHeaders`]: what a record's headers say about its schema
//! - [`WriterSchemas`]: the known schemas; [`WriterSchemas::find`] returns the schema and the datum of a value
//! - [`WriterSchema`]: a schema with its resolution to the reader's
//! - [`SchemaRef`]: how a value names a schema of a registry
//!
//! The crate does no I/O. A schema that only a registry has is [`Found::Missing`]: the caller requests it and adds it with
//! [`WriterSchemas::add`].
//!
//! A value is never decoded with a schema other than the one that it names. The first of these names it:
//!
//! 1. the headers of the ingest function: `content-type: avro/binary` with `avro-schema-fingerprint`. The value is a raw
//!    datum, also if its first bytes look like one of the forms below.
//! 2. Confluent's header `__value_schema_id`. The value is a raw datum, as for Confluent's deserializers.
//! 3. with a registry, the frame of Confluent's serializers at the start of the value, unless the value is a raw datum of
//!    the known schema whose fingerprint is in the header `avro-schema-fingerprint`
//! 4. the fingerprint of the single-object encoding at the start of the value
//! 5. the header `avro-schema-fingerprint`
//!
//! Otherwise the value is a raw datum of the reader's schema.
//!
//! ```
//! use avro::Schema;
//! use writer_schemas::{Found, SchemaHeaders, WriterSchemas};
//!
//! let reader = Schema::parse(
//!     r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},{"name":"n","type":"int","default":1}]}"#,
//! )?;
//! let version1 = Schema::parse_writer(r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#)?;
//! let schemas = WriterSchemas::new(&reader, &[version1.clone()], false);
//! let value = avro::single_object(&version1, &[14]);
//! let Found::Known { schema, datum } = schemas.find(&value, &SchemaHeaders::default()) else { panic!() };
//! let mut resolved = Vec::new();
//! assert_eq!(schema.resolve(datum, &mut resolved)?, [14, 2]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod headers;
mod schema_ref;
mod schemas;
mod writer_schema;

pub use headers::SchemaHeaders;
pub use schema_ref::SchemaRef;
pub use schemas::{Found, WriterSchemas};
pub use writer_schema::{MAX_RESOLVED, ResolveError, WriterSchema};
