//! The addresses that the brokers advertise, found by a client of its own.
//!
//! A Metadata request does not always return them: once librdkafka has the brokers' addresses it closes the connection to the
//! bootstrap server, and sends a request that it has not answered yet to one of the brokers again, which cannot be reached.
//! Its statistics contain the addresses in any case.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

use super::server::Server;
use crate::connection_errors::{ConnectionError, ConnectionErrors};
use crate::context::{EventHandler, LoggingContext};
use crate::tokens::ClientProperties;

/// The interval of the statistics, in milliseconds.
const INTERVAL: &str = "100";

#[derive(Default)]
struct BrokerListener {
    errors: ConnectionErrors,
    brokers: Mutex<Vec<Server>>,
}

impl BrokerListener {
    fn brokers(&self) -> Vec<Server> {
        let brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        brokers.clone()
    }
}

impl EventHandler for BrokerListener {
    fn on_error(&self, error: &KafkaError, reason: &str) {
        self.errors.on_error(error, reason);
    }

    fn on_statistics(&self, statistics: &Statistics) {
        let known = statistics.brokers.values();
        let mut found: Vec<(i32, Server)> = known
            .filter(|broker| broker.source == "learned")
            .filter_map(|broker| {
                let (host, port) = broker.nodename.rsplit_once(':')?;
                let host = host.trim_start_matches('[').trim_end_matches(']');
                let id = broker.nodeid;
                Some((id, Server::broker(id, host, port.parse().ok()?)))
            })
            .collect();
        if found.is_empty() {
            return;
        }
        found.sort_by_key(|(id, _)| *id);
        let mut brokers = self.brokers.lock().unwrap_or_else(PoisonError::into_inner);
        *brokers = found.into_iter().map(|(_, server)| server).collect();
    }
}

impl ConsumerContext for LoggingContext<BrokerListener> {}

/// The brokers that a new client with these properties finds within `timeout`, by their ids, otherwise its error.
pub(super) fn find(
    properties: &ClientProperties,
    timeout: Duration,
) -> (Vec<Server>, Option<ConnectionError>) {
    let end = Instant::now() + timeout;
    let mut config = properties.config.clone();
    config.set("statistics.interval.ms", INTERVAL);
    // A group has a coordinator, to which the client would connect.
    config.remove("group.id");
    let context = LoggingContext::new("diagnosis", BrokerListener::default());
    let Ok(client) = BaseConsumer::from_config_and_context(&config, context) else {
        return (Vec::new(), None);
    };
    let _tokens = properties.authenticate(client.client());
    let found = client.context().handler();
    while found.brokers().is_empty() && Instant::now() < end {
        drop(client.poll(Duration::from_millis(20)));
        // No retry can help.
        if found
            .errors
            .last()
            .is_some_and(|error| error.is_permanent())
        {
            break;
        }
    }
    (found.brokers(), found.errors.last())
}
