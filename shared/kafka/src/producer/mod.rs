//! An async producer on librdkafka, which reports the status of each message.

mod batch;
mod delivery_report;
mod event_notifier;
mod message;
mod status;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;
use tracing::{debug, error, warn};

pub use batch::PublishBatch;
pub use message::{MessageHeader, OutgoingMessage};
pub use status::{PublishError, PublishStatus, Receipt};

use crate::context::{DeliveryHandler, EventHandler, LoggingContext};
use crate::describe::{self, TopicLimits};
use crate::log;
use crate::prefetch::prefetch;
use crate::tokens::{ClientProperties, TokenRefresher};
use delivery_report::is_not_stored;
use event_notifier::EventNotifier;

/// A running producer.
///
/// A task on the runtime serves its delivery reports, so an acknowledgement needs no extra thread. Dropping the producer
/// joins librdkafka's threads: drop it where blocking is allowed.
pub struct Producer {
    // Before the producer: fields are dropped in this order.
    _tokens: Option<TokenRefresher>,
    notifier: EventNotifier,
    producer: BaseProducer<LoggingContext<DeliveryReports>>,
    has_connected: AtomicBool,
}

impl Producer {
    /// Starts librdkafka's threads, and a task on the current runtime that serves delivery reports until the producer is
    /// dropped. The connection is opened in the background. May read certificates from disk, so it may block.
    ///
    /// `authentication_failed` is notified when the broker rejects the user name or password.
    ///
    /// # Errors
    /// librdkafka rejects the configuration, or no pipe can be created.
    pub fn start(
        config: &ClientProperties,
        authentication_failed: Arc<Notify>,
    ) -> KafkaResult<Arc<Self>> {
        let producer = create(config, authentication_failed)?;
        let tokens = config.authenticate(producer.client());
        Self::serve(producer, tokens)
    }

    /// Starts the task that serves the events, including those that are queued already.
    fn serve(
        producer: BaseProducer<LoggingContext<DeliveryReports>>,
        tokens: Option<TokenRefresher>,
    ) -> KafkaResult<Arc<Self>> {
        let (notifier, receiver) = EventNotifier::register(&producer)
            .map_err(|error| KafkaError::ClientCreation(format!("creating a pipe: {error}")))?;
        let producer = Arc::new(Self {
            _tokens: tokens,
            notifier,
            producer,
            has_connected: AtomicBool::new(false),
        });
        tokio::spawn(serve_events(receiver, Arc::downgrade(&producer)));
        Ok(producer)
    }

    /// [Prepares](prefetch()) the first message to the topic. Blocks up to twice `timeout`.
    pub fn prefetch(&self, topic: &str, timeout: Duration) {
        prefetch(self.producer.client(), topic, timeout);
    }

    /// Requests the topic's metadata from a broker. Blocks up to `timeout`.
    ///
    /// # Errors
    /// No broker answered. An answer that the topic does not exist is not an error.
    pub fn ping(&self, topic: &str, timeout: Duration) -> KafkaResult<()> {
        let client = self.producer.client();
        client.fetch_metadata(Some(topic), timeout).map(drop)
    }

    /// The limits that the topic's configuration sets. Blocks up to twice `timeout`. `None` if no broker answers, or the
    /// broker does not permit the request (DESCRIBE_CONFIGS).
    pub fn topic_limits(&self, topic: &str, timeout: Duration) -> Option<TopicLimits> {
        let client = self.producer.client();
        let metadata = client.fetch_metadata(Some(topic), timeout).ok()?;
        describe::topic_limits(client, topic, &metadata, timeout)
    }

    /// Queues a message. Its status is set at `index` of `batch`, at the latest after the configured message timeout.
    pub fn send(
        &self,
        topic: &str,
        message: &OutgoingMessage<'_>,
        batch: &Arc<PublishBatch>,
        index: usize,
    ) {
        let slot = Box::new(BatchSlot {
            batch: Arc::clone(batch),
            index,
        });
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, slot)
            .payload(message.value)
            .headers(message.native_headers());
        if let Some(key) = message.key.as_ref().map(Bytes::as_ref) {
            record = record.key(key);
        }
        if let Some(timestamp) = message.timestamp {
            record = record.timestamp(timestamp);
        }
        if let Err((error, record)) = self.producer.send(record) {
            if let Some(suppressed) = log::admit(format!("queue {topic} {error}")) {
                warn!(topic, %error, suppressed, "queueing a message failed");
            }
            let cause = error
                .rdkafka_error_code()
                .map_or(PublishError::Rejected, PublishError::from_code);
            record
                .delivery_opaque
                .complete(PublishStatus::NotStored(cause));
        }
    }

    /// Removes all messages from the queue, and stops waiting for the acknowledgement of those in flight.
    ///
    /// Do not use an idempotent producer afterwards: its sequence numbers have a gap, which the broker rejects.
    pub fn purge(&self) {
        // A blocking purge would wait for librdkafka's threads, which may be in a host name lookup.
        let everything = PurgeConfig::default().queue().inflight().non_blocking();
        self.producer.purge(everything);
        self.drain();
    }

    /// The fatal error after which this producer sends no more messages, if there is one.
    pub fn fatal_error(&self) -> Option<(PublishError, String)> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some((PublishError::from_code(code), log::redacted(&reason)))
    }

    /// True if the client has ever connected to a broker; before that, no message was sent. Does not block.
    pub fn has_connected(&self) -> bool {
        // Cached, because rdkafka leaks the cluster id of every call.
        let client = self.producer.client();
        if !self.has_connected.load(Ordering::Relaxed)
            && client.fetch_cluster_id(Duration::ZERO).is_some()
        {
            self.has_connected.store(true, Ordering::Relaxed);
        }
        self.has_connected.load(Ordering::Relaxed)
    }

    fn drain(&self) {
        while self.notifier.has_events() {
            self.producer.poll(Duration::ZERO);
        }
    }
}

