//! An embedded Kafka-compatible broker: librdkafka's mock cluster, on a random port of 127.0.0.1.
//!
//! It keeps the newest 5 MiB or 100,000 messages of each partition in memory, knows consumer groups (classic
//! protocol), commits and their metadata; it has no transactions, no retention, no TLS and no SASL.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

/// A running embedded broker; it ends when this is dropped.
pub struct Broker {
    host: BaseProducer,
    bootstrap: String,
}

impl Broker {
    /// Starts a cluster of one broker.
    ///
    /// # Errors
    /// librdkafka could not make one (no free port, no memory).
    pub fn start() -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("test.mock.num.brokers", "1")
            .set("client.id", "embedded-broker")
            .set("log_level", "3");
        let host = BaseProducer::from_config(&config).context("starting the embedded broker")?;
        let bootstrap = host
            .client()
            .mock_cluster()
            .context("the embedded broker has no cluster")?
            .bootstrap_servers();
        join_at_once(&host);
        Ok(Self { host, bootstrap })
    }

    /// `host:port` for clients, in this process or another.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic; a topic that nobody created appears at first use, with four partitions.
    ///
    /// # Errors
    /// The topic exists.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.cluster()?
            .create_topic(name, partitions, 1)
            .with_context(|| format!("creating topic {name}"))
    }

    /// Takes the broker off the network: connections are closed and refused.
    ///
    /// # Errors
    /// The cluster refused.
    pub fn down(&self) -> Result<()> {
        self.cluster()?
            .broker_down(1)
            .context("taking the embedded broker down")
    }

    /// Puts it back, with everything that it had.
    ///
    /// # Errors
    /// The cluster refused.
    pub fn up(&self) -> Result<()> {
        self.cluster()?
            .broker_up(1)
            .context("bringing the embedded broker up")
    }

    /// Delays every answer by this much.
    ///
    /// # Errors
    /// The cluster refused.
    pub fn round_trip(&self, delay: Duration) -> Result<()> {
        self.cluster()?
            .broker_round_trip_time(1, delay)
            .context("slowing the embedded broker")
    }

    /// Answers every request about the topic with this error; `RD_KAFKA_RESP_ERR_NO_ERROR` ends it.
    ///
    /// # Errors
    /// The cluster refused.
    pub fn topic_error(&self, topic: &str, error: rdkafka::types::RDKafkaRespErr) -> Result<()> {
        self.cluster()?
            .topic_error(topic, error)
            .with_context(|| format!("breaking topic {topic}"))
    }

    /// Answers the next produce requests with these errors, one each.
    ///
    /// # Errors
    /// The cluster refused.
    pub fn produce_errors(&self, errors: &[rdkafka::types::RDKafkaRespErr]) -> Result<()> {
        const PRODUCE: rdkafka_sys::RDKafkaApiKey = rdkafka_sys::RDKafkaApiKey::Produce;
        self.cluster()?.request_errors(PRODUCE, errors);
        Ok(())
    }

    fn cluster(
        &self,
    ) -> Result<rdkafka::mocking::MockCluster<'_, rdkafka::producer::DefaultProducerContext>> {
        self.host
            .client()
            .mock_cluster()
            .ok_or(KafkaError::Canceled)
            .context("the embedded broker is gone")
    }
}

/// The first member of a group joins at once, where the mock (as Kafka itself) would wait three seconds for others.
#[allow(unsafe_code)]
fn join_at_once(host: &BaseProducer) {
    // SAFETY: the handle lives as long as `host`, which the caller holds; it has a cluster, as checked before.
    unsafe {
        let cluster = rdkafka_sys::rd_kafka_handle_mock_cluster(host.client().native_ptr());
        if !cluster.is_null() {
            rdkafka_sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        }
    }
}
