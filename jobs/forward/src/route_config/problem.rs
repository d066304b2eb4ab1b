//! What is wrong with a routes file.

use std::fmt;

/// One thing that is wrong with a routes file. Prints as `line 3, route "A": batch is 0, expected 1 to 10000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteProblem {
    /// The line of the route, counted from 1; of a malformed route, the line of the fault. `None`: the whole file.
    pub line: Option<u64>,
    /// The route's name. `None`: the whole file, or the name is not known, because the route is malformed.
    pub route: Option<String>,
    /// What is wrong; of a malformed route, with line and column. It repeats no secret.
    pub reason: String,
}

impl RouteProblem {
    /// For the order of the file; problems of the whole file are the last.
    pub fn position(&self) -> u64 {
        self.line.unwrap_or(u64::MAX)
    }

    /// A problem of the whole file.
    pub(super) fn of_file(reason: impl Into<String>) -> Self {
        Self {
            line: None,
            route: None,
            reason: reason.into(),
        }
    }
}

impl fmt::Display for RouteProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, &self.route) {
            (Some(line), Some(name)) => write!(f, "line {line}, route {name:?}: {}", self.reason),
            (None, Some(name)) => write!(f, "route {name:?}: {}", self.reason),
            (_, None) => write!(f, "{}", self.reason),
        }
    }
}
