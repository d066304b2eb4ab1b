//! The producer that all calls share, and its replacement.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka::config::{KafkaSettings, MAX_BATCH_BYTES};
use kafka::producer::Producer;
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{debug, info};

/// How long prefetching metadata from an unreachable broker may block a thread.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a readiness check waits for the broker. The timeout of the Kubernetes probe is longer.
const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// Keeps one producer across calls. It is replaced after a fatal error, after a purge, after it was idle for so long that
/// its connections may be dead, and when the topic accepts only smaller batches.
pub(super) struct CurrentProducer {
    kafka: KafkaSettings,
    timeout: Duration,
    max_idle: Duration,
    max_batch_bytes: AtomicUsize,
    authentication_failed: Arc<Notify>,
    current: Mutex<Option<LastUse>>,
}

struct LastUse {
    producer: Arc<Producer>,
    at: Instant,
    /// The limit with which it was started.
    max_batch_bytes: usize,
}

impl CurrentProducer {
    /// Messages fail after `timeout`.
    pub(super) fn new(kafka: KafkaSettings, timeout: Duration, max_idle: Duration) -> Self {
        Self {
            kafka,
            timeout,
            max_idle,
            max_batch_bytes: MAX_BATCH_BYTES.into(),
            authentication_failed: Arc::default(),
            current: Mutex::new(None),
        }
    }

    /// The topic whose metadata is prefetched.
    pub(super) fn topic(&self) -> &str {
        &self.kafka.topic
    }

    /// Applies the topic's limit of a record batch: the broker rejects a whole batch that is larger. The next call starts
    /// another producer, unless the limit is above the usual size of batches, as it nearly always is.
    pub(super) fn limit_batches(&self, topic_bytes: usize) {
        let bytes = topic_bytes.clamp(1, MAX_BATCH_BYTES);
        self.max_batch_bytes.store(bytes, Ordering::Relaxed);
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
        match self.usable() {
            Some(producer) => Ok(producer),
            None => Ok(self.start().await?.0),
        }
    }

    /// Starts a producer, and requests the metadata that its first message needs. The task ends when they have arrived, or
    /// cannot be requested.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub(super) async fn start(&self) -> KafkaResult<(Arc<Producer>, JoinHandle<()>)> {
        // Starting a producer reads certificates, which would block the runtime.
        let max_batch_bytes = self.max_batch_bytes.load(Ordering::Relaxed);
        let config = self.kafka.producer_within(self.timeout, max_batch_bytes);
        let notify = Arc::clone(&self.authentication_failed);
        let producer = tokio::task::spawn_blocking(move || Producer::start(&config, notify))
            .await
            .map_err(|_| KafkaError::Canceled)??;
        // The first message needs the topic's leaders. If this fails, the message fails too, and is reported then.
        let (prefetching, topic) = (Arc::clone(&producer), self.topic().to_owned());
        let timeout = self.timeout.min(PREFETCH_TIMEOUT);
        let prefetch = tokio::task::spawn_blocking(move || prefetching.prefetch(&topic, timeout));
        // If a concurrent call was faster, its producer is used and this one is dropped.
        let mut current = self.lock();
        let current = current.get_or_insert(LastUse {
            producer,
            at: Instant::now(),
            max_batch_bytes,
        });
        Ok((Arc::clone(&current.producer), prefetch))
    }

    /// Whether a broker answers a request within a second.
    pub(super) async fn broker_answers(&self) -> bool {
        let Ok(producer) = self.get().await else {
            return false;
        };
        let topic = self.topic().to_owned();
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
            let max_batch_bytes = self.max_batch_bytes.load(Ordering::Relaxed);
            let has_limit = current.max_batch_bytes == max_batch_bytes;
            if idle < self.max_idle && fatal.is_none() && has_limit {
                current.at = Instant::now();
                return Some(Arc::clone(&current.producer));
            }
            match fatal {
                Some((_, reason)) => {
                    info!(reason, "replacing the Kafka producer after a fatal error");
                }
                None if !has_limit => {
                    info!(
                        max_batch_bytes,
                        "replacing the Kafka producer for the limit of the topic"
                    );
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
