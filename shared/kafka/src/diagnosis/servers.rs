//! The diagnoses of a cluster: of its bootstrap servers, and of the addresses that its brokers advertise.

use std::time::Duration;

use rdkafka::metadata::Metadata;

use super::advertised;
use super::explanation::{self, Explanation};
use super::probe::ProbeConfig;
use super::probes::Diagnosis;
use super::server::{Server, bootstrap_servers};
use crate::connection_errors::ConnectionError;
use crate::tokens::ClientProperties;

/// How a client connects to its bootstrap servers.
pub(crate) struct Servers {
    properties: ClientProperties,
    bootstrap: String,
    config: ProbeConfig,
}

impl Servers {
    pub(crate) fn of(properties: &ClientProperties) -> Self {
        let bootstrap = properties.get("bootstrap.servers").unwrap_or_default();
        Self {
            properties: properties.clone(),
            bootstrap: bootstrap.to_owned(),
            config: ProbeConfig::of(properties),
        }
    }

    /// Probes the addresses that the brokers advertise to a client of its own. The timeout is that of this client, and then
    /// of each probe.
    pub(crate) fn diagnose_advertised(&self, timeout: Duration) -> Diagnosis {
        let properties = self.properties.clone();
        let find = move || advertised::find(&properties, timeout).0;
        self.probe(Duration::ZERO, timeout, find)
    }

    /// Probes the bootstrap servers.
    pub(crate) fn diagnose_bootstrap(&self, timeout: Duration) -> Diagnosis {
        let bootstrap = self.bootstrap.clone();
        self.probe(Duration::ZERO, timeout, move || {
            bootstrap_servers(&bootstrap)
        })
    }

    /// The addresses that the brokers advertise to a client of its own, or the client's error.
    pub(super) fn advertised(&self, timeout: Duration) -> (Vec<Server>, Option<ConnectionError>) {
        advertised::find(&self.properties, timeout)
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
            let port = u16::try_from(broker.port()).ok()?;
            Some(Server::broker(broker.id(), broker.host(), port))
        });
        let servers: Vec<Server> = servers.collect();
        self.probe(delay, timeout, move || servers)
    }

    pub(super) fn probe(
        &self,
        delay: Duration,
        timeout: Duration,
        find: impl FnOnce() -> Vec<Server> + Send + 'static,
    ) -> Diagnosis {
        Diagnosis::start(&self.config, find, delay, timeout)
    }

    /// The most specific explanation of what is known now.
    pub(crate) fn explain(
        &self,
        last: Option<ConnectionError>,
        bootstrap: &mut Diagnosis,
        brokers: &mut Diagnosis,
    ) -> Option<Explanation> {
        explanation::explain(last, bootstrap, brokers, &self.bootstrap)
    }
}
