//! The producer that all calls share, and its replacement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::producer::Producer;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::Notify;
use tracing::{debug, info};

/// How long prefetching metadata from an unreachable broker may block a thread.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a readiness check waits for the broker. The timeout of the Kubernetes probe is longer.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// Keeps one producer across calls. It is replaced after a fatal error, after a purge, and after it was idle for so long
/// that its connections may be dead.
pub(super) struct CurrentProducer {
    config: ClientConfig,
    topic: String,
    prefetch_timeout: Duration,
    max_idle: Duration,
    authentication_failed: Arc<Notify>,
    current: Mutex<Option<LastUse>>,
}

struct LastUse {
    producer: Arc<Producer>,
    at: Instant,
}

impl CurrentProducer {
    pub(super) fn new(
        config: ClientConfig,
        topic: String,
        timeout: Duration,
        max_idle: Duration,
    ) -> Self {
        Self {
            config,
            topic,
            prefetch_timeout: timeout.min(PREFETCH_TIMEOUT),
            max_idle,
            authentication_failed: Arc::default(),
            current: Mutex::new(None),
        }
    }

    /// The topic whose metadata is prefetched.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Waits until the broker rejects the user name or password.
    pub(super) async fn authentication_failed(&self) {
        self.authentication_failed.notified().await;
    }

    /// The current producer, or a new one if there is none that is usable.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub(super) async fn get(&self) -> KafkaResult<Arc<Producer>> {
        if let Some(producer) = self.usable() {
            return Ok(producer);
        }
        // Starting a producer reads certificates, which would block the runtime.
        let (config, notify) = (self.config.clone(), Arc::clone(&self.authentication_failed));
        let producer = tokio::task::spawn_blocking(move || Producer::start(&config, notify))
            .await
            .map_err(|_| KafkaError::Canceled)??;
        // The first message needs the topic's leaders. If this fails, the message fails too, and is reported then.
        let (prefetching, topic) = (Arc::clone(&producer), self.topic.clone());
        let timeout = self.prefetch_timeout;
        tokio::task::spawn_blocking(move || prefetching.prefetch_metadata(&topic, timeout));
        // If a concurrent call was faster, its producer is used and this one is dropped.
        let mut current = self.lock();
        let current = current.get_or_insert(LastUse {
            producer,
            at: Instant::now(),
        });
        Ok(Arc::clone(&current.producer))
    }

    /// Whether a broker answers a request within a second.
    pub(super) async fn broker_answers(&self) -> bool {
        let Ok(producer) = self.get().await else {
            return false;
        };
        let topic = self.topic.clone();
        let ping = tokio::task::spawn_blocking(move || producer.ping(&topic, PING_TIMEOUT));
        matches!(ping.await, Ok(Ok(())))
    }

    /// Retires this producer if it is the current one. Calls that wait for its delivery reports still receive them.
    pub(super) fn retire(&self, producer: &Arc<Producer>) {
        let mut current = self.lock();
        if current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(&current.producer, producer))
            && let Some(old) = current.take()
        {
            // Dropping a producer joins its threads. So it must not be dropped on the runtime's thread, not even by the
            // last call that waits for it.
            tokio::task::spawn_blocking(move || {
                while Arc::strong_count(&old.producer) > 1 {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
    }

    /// The current producer, if it is usable. Retires it otherwise.
    fn usable(&self) -> Option<Arc<Producer>> {
        let unusable = {
            let mut current = self.lock();
            let current = current.as_mut()?;
            let idle = current.at.elapsed();
            let fatal = current.producer.fatal_error();
            if idle < self.max_idle && fatal.is_none() {
                current.at = Instant::now();
                return Some(Arc::clone(&current.producer));
            }
            match fatal {
                Some((_, reason)) => {
                    info!(reason, "replacing the Kafka producer after a fatal error");
                }
                None => debug!(?idle, "replacing the idle Kafka producer"),
            }
            Arc::clone(&current.producer)
        };
        self.retire(&unusable);
        None
    }

    fn lock(&self) -> MutexGuard<'_, Option<LastUse>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
