//! An embedded Kafka-compatible broker: librdkafka's mock cluster, on a random port of 127.0.0.1.
//!
//! It keeps the newest 5 MiB or 100,000 messages of each partition in memory, and supports consumer groups (classic
//! protocol) and commits with metadata. It does not support transactions, retention, TLS and SASL.

mod mock;

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer};

use crate::process_guard;

/// A running embedded broker. Dropping this stops it.
pub struct Broker {
    host: BaseProducer,
    bootstrap: String,
}

impl Broker {
    /// Starts a cluster of one broker.
    ///
    /// # Errors
    /// librdkafka cannot create the cluster (no free port, no memory).
    pub fn start() -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("test.mock.num.brokers", "1")
            .set("client.id", "embedded-broker")
            .set("log_level", "3");
        let host = mock::with_signals_blocked(|| BaseProducer::from_config(&config))
            .context("starting the embedded broker")?;
        let bootstrap = host
            .client()
            .mock_cluster()
            .context("the embedded broker has no cluster")?
            .bootstrap_servers();
        mock::disable_rebalance_delay(&host);
        Ok(Self { host, bootstrap })
    }

    /// `host:port` for clients, in this process or another.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Creates a topic. Without this call, the first use of a topic creates it with four partitions.
    ///
    /// # Errors
    /// The topic exists.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<()> {
        self.cluster()?
            .create_topic(name, partitions, 1)
            .with_context(|| format!("creating topic {name}"))
    }

    /// Makes the broker unreachable: it closes and refuses connections. This process must start other processes only with
    /// [`program::spawn`](crate::program::spawn).
    ///
    /// # Errors
    /// The mock cluster returned an error.
    pub fn set_down(&self) -> Result<()> {
        let _guard = process_guard::no_process_starts();
        self.cluster()?
            .broker_down(1)
            .context("taking the embedded broker down")
    }

    /// Makes the broker reachable again, with all its data.
    ///
    /// # Errors
    /// The mock cluster returned an error.
    pub fn set_up(&self) -> Result<()> {
        self.cluster()?
            .broker_up(1)
            .context("bringing the embedded broker up")
    }

    /// Delays every response by this duration.
    ///
    /// # Errors
    /// The mock cluster returned an error.
    pub fn set_round_trip_time(&self, delay: Duration) -> Result<()> {
        self.cluster()?
            .broker_round_trip_time(1, delay)
            .context("delaying the embedded broker")
    }

    /// Answers every request about the topic with this error, until `RD_KAFKA_RESP_ERR_NO_ERROR` is set.
    ///
    /// # Errors
    /// The mock cluster returned an error.
    pub fn set_topic_error(
        &self,
        topic: &str,
        error: rdkafka::types::RDKafkaRespErr,
    ) -> Result<()> {
        self.cluster()?
            .topic_error(topic, error)
            .with_context(|| format!("setting the error of topic {topic}"))
    }

    /// Answers each of the next Produce requests with one of these errors.
    ///
    /// # Errors
    /// The mock cluster returned an error.
    pub fn push_produce_errors(&self, errors: &[rdkafka::types::RDKafkaRespErr]) -> Result<()> {
        const PRODUCE: rdkafka_sys::RDKafkaApiKey = rdkafka_sys::RDKafkaApiKey::Produce;
        self.cluster()?.request_errors(PRODUCE, errors);
        Ok(())
    }

    /// Delays the response to the next Produce request by this duration. The records are written at once.
    pub fn delay_produce(&self, delay: Duration) {
        mock::delay_produce(&self.host, delay);
    }

    /// Runs `work` and counts the Fetch requests of all clients meanwhile.
    pub fn count_fetches<T>(&self, work: impl FnOnce() -> T) -> (T, usize) {
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
            .context("the embedded broker has stopped")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::signal::unix::{SignalKind, signal};

    use super::*;
    use crate::records;

    #[tokio::test]
    async fn a_signal_to_its_thread_does_not_stop_the_broker() {
        // Without a handler the kernel drops SIGCHLD.
        let _handler = signal(SignalKind::child()).unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic("orders", 3).unwrap();
        let threads = threads_named("rdk:mock");
        assert!(!threads.is_empty());
        // Several times, so that at least one signal arrives while the thread waits.
        for _ in 0..20 {
            threads.iter().for_each(|thread| send_sigchld(*thread));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(records::all(broker.bootstrap(), "orders").unwrap(), []);
    }

    fn threads_named(name: &str) -> Vec<libc::pid_t> {
        let all = fs::read_dir("/proc/self/task").unwrap();
        let ids = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        ids.filter(|id| {
            let comm = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
            comm.is_ok_and(|comm| comm.trim() == name)
        })
        .map(|id| id.parse().unwrap())
        .collect()
    }

    /// Sends SIGCHLD to a thread of this process.
    #[allow(unsafe_code)]
    fn send_sigchld(thread: libc::pid_t) {
        let process = libc::pid_t::try_from(std::process::id()).unwrap();
        // SAFETY: all arguments are numbers.
        let result = unsafe { libc::syscall(libc::SYS_tgkill, process, thread, libc::SIGCHLD) };
        assert_eq!(result, 0);
    }
}
