//! The outcomes of `forward init`. Pure.

use crate::exit::outcomes;

outcomes! {
    /// How the command ended.
    pub enum InitOutcome {
        /// Both files are written.
        Written = 0,
        /// One of the files exists already. Nothing is written.
        Exists = 1,
        /// The schema is invalid, or a path is not plain text.
        Invalid = runtime::exit::DATA,
        /// The schema cannot be read, or a file cannot be written.
        Failed = runtime::exit::IO,
    }
}
