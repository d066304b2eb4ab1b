//! An embedded Kafka-compatible broker: librdkafka's mock cluster, on a random port of 127.0.0.1.
//!
//! It keeps the newest 5 MiB or 100,000 messages of each partition in memory, knows consumer groups (classic
//! protocol), commits and their metadata; it has no transactions, no retention, no TLS and no SASL.

mod mock;

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
        let host = mock::deaf_to_signals(|| BaseProducer::from_config(&config))
            .context("starting the embedded broker")?;
        let bootstrap = host
            .client()
            .mock_cluster()
            .context("the embedded broker has no cluster")?
            .bootstrap_servers();
        mock::join_at_once(&host);
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

    /// Does `work`, and tells how many Fetch requests came meanwhile, from all clients.
    pub fn fetches_during<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
        mock::track_requests(&self.host, true);
        let done = work();
        let fetches = mock::fetches(&self.host);
        mock::track_requests(&self.host, false);
        (done, fetches)
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

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;
    use crate::records;

    #[tokio::test]
    async fn a_signal_to_its_thread_does_not_end_the_broker() {
        // Somebody listens, as whoever starts processes does; else the kernel drops the signal.
        let _ends_of_children = signal(SignalKind::child()).unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic("door", 3).unwrap();
        let threads = threads_named("rdk:mock");
        assert!(!threads.is_empty());
        // More than once, for at least one to meet it while it waits.
        for _ in 0..20 {
            threads.iter().for_each(|thread| disturb(*thread));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(records::all(broker.bootstrap(), "door").unwrap(), []);
    }

    fn threads_named(name: &str) -> Vec<libc::pid_t> {
        let all = fs::read_dir("/proc/self/task").unwrap();
        let ids = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        ids.filter(|id| {
            let called = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            called.is_ok_and(|called| called.trim() == name)
        })
        .map(|id| id.parse().unwrap())
        .collect()
    }

    /// Sends SIGCHLD to that thread of ours.
    #[allow(unsafe_code)]
    fn disturb(thread: libc::pid_t) {
        let us = libc::pid_t::try_from(std::process::id()).unwrap();
        // SAFETY: the call takes numbers only.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, us, thread, libc::SIGCHLD) };
        assert_eq!(sent, 0);
    }
}
