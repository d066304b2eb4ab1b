//! One librdkafka producer, with its delivery reports turned into fates.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::Notify;
use tracing::{debug, error, warn};

use super::Message;
use super::bell::{Bell, is_not_stored};
use super::fate::{Batch, Fate, Receipt, Trouble};

/// A running producer.
pub(super) struct Client {
    // Before the producer: fields are dropped in this order.
    bell: Bell,
    producer: BaseProducer<Reports>,
    met: AtomicBool,
}

impl Client {
    /// Starts librdkafka's threads, and serves its delivery reports on this runtime until the client is dropped. May
    /// read certificates from the disk.
    ///
    /// `refusal` is told whenever the broker refuses our user or password.
    pub(super) fn start(config: &ClientConfig, refusal: Arc<Notify>) -> KafkaResult<Arc<Self>> {
        Self::serving(BaseProducer::from_config_and_context(
            config,
            Reports { refusal },
        )?)
    }

    /// Serves this producer's events from now on, those already queued included.
    fn serving(producer: BaseProducer<Reports>) -> KafkaResult<Arc<Self>> {
        let (bell, ear) = Bell::hang(&producer)
            .map_err(|error| KafkaError::ClientCreation(format!("making its pipe: {error}")))?;
        let client = Arc::new(Self {
            bell,
            producer,
            met: AtomicBool::new(false),
        });
        tokio::spawn(serve(ear, Arc::downgrade(&client)));
        Ok(client)
    }

    /// Asks for the topic's leaders, so that the first message need not wait for the answer. Blocks.
    ///
    /// Asks more than once: the client asks for the id of an idempotent producer whenever metadata arrive, but has
    /// no broker to ask at the first time, which is when it learns their names. Left alone it tries again after
    /// half a second.
    pub(super) fn warm(&self, topic: &str, patience: Duration) {
        for _ in 0..3 {
            let client = self.producer.client();
            if let Err(error) = client.fetch_metadata(Some(topic), patience) {
                debug!(%error, topic, "no metadata yet");
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Hands one message to librdkafka; its fate goes to `batch`.
    pub(super) fn send(
        &self,
        topic: &str,
        message: &Message<'_>,
        batch: &Arc<Batch>,
        place: usize,
    ) {
        let mut headers = OwnedHeaders::new_with_capacity(message.headers.len() + 1);
        for (key, value) in message.lines() {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let ticket = Box::new(Ticket {
            batch: Arc::clone(batch),
            place,
        });
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, ticket)
            .payload(message.value)
            .headers(headers);
        if let Some(key) = message.key.as_ref().map(Bytes::as_ref) {
            record = record.key(key);
        }
        if let Err((error, record)) = self.producer.send(record) {
            warn!(topic, %error, "the Kafka client took no message");
            record.delivery_opaque.not_taken(&error);
        }
    }

    /// Takes back everything that is queued, and stops waiting for what is on its way.
    pub(super) fn purge(&self) {
        // Without non_blocking it would wait for threads that may be deep in a name lookup.
        let everything = PurgeConfig::default().queue().inflight().non_blocking();
        self.producer.purge(everything);
        self.drain();
    }

    /// The error that made the producer useless, if one did.
    pub(super) fn fatal_error(&self) -> Option<(RDKafkaErrorCode, String)> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some((code, kafka::config::quoted(&reason)))
    }

    /// True once a broker has told which cluster this is; messages are not sent before. Does not wait.
    pub(super) fn has_met_a_broker(&self) -> bool {
        // Remembered, since the binding does not give the name's memory back.
        let client = self.producer.client();
        if !self.met.load(Ordering::Relaxed) && client.fetch_cluster_id(Duration::ZERO).is_some() {
            self.met.store(true, Ordering::Relaxed);
        }
        self.met.load(Ordering::Relaxed)
    }

    fn drain(&self) {
        while self.bell.rings() {
            self.producer.poll(Duration::ZERO);
        }
    }
}

/// Serves the producer's events until the client is dropped.
async fn serve(mut ear: Receiver, client: Weak<Client>) {
    let mut rings = [0; 64];
    loop {
        // Drain before each wait, the first included. librdkafka writes to the pipe only when an event joins an empty
        // queue: an event that was queued before the registration is not announced, and none after it until the queue
        // is empty again. An event that joins after the drain is announced by a new byte.
        match client.upgrade() {
            Some(client) => client.drain(),
            None => return,
        }
        match ear.read(&mut rings).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                // Every call then runs into its deadline and says so; the purge still collects reports.
                error!(%error, "no more delivery reports from the Kafka client");
                return;
            }
        }
    }
}

