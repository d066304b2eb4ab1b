//! `forward status`: lag, oldest records, paused routes and dead letters of the group. Writes nothing.
//!
//! - `cli`: the command line
//! - `collect`: reads the offsets, the records and the dead letters
//! - [`report`], `text`: the result, as JSON or text

pub(crate) mod cli;
mod collect;
mod last_run;
mod outcome;
pub mod report;
mod text;

pub use cli::{StatusLimits, StatusOptions};
pub use collect::{StatusError, status};
pub use outcome::StatusOutcome;
pub(crate) use report::{Progress, progress};
pub use text::render;
