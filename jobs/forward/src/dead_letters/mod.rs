//! `forward dead-letters`: the records of a dead-letter topic, listed, shown, replayed and discarded.
//!
//! - `cli`: the command line
//! - `selection`: which dead letters a command is about
//! - `topic`: reads the topic
//! - `replayed`: what replays of a selection have delivered
//! - [`list`], [`show`], [`Replay`], [`discard`]: the commands
//! - [`report`], `text`: the results, as JSON or text
//!
//! The format of dead letters is in [`crate::dead_letter`].

pub(crate) mod cli;
mod discard;
mod error;
mod list;
mod outcome;
mod replay;
mod replayed;
pub mod report;
mod selection;
mod show;
mod target;
mod text;
mod topic;

pub use cli::{LettersCommand, LettersOptions, ReplayOptions};
pub use discard::discard;
pub use error::LettersError;
pub use list::list;
pub(crate) use list::{MAX_GROUPS, OTHERS};
pub use outcome::LettersOutcome;
pub use replay::Replay;
pub use selection::{InvalidSelection, Selection};
pub use show::show;
pub use text::{render_details, render_discard, render_list};
pub(crate) use topic::LetterTopic;
