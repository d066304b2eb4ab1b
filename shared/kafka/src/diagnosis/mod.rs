//! Finds out why a cluster cannot be used: connects to each server as the client would, and to the addresses that the brokers
//! advertise.

mod advertised;
mod explanation;
mod fault;
mod probe;
mod probes;
mod server;
mod servers;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use explanation::Explanation;
pub(crate) use explanation::explain_brokers;
pub(crate) use probes::Diagnosis;
pub(crate) use servers::Servers;

use crate::tokens::ClientProperties;

/// The names of the causes of an [`Explanation`].
pub const CAUSES: [&str; 18] = [
    "name_resolution",
    "connection_refused",
    "no_route",
    "connection_timeout",
    "no_answer",
    "not_kafka",
    "tls_required",
    "tls_not_supported",
    "broker_certificate",
    "client_certificate_required",
    "client_certificate_rejected",
    "tls_handshake",
    "sasl_required",
    "sasl_not_supported",
    "sasl_mechanism",
    "access_token",
    "authentication",
    "advertised_address",
];

/// Why a client with these properties cannot use the cluster now; `None` if no reason is found. Blocks up to `timeout`, and
/// for the time that the resolver takes. Nothing is read, written or created.
pub fn diagnose(properties: &ClientProperties, timeout: Duration) -> Option<Explanation> {
    let end = Instant::now() + timeout;
    let servers = Servers::of(properties);
    let mut bootstrap = servers.diagnose_bootstrap(timeout / 2);
    let (brokers, last) = servers.advertised(timeout / 2);
    if brokers.is_empty() {
        bootstrap.wait(end);
        let mut none = Diagnosis::none();
        return servers.explain(last, &mut bootstrap, &mut none);
    }
    let remaining = end.saturating_duration_since(Instant::now());
    let mut brokers = servers.probe(Duration::ZERO, remaining, move || brokers);
    brokers.wait(end);
    explain_brokers(&mut brokers)
}
