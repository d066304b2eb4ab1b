//! The outcomes of `forward report`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How the command ended.
    pub enum ReportOutcome {
        /// The report is rendered, whatever the outcome of its run.
        Rendered = 0,
        /// There is no such file, object or topic, or the topic has no report of the group.
        NotFound = 1,
        /// The document is not JSON, not the report of a run, of an unknown version, or too large.
        Invalid = runtime::exit::DATA,
        /// The file, the topic or the object cannot be read, or the page cannot be written.
        Unreadable = runtime::exit::IO,
        /// A setting is missing or malformed.
        Configuration = runtime::exit::CONFIGURATION,
    }
}