fn create(
    config: &ClientConfig,
    authentication_failed: Arc<Notify>,
) -> KafkaResult<BaseProducer<LoggingContext<DeliveryReports>>> {
    let reports = DeliveryReports {
        authentication_failed,
    };
    let context = LoggingContext::new("producer", reports).with_warnings();
    BaseProducer::from_config_and_context(config, context)
}

/// Serves the producer's events until the producer is dropped.
async fn serve_events(mut receiver: Receiver, producer: Weak<Producer>) {
    let mut notifications = [0; 64];
    loop {
        // Drain before each wait, including the first. librdkafka writes to the pipe only when an event is added to an
        // empty queue. So it writes nothing for events from before the registration, nor for later ones until the queue
        // is empty. It writes for an event that is added after the drain.
        match producer.upgrade() {
            Some(producer) => producer.drain(),
            None => return,
        }
        match receiver.read(&mut notifications).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                // Every call then waits until its deadline. Its purge still serves the delivery reports.
                error!(%error, "reading the notifications of the Kafka client failed");
                return;
            }
        }
    }
}

/// The place of a message in its batch, which identifies it in the delivery report.
struct BatchSlot {
    batch: Arc<PublishBatch>,
    index: usize,
}

impl BatchSlot {
    fn complete(&self, status: PublishStatus) {
        self.batch.complete(self.index, status);
    }
}

/// Sets the status of each message when its delivery report arrives.
struct DeliveryReports {
    authentication_failed: Arc<Notify>,
}

impl EventHandler for DeliveryReports {
    fn on_error(&self, error: &KafkaError, _: &str) {
        // After a TLS error the certificate may have been replaced.
        if matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
        ) {
            self.authentication_failed.notify_one();
        }
    }
}

impl DeliveryHandler for DeliveryReports {
    type Opaque = Box<BatchSlot>;

    fn on_delivery(&self, report: &DeliveryResult<'_>, slot: Box<BatchSlot>) {
        let (error, message) = match report {
            Ok(message) => {
                return slot.complete(PublishStatus::Stored(Receipt {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis(),
                }));
            }
            Err((error, message)) => (error, message),
        };
        debug!(%error, "a message was not acknowledged");
        let code = error
            .rdkafka_error_code()
            .unwrap_or(RDKafkaErrorCode::Unknown);
        let cause = PublishError::from_code(code);
        if cause == PublishError::Rejected
            && let Some(suppressed) = log::admit(format!("rejected {error}"))
        {
            warn!(topic = message.topic(), %error, suppressed, "the broker rejected a message");
        }
        if !is_not_stored(message) {
            slot.complete(PublishStatus::PossiblyStored(cause));
        } else if matches!(
            code,
            RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::PurgeQueue
        ) {
            slot.batch.complete_purged(slot.index);
        } else {
            slot.complete(PublishStatus::NotStored(cause));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use testkit::broker::Broker;

    use super::*;

    #[tokio::test]
    async fn serves_delivery_reports_after_an_event_was_queued_before_the_registration() {
        let broker = Broker::start().unwrap();
        broker.create_topic("orders", 1).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker.bootstrap())
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "100");
        broker.set_down().unwrap();
        let producers: Vec<_> = (0..10)
            .map(|_| create(&config, Arc::default()).unwrap())
            .collect();
        // Each refused connection is an event. In production it races with the registration.
        let end = Instant::now() + Duration::from_secs(20);
        while producers
            .iter()
            .any(|producer| producer.in_flight_count() == 0)
        {
            assert!(Instant::now() < end, "no event was queued");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        broker.set_up().unwrap();
        for producer in producers {
            let producer = Producer::serve(producer, None).unwrap();
            let message = OutgoingMessage {
                key: None,
                value: b"value",
                timestamp: None,
                headers: Arc::from([]),
                idempotency_key: None,
            };
            let batch = PublishBatch::new(1);
            producer.send("orders", &message, &batch, 0);
            let reported = tokio::time::timeout(Duration::from_secs(5), batch.completed()).await;
            assert!(reported.is_ok(), "no delivery report within 5 s");
            assert!(matches!(
                batch.statuses(|| true)[..],
                [PublishStatus::Stored(_)]
            ));
            // Dropping a producer joins its threads and would block the runtime.
            tokio::task::spawn_blocking(move || drop(producer));
        }
    }
}
