//! The outcomes of `forward reset`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How a reset ended.
    pub enum ResetOutcome {
        /// The preview was printed, or with --yes the commits were moved.
        Done = 0,
        /// A run is live in the group. Nothing was changed.
        ConcurrentRun = 20,
        /// The broker or the schema registry is unreachable or rejected a request.
        Source = 74,
        /// The settings, the schema or the routes are invalid, or there is no such partition or offset.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
