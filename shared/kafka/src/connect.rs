//! The first contact with the broker: metadata, or the client's own words on why there are none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use crate::log;

/// How long one question waits before the client's words are listened to.
const STEP: Duration = Duration::from_millis(250);

/// How long the other brokers of the list may still answer when one has said what waiting does not mend.
const SECOND_OPINION: Duration = Duration::from_secs(1);

/// The most words that are listened to at once.
const MOST_WORDS: usize = 100;

/// Sends librdkafka's own log lines where ours go, and remembers what was last wrong with a connection.
#[derive(Default)]
pub(super) struct Logged {
    said: Mutex<Option<(Code, String)>>,
}

/// Why there was no contact.
pub(super) enum NoContact {
    /// What is wrong with the connections, in the client's words, or that nobody answers; and what to do.
    Said(String, &'static str),
    /// It has said nothing, and met this.
    Silence(KafkaError),
}

/// The brokers and the partitions of a topic, within `patience`. Over sooner when waiting does not help: a password
/// or a certificate is refused, a name does not resolve; and when the run is asked to stop.
pub(super) fn metadata(
    consumer: &BaseConsumer<Logged>,
    topic: &str,
    patience: Duration,
    asked_to_stop: &AtomicBool,
) -> Result<Metadata, NoContact> {
    let mut end = Instant::now() + patience;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let asked =
            consumer.fetch_metadata(Some(topic), left.clamp(Duration::from_millis(1), STEP));
        let error = match asked {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        // The client speaks only to whoever polls, and its log lines come first.
        for _ in 0..MOST_WORDS {
            if consumer.poll(Duration::from_millis(1)).is_none() {
                break;
            }
        }
        let said = consumer.context().said().clone();
        if said.as_ref().is_some_and(|(code, _)| is_final(*code)) {
            end = end.min(Instant::now() + SECOND_OPINION);
        }
        if Instant::now() >= end || asked_to_stop.load(Ordering::Relaxed) {
            return Err(match (said, error.rdkafka_error_code()) {
                (Some((code, reason)), _) => NoContact::Said(reason, advice(code)),
                // Connected, perhaps, but to nobody who speaks Kafka with us.
                (None, Some(code @ (Code::BrokerTransportFailure | Code::OperationTimedOut))) => {
                    let reason = format!("no answer within {:.1}s", patience.as_secs_f64());
                    NoContact::Said(reason, advice(code))
                }
                (None, _) => NoContact::Silence(error),
            });
        }
    }
}

/// Waiting mends none of these.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication | Code::SaslAuthenticationFailed | Code::SSL | Code::Resolve
    )
}

fn advice(code: Code) -> &'static str {
    match code {
        Code::Authentication | Code::SaslAuthenticationFailed => {
            "check KAFKA_USERNAME and KAFKA_PASSWORD"
        }
        Code::SSL => {
            "check KAFKA_SSL_CA_LOCATION, and that the broker's name is in its certificate"
        }
        Code::Resolve => "check KAFKA_BOOTSTRAP_SERVERS, and this machine's name servers",
        _ => "is the broker up, and its address and KAFKA_SECURITY_PROTOCOL right?",
    }
}

/// A reason without librdkafka's last words, `(after 5ms in state SSL_HANDSHAKE, 1 identical error(s) suppressed)`.
fn without_state(reason: &str) -> &str {
    reason
        .rsplit_once(" (after ")
        .filter(|(_, state)| state.contains(" in state "))
        .map_or(reason, |(said, _)| said)
}

impl Logged {
    fn said(&self) -> MutexGuard<'_, Option<(Code, String)>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log::tell(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = crate::config::quoted(reason);
        // Every broker that is away says so each time it is asked; the run itself reports what that cost it.
        tracing::debug!(%error, reason, "the reader's connection");
        let Some(code) = error.rdkafka_error_code() else {
            return;
        };
        let mut said = self.said();
        // That all brokers are down says less than what took the last one down, and nothing says more than a refusal.
        let is_better = match said.as_ref() {
            None => true,
            Some((known, _)) => {
                code != Code::AllBrokersDown && (!is_final(*known) || is_final(code))
            }
        };
        if is_better {
            *said = Some((code, without_state(&reason).to_owned()));
        }
    }
}

impl ConsumerContext for Logged {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_ends_before_the_state_of_the_connection() {
        assert_eq!(
            without_state(
                "b:1: Connect to ipv4#b:1 failed: Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)"
            ),
            "b:1: Connect to ipv4#b:1 failed: Connection refused"
        );
        for whole in ["", "refused", "expired (after 3 days)"] {
            assert_eq!(without_state(whole), whole);
        }
    }
}
