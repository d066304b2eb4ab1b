//! `forward explain`: what happened to a record, and what a run does with it. Writes nothing.
//!
//! - `cli`: the command line
//! - `explainer`: reads the record, its dead letter, and the group's commit
//! - `search`: finds records by key or field
//! - `read`: reads one record
//! - `state`: what happened to the record
//! - `describe`: its content, the conditions of the routes, and the decision of a run
//! - [`report`], `text`: the result, as JSON or text

pub(crate) mod cli;
mod describe;
mod explainer;
mod outcome;
pub(crate) mod read;
pub mod report;
mod search;
mod state;
mod text;

pub use cli::{Criterion, ExplainOptions, Selection};
pub(crate) use describe::{content, schema};
pub use explainer::{ExplainError, explain};
pub use outcome::ExplainOutcome;
pub use text::render;
pub(crate) use text::{content as render_content, shown};
