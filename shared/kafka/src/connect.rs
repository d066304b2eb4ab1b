//! The connection check: reads a topic's metadata, or reports why no broker returned it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use crate::connection_errors::ConnectionErrors;
use crate::context::LoggingContext;
use crate::diagnosis::{Diagnosis, Explanation, Servers};
use crate::error_codes::UNREACHABLE;

/// The timeout of the first metadata request; the client's errors are read after each. It doubles with each request, for
/// brokers that are far away.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// The longest timeout of a metadata request: after a shutdown, a request that has begun ends first.
const MAX_REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the other bootstrap servers may still answer after one of them caused a permanent error.
const AFTER_PERMANENT_ERROR: Duration = Duration::from_secs(1);

/// The number of events that are read after a request.
const MAX_EVENTS: usize = 100;

/// Why no metadata could be read.
pub(crate) enum ConnectError {
    /// No broker could be reached.
    Connection(Explanation),
    /// The request failed, and librdkafka reported no connection error.
    Request(KafkaError),
}

/// The brokers and the partitions of a topic. Retries up to `timeout`. Returns earlier after a permanent error (a wrong
/// password, an untrusted certificate, an unknown host name), and after a `shutdown`.
pub(crate) fn fetch_metadata(
    consumer: &BaseConsumer<LoggingContext<ConnectionErrors>>,
    servers: &Servers,
    topic: &str,
    timeout: Duration,
    shutdown: &AtomicBool,
) -> Result<Metadata, ConnectError> {
    let start = Instant::now();
    let mut deadline = start + timeout;
    let mut diagnoses: Option<[Diagnosis; 2]> = None;
    let mut longest = REQUEST_TIMEOUT;
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let request_timeout = remaining.clamp(Duration::from_millis(1), longest);
        let error = match consumer.fetch_metadata(Some(topic), request_timeout) {
            Ok(metadata) => return Ok(metadata),
            Err(error) => error,
        };
        longest = (longest * 2).min(MAX_REQUEST_TIMEOUT);
        // Errors are events of the queue, behind the log lines.
        for _ in 0..MAX_EVENTS {
            if consumer.poll(Duration::from_millis(1)).is_none() {
                break;
            }
        }
        let last = consumer.context().handler().last();
        if diagnoses.is_none() && (last.is_some() || start.elapsed() >= timeout / 4) {
            diagnoses = Some([
                servers.diagnose_bootstrap(timeout / 3),
                servers.diagnose_advertised(timeout / 3),
            ]);
        }
        let is_final = last.as_ref().is_some_and(|last| last.is_permanent())
            || diagnoses.iter_mut().flatten().any(Diagnosis::is_permanent);
        if is_final {
            deadline = deadline.min(Instant::now() + AFTER_PERMANENT_ERROR);
        }
        if Instant::now() >= deadline || shutdown.load(Ordering::Relaxed) {
            let explained = match &mut diagnoses {
                Some([bootstrap, brokers]) => servers.explain(last, bootstrap, brokers),
                None => None,
            };
            return Err(match (explained, error.rdkafka_error_code()) {
                (Some(explanation), _) => ConnectError::Connection(explanation),
                (None, Some(Code::BrokerTransportFailure | Code::OperationTimedOut)) => {
                    ConnectError::Connection(Explanation {
                        cause: Some("no_answer"),
                        reason: format!("no answer within {:.1}s", timeout.as_secs_f64()),
                        remedy: UNREACHABLE,
                    })
                }
                (None, _) => ConnectError::Request(error),
            });
        }
    }
}
