//! Why the function cannot start, for its log and for its callers.

use http_server::program::Failure;
use settings::SettingError;

use crate::ingest::StartError;
use crate::settings::GROUPS;

/// Why the function cannot start.
#[derive(Debug)]
pub(super) struct StartFailure {
    /// For the log, and for the exit code where the program ends.
    pub(super) failure: Failure,
    /// The same for a caller, in one sentence: it names the settings, without their values.
    pub(super) reason: String,
}

impl From<SettingError> for StartFailure {
    fn from(error: SettingError) -> Self {
        Self {
            reason: without_values(&error),
            failure: Failure::configuration(error),
        }
    }
}

impl From<StartError> for StartFailure {
    fn from(error: StartError) -> Self {
        let client = match error {
            StartError::Kafka(_) => "Kafka",
            StartError::Registry(_) => "schema registry",
        };
        Self {
            reason: format!("The {client} client rejects its configuration."),
            failure: Failure::configuration(error),
        }
    }
}

impl From<Failure> for StartFailure {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            reason: "An internal error occurred.".to_owned(),
        }
    }
}

impl From<StartFailure> for Failure {
    fn from(failure: StartFailure) -> Self {
        failure.failure
    }
}

/// What is wrong, without values of settings and without the content of documents: anyone who can call the function reads it.
fn without_values(error: &SettingError) -> String {
    match error {
        SettingError::Missing { .. } | SettingError::NotText { .. } => sentence(error.to_string()),
        // The reason names the bucket and the object, or the secret.
        SettingError::Unfetched { variable, .. } => {
            format!("{variable} cannot be read from Oracle Cloud.")
        }
        SettingError::Malformed {
            variable, expected, ..
        } => sentence(format!("{variable} is malformed, expected {expected}")),
        SettingError::Unreadable { variable, .. } => {
            format!("The file of {variable} cannot be read or parsed.")
        }
        SettingError::Line { line, .. } => {
            format!("Line {line} of the settings file (CONFIG_LOCATION) is invalid.")
        }
        SettingError::Contradiction(reason) => match names(reason)[..] {
            [] => "A setting is invalid.".to_owned(),
            [name] => format!("{name} is invalid."),
            [ref names @ .., last] => {
                let names = names.join(", ");
                format!("{names} and {last} are invalid, or contradict each other.")
            }
        },
    }
}

/// The settings of this program that a text names, each once.
fn names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in words.filter(|word| is_variable(word)) {
        if !names.contains(&word) {
            names.push(word);
        }
    }
    names
}

fn is_variable(word: &str) -> bool {
    let name = word.to_ascii_lowercase();
    let mut settings = GROUPS.iter().flat_map(|group| group.settings);
    // A setting in a sentence is its environment variable.
    word == word.to_ascii_uppercase()
        && settings
            .any(|setting| setting.has_value(&name) || setting.names().any(|known| known == name))
}

fn sentence(mut text: String) -> String {
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contradiction(text: &str) -> String {
        without_values(&SettingError::Contradiction(text.to_owned()))
    }

    #[test]
    fn a_caller_reads_the_names_of_settings_and_no_values() {
        let malformed = SettingError::Malformed {
            variable: "PUBLISH_TIMEOUT".to_owned(),
            value: "hunter2".to_owned(),
            expected: "a duration such as 30s",
        };
        assert_eq!(
            without_values(&malformed),
            "PUBLISH_TIMEOUT is malformed, expected a duration such as 30s."
        );
        let unfetched = SettingError::Unfetched {
            variable: "KAFKA_TOPIC".to_owned(),
            reason: "reading secret ocid1.vaultsecret.oc1..hunter2: 404".to_owned(),
        };
        assert_eq!(
            without_values(&unfetched),
            "KAFKA_TOPIC cannot be read from Oracle Cloud."
        );
        assert_eq!(
            contradiction("MAX_MESSAGE is 2097152 bytes, and OCI Streaming accepts 1048576"),
            "MAX_MESSAGE is invalid."
        );
        assert_eq!(
            contradiction("KAFKA_USERNAME and KAFKA_PASSWORD go together: KAFKA_USERNAME is PAUL"),
            "KAFKA_USERNAME and KAFKA_PASSWORD are invalid, or contradict each other."
        );
        assert_eq!(
            contradiction("OTEL_EXPORTER_OTLP_ENDPOINT: no such host collector.example"),
            "OTEL_EXPORTER_OTLP_ENDPOINT is invalid."
        );
        assert_eq!(
            contradiction("building the HTTP client"),
            "A setting is invalid."
        );
    }
}
