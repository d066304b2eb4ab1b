//! Logical types: how a schema declares them, and their text forms in JSON.

mod calendar;
mod decimal;
mod declared;
mod duration;
mod text;
mod uuid;

pub(super) use declared::declared;
pub(super) use text::{Text, is_like_text};