/// Which message of which call a report is about.
struct Ticket {
    batch: Arc<Batch>,
    place: usize,
}

impl Ticket {
    fn not_taken(&self, error: &KafkaError) {
        let trouble = error
            .rdkafka_error_code()
            .map_or(Trouble::Refused, Trouble::of);
        self.batch.settle(self.place, Fate::NotStored(trouble));
    }
}

/// Receives the delivery reports and the client's own words.
struct Reports {
    refusal: Arc<Notify>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let message = kafka::config::quoted(message);
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => warn!(facility, "Kafka client: {message}"),
            _ => debug!(facility, "Kafka client: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        warn!(%error, "Kafka client: {}", kafka::config::quoted(reason));
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            self.refusal.notify_one();
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, report: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let fate = match report {
            Ok(message) => Fate::Stored(Receipt {
                partition: message.partition(),
                offset: message.offset(),
                timestamp: message.timestamp().to_millis(),
            }),
            Err((error, message)) => {
                let code = error
                    .rdkafka_error_code()
                    .unwrap_or(RDKafkaErrorCode::Unknown);
                debug!(%error, "a message was not acknowledged");
                match (is_not_stored(message), code) {
                    (true, RDKafkaErrorCode::MessageTimedOut | RDKafkaErrorCode::PurgeQueue) => {
                        return ticket.batch.settle_queued(ticket.place);
                    }
                    (true, code) => Fate::NotStored(Trouble::of(code)),
                    (false, code) => Fate::MayBeStored(Trouble::of(code)),
                }
            }
        };
        ticket.batch.settle(ticket.place, fate);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use testkit::broker::Broker;

    use super::*;

    #[tokio::test]
    async fn delivery_reports_arrive_although_an_event_was_queued_before_the_registration() {
        let broker = Broker::start().unwrap();
        broker.create_topic("door", 1).unwrap();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", broker.bootstrap())
            .set("reconnect.backoff.ms", "20")
            .set("reconnect.backoff.max.ms", "100");
        broker.down().unwrap();
        let producers: Vec<_> = (0..10)
            .map(|_| {
                let refusal = Arc::default();
                BaseProducer::from_config_and_context(&config, Reports { refusal }).unwrap()
            })
            .collect();
        // Each refused connection is an event. In production it races with the registration.
        let end = Instant::now() + Duration::from_secs(20);
        while producers.iter().any(|known| known.in_flight_count() == 0) {
            assert!(Instant::now() < end, "no event was queued");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        broker.up().unwrap();
        for producer in producers {
            let client = Client::serving(producer).unwrap();
            let message = Message {
                key: None,
                value: b"value",
                headers: Arc::from([]),
                idempotency_key: None,
            };
            let batch = Batch::of(1);
            client.send("door", &message, &batch, 0);
            let reported = tokio::time::timeout(Duration::from_secs(5), batch.settled()).await;
            assert!(reported.is_ok(), "no delivery report within 5 s");
            assert!(matches!(batch.fates(|| true)[..], [Fate::Stored(_)]));
            // Dropping a client joins its threads and would block the runtime.
            tokio::task::spawn_blocking(move || drop(client));
        }
    }
}
