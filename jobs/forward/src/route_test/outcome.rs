//! The outcomes of `forward test`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How a test of routes ended.
    pub enum TestOutcome {
        /// Every sample has the route that it expects.
        Passed = 0,
        /// A sample has another route than it expects.
        Failed = 1,
        /// A sample is not a valid record, or no request can be built of it; or there is no sample.
        InvalidSample = runtime::exit::DATA,
        /// The samples cannot be read.
        Unreadable = runtime::exit::IO,
        /// The settings, the schema or the routes are invalid.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
