//! Schema resolution: converts a datum of the writer's schema to the reader's schema.
//!
//! A [`Plan`] is made once for a pair of schemas, or reports why they are incompatible. Applied to a validated datum it
//! copies, converts and inserts defaults. The reader's aliases first rename the writer's types and fields. Then fields match
//! by name, and named types by their name without namespace. The branches of a union match by full name first.
//!
//! Source: Avro specification 1.12, "Schema Resolution" and "Aliases".

mod apply;
mod field_sources;
mod plan;
mod steps;
mod type_renames;

pub(super) use apply::apply;
pub(super) use plan::plan;
pub(super) use steps::{Plan, ResolveError};
