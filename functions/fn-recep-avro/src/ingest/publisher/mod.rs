//! Publishes the messages of a call, and reports for each whether it is stored.

mod broker_diagnosis;
mod current_producer;
mod readiness;
mod timer_pool;
mod topic_limits;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kafka::config::{KafkaSettings, MAX_BATCH_BYTES};
use kafka::diagnosis::Explanation;
use kafka::producer::{OutgoingMessage, Producer, PublishBatch, PublishError, PublishStatus};
use kafka::tls::ClientTls;
use rdkafka::error::KafkaError;
use settings::Settings;
use tracing::error;

use broker_diagnosis::BrokerDiagnosis;
use current_producer::CurrentProducer;
use readiness::Readiness;
use timer_pool::TimerPool;
use topic_limits::DescribedTopic;

use super::envelope::MessageLimits;

/// How long to wait for delivery reports after the deadline. They arrive at once after a purge.
const PURGE_TIMEOUT: Duration = Duration::from_millis(200);

/// The same if other calls use the producer too, so that it is not purged: librdkafka checks for messages that timed out
/// once a second.
const SHARED_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long a call waits for the topic's limits, after a message has exceeded those that are known.
const LIMITS_TIMEOUT: Duration = Duration::from_secs(2);

/// A call does not request limits that were requested less than this time ago.
const LIMITS_MIN_AGE: Duration = Duration::from_secs(5);

/// The configuration of a [`Publisher`].
#[derive(Clone, Debug)]
pub(super) struct PublisherConfig {
    /// The broker and the topic.
    pub(super) kafka: KafkaSettings,
    /// `MAX_MESSAGE`, in bytes.
    pub(super) max_message: Option<usize>,
    /// How long a call waits for the acknowledgements.
    pub(super) timeout: Duration,
    /// A producer that was idle for this long is replaced: its connections may have died while the function was frozen.
    pub(super) max_idle: Duration,
}

/// Publishes messages to one topic; shared by all calls.
pub(super) struct Publisher {
    producer: CurrentProducer,
    diagnosis: BrokerDiagnosis,
    topic: Arc<DescribedTopic>,
    tls: ClientTls,
    readiness: Readiness,
    timeout: Duration,
    calls: AtomicUsize,
    timers: TimerPool,
}

impl Publisher {
    /// Starts the producer. The connection is opened in the background.
    ///
    /// # Errors
    /// librdkafka rejects the configuration, for instance a CA file that does not exist.
    pub(super) async fn start(config: PublisherConfig) -> Result<Self, KafkaError> {
        let kafka = &config.kafka;
        let topic = DescribedTopic::new(config.max_message, kafka.profile, kafka.topic.clone());
        let tls = config.kafka.tls.clone();
        let properties = config
            .kafka
            .producer_within(config.timeout, MAX_BATCH_BYTES);
        let diagnosis = BrokerDiagnosis::new(properties);
        let producer = CurrentProducer::new(config.kafka, config.timeout, config.max_idle);
        let (started, prefetch) = producer.start().await?;
        let described = Arc::clone(&topic);
        tokio::spawn(async move { described.describe_later(started, prefetch).await });
        Ok(Self {
            producer,
            diagnosis,
            topic,
            tls,
            readiness: Readiness::default(),
            timeout: config.timeout,
            calls: AtomicUsize::new(0),
            timers: TimerPool::default(),
        })
    }

    /// Waits until the broker rejects the user name or password.
    pub(super) async fn authentication_failed(&self) {
        self.producer.authentication_failed().await;
    }

    /// Whether these settings name other TLS files than those that the producer has, or other content.
    pub(super) fn has_other_tls(&self, settings: &Settings) -> bool {
        // A file that is just being replaced is read again at the next check.
        ClientTls::from_settings(settings).is_ok_and(|tls| tls != self.tls)
    }

    /// Whether a broker answers now. Publishes nothing.
    pub(super) async fn is_ready(&self) -> bool {
        self.readiness.get(self.producer.broker_answers()).await
    }

    /// The topic of all messages.
    pub(super) fn topic(&self) -> &str {
        self.producer.topic()
    }

    /// The limits of a message, as far as they are known.
    pub(super) fn limits(&self) -> MessageLimits {
        self.topic.limits()
    }

    /// The topic's limit of a message in bytes, if the broker has described the topic.
    pub(super) fn topic_limit(&self) -> Option<usize> {
        self.topic.max_bytes()
    }

    /// Whether the topic's limits are not known, and were not requested in the last seconds.
    pub(super) fn lacks_limits(&self) -> bool {
        self.topic.max_bytes().is_none() && self.has_old_limits()
    }

    /// Whether the limits were not requested in the last seconds.
    pub(super) fn has_old_limits(&self) -> bool {
        self.topic.is_older_than(LIMITS_MIN_AGE)
    }

    /// Requests the topic's limits if they were not requested in the last seconds. Waits at most two seconds, and not longer
    /// than until the deadline.
    pub(super) async fn wait_for_limits(&self, deadline: Option<Instant>) {
        self.refresh_limits(LIMITS_MIN_AGE, deadline).await;
    }

