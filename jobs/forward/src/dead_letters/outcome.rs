//! The outcomes of `forward dead-letters` `list`, `show` and `discard`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How a command ended.
    pub enum LettersOutcome {
        /// At least one dead letter is selected.
        Found = 0,
        /// No dead letter is selected, or the record is none.
        NotFound = 1,
        /// The broker or the schema registry is unreachable or rejected a request.
        Source = 74,
        /// The settings, the schema, the routes or the coordinates are invalid.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
