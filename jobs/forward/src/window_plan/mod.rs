//! `forward plan`: fixes a window in a document that people review and `forward run --plan` executes. Writes nothing to
//! Kafka.
//!
//! - `cli`: the command line
//! - `collect`, `dry_read`: read the offsets and the records
//! - [`document`], `text`: the plan, as JSON or text
//! - `parse`: parses a plan, and rejects an invalid one
//! - `shard`: divides the partitions of a plan
//! - [`applied`]: a plan as the window of a run
//! - [`mismatch`]: why a run does not execute a plan

pub mod applied;
pub(crate) mod cli;
mod collect;
pub mod document;
mod dry_read;
mod error;
pub mod mismatch;
mod outcome;
mod parse;
mod shard;
mod text;

pub use applied::AppliedPlan;
pub use cli::{PlanFile, PlanOptions};
pub use collect::plan;
pub(crate) use dry_read::DryRead;
pub use error::{DryReadError, WindowPlanError};
pub use outcome::PlanOutcome;
pub use parse::InvalidPlan;
pub use shard::Shard;
pub use text::render;
