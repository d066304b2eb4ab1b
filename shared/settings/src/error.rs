//! What can be wrong with settings.

/// What is wrong with a setting, in one sentence that names it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SettingError {
    /// A required setting has no value.
    #[error("{variable} is not set: {help}")]
    Missing {
        /// The environment variable of the setting.
        variable: String,
        /// The meaning of the setting.
        help: &'static str,
    },
    /// A value does not have the expected form.
    #[error("{variable} is {value:?}, expected {expected}")]
    Malformed {
        /// The environment variable of the setting.
        variable: String,
        /// The value, or `[redacted]` for a secret.
        value: String,
        /// The expected form.
        expected: &'static str,
    },
    /// An environment variable is not UTF-8.
    #[error("{variable} is set to bytes that are not UTF-8 text")]
    NotText {
        /// The variable.
        variable: String,
    },
    /// Two settings contradict each other.
    #[error("{0}")]
    Contradiction(String),
    /// The settings file, or the document of a setting, could not be read or parsed.
    #[error("reading {variable} from {location}: {reason}")]
    Unreadable {
        /// The environment variable of the setting that gives the location.
        variable: String,
        /// The location.
        location: String,
        /// What happened.
        reason: String,
    },
    /// A secret or document could not be fetched from Oracle Cloud.
    #[error("{variable}: {reason}")]
    Unfetched {
        /// The environment variable of the setting.
        variable: String,
        /// What happened; never the content.
        reason: String,
    },
    /// A line of the settings file is invalid.
    #[error("{location}, line {line}: {reason}")]
    Line {
        /// The location of the file.
        location: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it; never the value.
        reason: String,
    },
}
