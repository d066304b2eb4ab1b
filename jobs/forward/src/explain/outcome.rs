//! The outcomes of `forward explain`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How an explanation ended.
    pub enum ExplainOutcome {
        /// The record, or at least one record of the search, is explained.
        Found = 0,
        /// There is no such record: it was deleted, compacted or aborted, it does not exist yet, or no record
        /// matches.
        NotFound = 1,
        /// The broker or the schema registry is unreachable or rejected a request.
        Source = 74,
        /// The settings, the schema or the routes are invalid.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
