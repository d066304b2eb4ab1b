//! The connection check: reads a topic's metadata, or reports why no broker returned it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::Metadata;

use crate::context::{EventHandler, LoggingContext};
use crate::diagnosis::{
    Diagnosis, Fault, ProbeConfig, Server, address, bootstrap_servers, of_sasl,
};
use crate::error_codes::{UNREACHABLE, is_permanent, remedy};
use crate::tokens::{self, ClientProperties};

/// The timeout of one metadata request; the client's errors are read after each.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(250);

/// How long the other bootstrap servers may still answer after one of them caused a permanent error.
const AFTER_PERMANENT_ERROR: Duration = Duration::from_secs(1);

/// The remedy if bootstrap servers answer, and brokers do not.
const ADVERTISED: &str = "make the brokers' advertised.listeners reachable from this machine (name servers, routes, \
                          firewalls); for a bastion, port-forward or private endpoint each broker needs a listener that \
                          advertises the forwarded address";

/// The number of events that are read after a request.
const MAX_EVENTS: usize = 100;

/// The most informative connection error of a client.
#[derive(Default)]
pub(crate) struct ConnectionErrors {
    last: Mutex<Option<(Code, String)>>,
}

/// Why no metadata could be read.
pub(crate) enum ConnectError {
    /// No broker could be reached.
    Connection(Explanation),
    /// The request failed, and librdkafka reported no connection error.
    Request(KafkaError),
}

/// Why a cluster cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// The name of the cause in the report of `forward check`; `None` if it is unknown.
    pub(crate) cause: Option<&'static str>,
    /// One sentence.
    pub(crate) reason: String,
    /// What to do.
    pub(crate) remedy: &'static str,
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
    let mut diagnosis = None;
    let mut brokers = None;
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
        if diagnosis.is_none() && (last.is_some() || start.elapsed() >= timeout / 4) {
            diagnosis = Some(servers.diagnose(timeout / 2));
        }
        // Once the client has the brokers' addresses, it uses the bootstrap servers no longer.
        if brokers.is_none() && start.elapsed() >= timeout / 2 {
            brokers = Some(servers.diagnose_with_new_client(topic, timeout / 4));
        }
        let is_final = last
            .as_ref()
            .is_some_and(|(code, reason)| is_permanent_error(*code, reason))
            || diagnosis.as_mut().is_some_and(Diagnosis::is_permanent);
        if is_final {
            deadline = deadline.min(Instant::now() + AFTER_PERMANENT_ERROR);
        }
        if Instant::now() >= deadline || shutdown.load(Ordering::Relaxed) {
            let brokers = brokers.flatten();
            let brokers = brokers.and_then(|mut brokers| explain_brokers(&mut brokers));
            let explained = explain(last, diagnosis.as_mut(), brokers, &servers.bootstrap);
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

/// How a client connects to its bootstrap servers.
pub(crate) struct Servers {
    properties: ClientProperties,
    bootstrap: String,
    probe: ProbeConfig,
}

impl Servers {
    pub(crate) fn of(properties: &ClientProperties) -> Self {
        Self {
            properties: properties.clone(),
            bootstrap: properties
                .get("bootstrap.servers")
                .unwrap_or_default()
                .to_owned(),
            probe: ProbeConfig::of(properties),
        }
    }

    /// Probes the bootstrap servers.
    fn diagnose(&self, timeout: Duration) -> Diagnosis {
        Diagnosis::start(
            &self.probe,
            bootstrap_servers(&self.bootstrap),
            Duration::ZERO,
            timeout,
        )
    }

    /// Probes the advertised addresses of the brokers that a new client finds within `timeout`.
    fn diagnose_with_new_client(&self, topic: &str, timeout: Duration) -> Option<Diagnosis> {
        let client: BaseConsumer = self.properties.create().ok()?;
        let _tokens = self.properties.authenticate(client.client());
        let metadata = client.fetch_metadata(Some(topic), timeout).ok()?;
        Some(self.diagnose_brokers(&metadata, Duration::ZERO, timeout))
    }

    /// Probes the advertised addresses of the brokers after `delay`.
    pub(crate) fn diagnose_brokers(
        &self,
        metadata: &Metadata,
        delay: Duration,
        timeout: Duration,
    ) -> Diagnosis {
        let brokers = metadata.brokers().iter();
        let servers = brokers.filter_map(|broker| {
            Some(Server {
                host: broker.host().to_owned(),
                port: u16::try_from(broker.port()).ok()?,
                label: format!(
                    "broker {} has the advertised address {}",
                    broker.id(),
                    address(broker.host(), broker.port())
                ),
            })
        });
        Diagnosis::start(&self.probe, servers.collect(), delay, timeout)
    }
}

/// Why a client that has metadata cannot use the brokers in it; `None` if all of them can be used.
pub(crate) fn explain_brokers(diagnosis: &mut Diagnosis) -> Option<Explanation> {
    let faults = diagnosis.faults();
    let faults: Vec<_> = faults
        .iter()
        .map(|(label, fault)| format!("{label}: {fault}"))
        .collect();
    (!faults.is_empty()).then(|| Explanation {
        cause: Some("advertised_address"),
        reason: format!("a bootstrap server answers, but {}", faults.join("; ")),
        remedy: ADVERTISED,
    })
}

/// The most specific explanation: what a broker answered to the authentication, then what the probes found, then
/// librdkafka's text.
fn explain(
    last: Option<(Code, String)>,
    diagnosis: Option<&mut Diagnosis>,
    brokers: Option<Explanation>,
    bootstrap: &str,
) -> Option<Explanation> {
    let explanation = |fault: &Fault, reason: String| Explanation {
        cause: Some(fault.name()),
        reason,
        remedy: fault.remedy(),
    };
    if let Some(fault) = last.as_ref().and_then(|(_, reason)| of_sasl(reason)) {
        return Some(explanation(&fault, fault.to_string()));
    }
    let faults = diagnosis.map(Diagnosis::faults).unwrap_or_default();
    if let [(_, first), ..] = faults[..] {
        let of_server = |(label, fault): &(&str, &Fault)| match *label == bootstrap {
            true => fault.to_string(),
            false => format!("{label}: {fault}"),
        };
        let reasons: Vec<_> = faults.iter().map(of_server).collect();
        // The remedy of a permanent fault: the other servers may start later.
        let permanent = faults.iter().find(|(_, fault)| fault.is_permanent());
        let fault = permanent.map_or(first, |(_, fault)| fault);
        return Some(explanation(fault, reasons.join("; ")));
    }
    if brokers.is_some() {
        return brokers;
    }
    let (code, reason) = last?;
    Some(Explanation {
        cause: None,
        reason,
        remedy: remedy(code).unwrap_or(UNREACHABLE),
    })
}

impl ConnectionErrors {
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
                let is_permanent = is_permanent_error(code, reason);
                code != Code::AllBrokersDown
                    && (is_permanent || !is_permanent_error(known.0, &known.1))
            }
        };
        if replaces {
            *last = Some((code, without_state(reason).to_owned()));
        }
    }
}

impl ConsumerContext for LoggingContext<ConnectionErrors> {}

fn is_permanent_error(code: Code, reason: &str) -> bool {
    is_permanent(code) && !tokens::is_temporary(reason)
}

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
