//! The connection check: reads a topic's metadata, or reports why no broker returned it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use crate::context::{EventHandler, LoggingContext};
use crate::error_codes::{UNREACHABLE, is_permanent, remedy};
use crate::tls;
use crate::tls_probe::Trust;
use crate::tokens;

/// The timeout of one metadata request; the client's errors are read after each.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// How long the other bootstrap servers may still answer after one of them caused a permanent error.
const AFTER_PERMANENT_ERROR: Duration = Duration::from_secs(1);

/// The number of events that are read after a request.
const MAX_EVENTS: usize = 100;

/// The most informative connection error of a client.
pub(crate) struct ConnectionErrors {
    last: Mutex<Option<(Code, String)>>,
    trust: Trust,
}

/// Why no metadata could be read.
pub(crate) enum ConnectError {
    /// No broker could be reached.
    Connection {
        /// librdkafka's text.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The request failed, and librdkafka reported no connection error.
    Request(KafkaError),
}

/// The brokers and the partitions of a topic. Retries up to `timeout`. Returns earlier after a permanent error (a wrong
/// password, an untrusted certificate, an unknown host name), and after a `shutdown`.
pub(crate) fn fetch_metadata(
    consumer: &BaseConsumer<LoggingContext<ConnectionErrors>>,
    topic: &str,
    timeout: Duration,
    shutdown: &AtomicBool,
) -> Result<Metadata, ConnectError> {
    let mut deadline = Instant::now() + timeout;
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let request_timeout = remaining.clamp(Duration::from_millis(1), REQUEST_TIMEOUT);
        let error = match consumer.fetch_metadata(Some(topic), request_timeout) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // Errors are events of the queue, behind the log lines.
        for _ in 0..MAX_EVENTS {
            if consumer.poll(Duration::from_millis(1)).is_none() {
                break;
            }
        }
        let last = consumer.context().handler().last().clone();
        let errors = consumer.context().handler();
        if last.as_ref().is_some_and(|last| errors.is_permanent(last)) {
            deadline = deadline.min(Instant::now() + AFTER_PERMANENT_ERROR);
        }
        if Instant::now() >= deadline || shutdown.load(Ordering::Relaxed) {
            return Err(match (last, error.rdkafka_error_code()) {
                (Some((code, reason)), _) => {
                    let trust = &errors.trust;
                    let cause = match code {
                        Code::SSL => trust.rejection(&reason),
                        _ => None,
                    };
                    let reason = cause.map_or(reason.clone(), |cause| format!("{reason}: {cause}"));
                    ConnectError::Connection {
                        remedy: tls::remedy(&reason, trust.has_client_certificate)
                            .or_else(|| tokens::remedy(&reason))
                            .or_else(|| remedy(code))
                            .unwrap_or(UNREACHABLE),
                        reason,
                    }
                }
                // The port may be open, but no Kafka broker answers on it.
                (None, Some(Code::BrokerTransportFailure | Code::OperationTimedOut)) => {
                    ConnectError::Connection {
                        reason: format!("no answer within {:.1}s", timeout.as_secs_f64()),
                        remedy: UNREACHABLE,
                    }
                }
                (None, _) => ConnectError::Request(error),
            });
        }
    }
}

impl ConnectionErrors {
    pub(crate) fn new(trust: Trust) -> Self {
        Self {
            last: Mutex::default(),
            trust,
        }
    }

    fn is_permanent(&self, (code, reason): &(Code, String)) -> bool {
        // librdkafka reports an alert after the handshake as a lost connection.
        if tokens::is_temporary(reason) {
            return false;
        }
        is_permanent(*code) || tls::remedy(reason, self.trust.has_client_certificate).is_some()
    }

    fn last(&self) -> MutexGuard<'_, Option<(Code, String)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventHandler for ConnectionErrors {
    fn on_error(&self, error: &KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut last = self.last();
        // "All brokers down" names no cause, so it replaces nothing. A permanent error is replaced only by another.
        let replaces = match last.as_ref() {
            None => true,
            Some(known) => {
                let new = (code, reason.to_owned());
                code != Code::AllBrokersDown
                    && (!self.is_permanent(known) || self.is_permanent(&new))
            }
        };
        if replaces {
            *last = Some((code, without_state(reason).to_owned()));
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
