//! The outcomes of `forward plan`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How the making of a plan ended.
    pub enum PlanOutcome {
        /// The plan has offsets that are not completed.
        Planned = 0,
        /// The window has no offsets that are not completed.
        Empty = 1,
        /// The broker or the schema registry is unreachable or rejected a request.
        Source = 74,
        /// Records were deleted before any run read them, and ON_DATA_LOSS is stop.
        DataLoss = 76,
        /// The settings, the schema or the routes are invalid, or the window does not fit the topic.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
