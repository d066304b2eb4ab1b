//! The clock of a client.

use std::time::SystemTime;

/// Returns the current time; tests pass another function.
pub type Clock = fn() -> SystemTime;
