//! The errors of registry operations, each in one sentence.

use std::time::Duration;

/// Why an operation failed: a variant for each decision of a caller. Contains no credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The configuration is invalid: a URL, a certificate, a key.
    #[error("schema registry: {0}")]
    Setup(String),
    /// The registry answered that the schema, subject or version does not exist (error codes 40401, 40402, 40403), or an
    /// id is outside of the range of ids.
    #[error(
        "{operation} from {url}: {message}; it was deleted, or belongs to another registry: check SCHEMA_REGISTRY_URL"
    )]
    Unknown {
        /// The operation and its object.
        operation: String,
        /// The URL of the registry, without credentials.
        url: String,
        /// Status, and the registry's code and message.
        message: String,
    },
    /// The schema exists and cannot be used: it is not Avro, or its references are too many, circular or missing.
    #[error("{operation} from {url}: {reason}")]
    Unusable {
        /// The operation and its object.
        operation: String,
        /// The URL of the registry, without credentials.
        url: String,
        /// What is wrong with the schema, and the remedy.
        reason: String,
    },
    /// No registry answered in time: connection, timeout, 408, 429 or 5xx. A later call may succeed.
    #[error(
        "{operation} from {url}: {reason} after {attempts} attempt{} in {:.1} s; check that the registry is running and \
         reachable",
        if *.attempts == 1 { "" } else { "s" }, .elapsed.as_secs_f64()
    )]
    Unavailable {
        /// The operation and its object.
        operation: String,
        /// The URL of the last attempt, without credentials.
        url: String,
        /// What happened to the last attempt.
        reason: String,
        /// The number of attempts, over all URLs.
        attempts: u32,
        /// The time since the first attempt.
        elapsed: Duration,
    },
    /// The registry or the token endpoint refused the credentials: 401, 403, or an error of RFC 6749.
    #[error("{operation} from {url}: {message}; {advice}")]
    Refused {
        /// The operation and its object.
        operation: String,
        /// The URL that refused, without credentials.
        url: String,
        /// Status and message.
        message: String,
        /// The settings to check.
        advice: &'static str,
    },
    /// The response is not one of a schema registry, or the registry rejected the request itself: another status, not
    /// JSON, too large.
    #[error("{operation} from {url}: {reason}")]
    Invalid {
        /// The operation and its object.
        operation: String,
        /// The URL of the registry, without credentials.
        url: String,
        /// What happened, and the remedy.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_states_attempts_and_time() {
        let error = RegistryError::Unavailable {
            operation: "reading schema 7".to_owned(),
            url: "http://h:8081".to_owned(),
            reason: "503 Service Unavailable".to_owned(),
            attempts: 4,
            elapsed: Duration::from_millis(6230),
        };
        assert_eq!(
            error.to_string(),
            "reading schema 7 from http://h:8081: 503 Service Unavailable after 4 attempts in 6.2 s; check that the \
             registry is running and reachable"
        );
    }
}
