//! What can be wrong with settings, each in one sentence that names the setting.

/// What is wrong with a setting, in one sentence that names it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SettingError {
    /// A required setting has no value.
    #[error("{variable} is not set: {help}")]
    Missing {
        /// The environment variable that would set it.
        variable: String,
        /// What the setting means.
        help: &'static str,
    },
    /// A value does not have the form it needs.
    #[error("{variable} is {value:?}, expected {expected}")]
    Malformed {
        /// The environment variable of the setting.
        variable: String,
        /// The value met, or `[redacted]` for a secret.
        value: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// An environment variable that is no text.
    #[error("{variable} is set to bytes that are not UTF-8 text")]
    NotText {
        /// The variable.
        variable: String,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// The settings file, or a document that a setting names, could not be read.
    #[error("reading {variable} from {location}: {reason}")]
    Unreadable {
        /// The environment variable of the setting that names the location.
        variable: String,
        /// Where it was looked for.
        location: String,
        /// What went wrong.
        reason: String,
    },
    /// A secret, or a document of a setting, could not be fetched from Oracle Cloud.
    #[error("{variable}: {reason}")]
    Unfetched {
        /// The environment variable of the setting that was to be had.
        variable: String,
        /// What went wrong; never the content.
        reason: String,
    },
    /// A line of the settings file is not understood.
    #[error("{location}, line {line}: {reason}")]
    Line {
        /// The file.
        location: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}
