//! Schema resolution: converts a datum of the writer's schema to the reader's schema.
//!
//! A plan is made once for a pair of schemas, or reports why they are incompatible. Applied to a validated datum it copies,
//! converts and inserts defaults. The reader's aliases first rename the writer's types and fields. Then fields match by name,
//! and named types by their name without namespace. The branches of a union match by full name first.
//!
//! Source: Avro specification 1.12, "Schema Resolution" and "Aliases".

mod apply;
mod fault;
mod field_sources;
mod identity;
mod plan;
mod resolution;
mod steps;
mod type_renames;

pub use fault::ResolveFault;
pub use resolution::Resolution;
