//! Schema resolution: converts a datum of the writer's schema to the reader's schema.
//!
//! A [`Plan`] is made once for a pair of schemas, or reports why they are incompatible. Applied to a validated datum it
//! copies, converts and inserts defaults. Fields match by name, after the reader's aliases have renamed the writer's
//! fields. Named types match by their name without namespace, or by alias. The branches of a union match by full name
//! first.
//!
//! Source: Avro specification 1.12, "Schema Resolution".

mod apply;
mod field_sources;
mod plan;
mod steps;

pub(super) use apply::apply;
pub(super) use plan::plan;
pub(super) use steps::{Plan, ResolveError};
