//! The outcomes of `forward status`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How a status ended.
    pub enum StatusOutcome {
        /// The status is known, and no limit is exceeded.
        Within = 0,
        /// --max-lag or --max-age is exceeded, or the age is not known.
        Exceeded = 30,
        /// The broker or the schema registry is unreachable or rejected a request.
        Source = 74,
        /// The settings, the schema or the routes are invalid.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
