//! `forward reset`: moves the commits of the group, after a preview of what that skips or repeats.
//!
//! - `cli`: the command line
//! - [`target`]: where the commits are moved to
//! - `movement`: what a movement skips and repeats
//! - `apply`: reads the offsets, and commits
//! - [`report`], `text`: the result, as JSON or text

mod apply;
pub(crate) mod cli;
mod error;
mod movement;
mod outcome;
pub mod report;
pub mod target;
mod text;

pub use apply::reset;
pub use cli::ResetOptions;
pub use error::ResetError;
pub use outcome::ResetOutcome;
pub use text::render;
