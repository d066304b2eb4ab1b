//! Conversion between JSON and datums. docs/FORMATS.md has the mapping.

mod from_json;
mod leaf;
mod parse;
mod to_json;
mod union;

use crate::MAX_DEPTH;

pub(super) use from_json::{datum, default_value};
pub use parse::{JsonError, parse_json};
pub(super) use to_json::{Form, value};

/// The maximum nesting of types around a value. It is more than validation accepts for typical schemas (a linked list of
/// nullable records has two types for each level), and low enough for the stack of any thread.
const MAX_LEVELS: usize = 2 * MAX_DEPTH + 10;