    async fn refresh_limits(&self, max_age: Duration, deadline: Option<Instant>) {
        let end = Instant::now() + LIMITS_TIMEOUT;
        let end = deadline.map_or(end, |deadline| deadline.min(end));
        let refresh = async {
            if let Ok(producer) = self.producer.get().await {
                self.topic.refresh(producer, max_age).await;
            }
        };
        let _ = self.timers.timeout_at(end, refresh).await;
    }

    /// Publishes all messages and waits for their acknowledgements, until `deadline` or the configured timeout.
    ///
    /// Publishes nothing if the deadline has passed. Messages are published independently: some may be stored and others
    /// not. Kafka's transactions would prevent that, but need two more round trips a call, and OCI Streaming has none.
    pub(super) async fn publish(
        &self,
        messages: &[OutgoingMessage<'_>],
        deadline: Option<Instant>,
    ) -> Vec<PublishStatus> {
        let now = Instant::now();
        let limit = now + self.timeout;
        let deadline = deadline.map_or(limit, |deadline| deadline.min(limit));
        let none_stored = |error| vec![PublishStatus::NotStored(error); messages.len()];
        if deadline <= now {
            return none_stored(PublishError::NotAcknowledged);
        }
        if let Some(bytes) = self.topic.max_bytes() {
            self.producer.limit_batches(bytes);
        }
        let producer = match self.producer.get().await {
            Ok(producer) => producer,
            Err(error) => {
                error!(%error, "starting a Kafka producer failed");
                return none_stored(PublishError::Rejected);
            }
        };
        if self.topic.is_due() {
            let (topic, producer) = (Arc::clone(&self.topic), Arc::clone(&producer));
            tokio::spawn(async move { topic.refresh(producer, Duration::ZERO).await });
        }
        let call = ActiveCall::start(&self.calls);
        let batch = PublishBatch::new(messages.len());
        for (index, message) in messages.iter().enumerate() {
            producer.send(self.topic(), message, &batch, index);
        }
        if self.completed(&batch, now, deadline).await.is_none() {
            let timeout = if call.is_alone() {
                producer.purge();
                PURGE_TIMEOUT
            } else {
                SHARED_TIMEOUT
            };
            let end = Instant::now() + timeout;
            let _ = self.timers.timeout_at(end, batch.completed()).await;
        }
        let mut statuses = batch.statuses(|| producer.has_connected());
        // After the deadline, or if librdkafka has given the messages up just before it. The next call replaces a producer that
        // had a fatal error.
        let is_late = statuses.iter().any(is_late) && producer.fatal_error().is_none();
        if is_late && call.is_alone() {
            self.producer.retire(&producer);
        }
        match statuses.iter().any(|status| status.error().is_some()) {
            true => apply_fatal_error(&producer, &mut statuses),
            false => self.diagnosis.clear(),
        }
        if statuses.iter().any(exceeds_topic) {
            self.refresh_limits(Duration::ZERO, Some(deadline)).await;
        }
        statuses
    }

    /// Waits for the acknowledgements, and finds out meanwhile why they are late. `None` after the deadline.
    async fn completed(
        &self,
        batch: &PublishBatch,
        start: Instant,
        deadline: Instant,
    ) -> Option<()> {
        let remaining = deadline.duration_since(start);
        let late = start + remaining / 4;
        let completed = self.timers.timeout_at(late, batch.completed()).await;
        if completed.is_some() {
            return completed;
        }
        self.diagnosis.start(remaining / 2);
        self.timers.timeout_at(deadline, batch.completed()).await
    }

    /// Why the brokers do not acknowledge, if it is known.
    pub(super) fn explanation(&self) -> Option<Explanation> {
        self.diagnosis.found()
    }
}

fn is_late(status: &PublishStatus) -> bool {
    status.error() == Some(PublishError::NotAcknowledged)
}

/// Whether the topic's configuration rejects the message.
fn exceeds_topic(status: &PublishStatus) -> bool {
    use PublishError::{InvalidTimestamp, TooLarge};
    matches!(status.error(), Some(TooLarge | InvalidTimestamp))
}

/// Replaces the error of messages that are not acknowledged. After a fatal error, their delivery reports say only that they
/// were purged.
fn apply_fatal_error(producer: &Producer, statuses: &mut [PublishStatus]) {
    let Some((fatal, reason)) = producer.fatal_error() else {
        return;
    };
    error!(reason, "the Kafka producer had a fatal error");
    for status in statuses {
        if let PublishStatus::NotStored(error) | PublishStatus::PossiblyStored(error) = status {
            *error = fatal.max(*error);
        }
    }
}

/// Counts a call while it lasts.
struct ActiveCall<'a>(&'a AtomicUsize);

impl<'a> ActiveCall<'a> {
    fn start(calls: &'a AtomicUsize) -> Self {
        calls.fetch_add(1, Ordering::Relaxed);
        Self(calls)
    }

    /// True if all messages of the producer belong to this call.
    fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for ActiveCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
