//! The connection errors of a client: the most informative one is kept.

use std::sync::{Mutex, PoisonError};

use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::context::{EventHandler, LoggingContext};
use crate::error_codes::is_permanent;
use crate::tokens;

/// The most informative connection error of a client.
#[derive(Default)]
pub(crate) struct ConnectionErrors {
    last: Mutex<Option<ConnectionError>>,
}

/// A connection error that librdkafka reported.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionError {
    pub(crate) code: Code,
    /// librdkafka's text, redacted.
    pub(crate) reason: String,
}

impl ConnectionErrors {
    pub(crate) fn last(&self) -> Option<ConnectionError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    pub(crate) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ConnectionError {
    /// True if no retry can help without a change of settings.
    pub(crate) fn is_permanent(&self) -> bool {
        is_permanent(self.code) && !tokens::is_temporary(&self.reason)
    }
}

impl EventHandler for ConnectionErrors {
    fn on_error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let error = ConnectionError {
            code,
            reason: without_state(reason).to_owned(),
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // "All brokers down" names no cause, so it replaces nothing. A permanent error is replaced only by another.
        let replaces = last.as_ref().is_none_or(|known| {
            code != Code::AllBrokersDown && (error.is_permanent() || !known.is_permanent())
        });
        if replaces {
            *last = Some(error);
        }
    }
}

impl ConsumerContext for LoggingContext<ConnectionErrors> {}

/// A reason without the suffix `(after 5ms in state SSL_HANDSHAKE, 1 identical error(s) suppressed)`.
fn without_state(reason: &str) -> &str {
    reason
        .rsplit_once(" (after ")
        .filter(|(_, state)| state.contains(" in state "))
        .map_or(reason, |(cause, _)| cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_the_connection_state_from_a_reason() {
        assert_eq!(
            without_state(
                "b:1: Connect to ipv4#b:1 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)"
            ),
            "b:1: Connect to ipv4#b:1 failed: Connection refused"
        );
        for reason in ["", "refused", "expired (after 3 days)"] {
            assert_eq!(without_state(reason), reason);
        }
    }
}
