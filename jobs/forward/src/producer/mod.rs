//! The producer of the records that a run writes. One producer serves all topics.
//!
//! A write is complete when all in-sync replicas have acknowledged it. Its result comes through a channel.

mod topic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use kafka::tokens::{ClientProperties, TokenRefresher};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Headers, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::util::Timeout;

use kafka::context::{DeliveryHandler, EventHandler, LoggingContext};
use kafka::prefetch::prefetch;
use offsets::progress::Class;

/// An upper bound of a batch's overhead for one record beside key, value and headers, in bytes.
const OVERHEAD: usize = 1024;

/// How long each of two requests before the first record may take.
const PREFETCH_TIMEOUT: Duration = Duration::from_secs(1);

/// A record to write.
pub(crate) struct OutgoingRecord<'r> {
    /// The topic.
    pub(crate) topic: &'r str,
    /// The key.
    pub(crate) key: Option<&'r [u8]>,
    /// The value.
    pub(crate) value: Option<&'r [u8]>,
    /// The headers; `None`: it has none.
    pub(crate) headers: Option<OwnedHeaders>,
}

/// The record of the window that a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its class of progress.
    pub class: Class,
}

/// The result of a write. `W` says what was written.
#[derive(Debug)]
pub struct ProduceResult<W> {
    /// The record that it is about.
    pub origin: Origin,
    /// What was written.
    pub written: W,
    /// The size of key, value and headers, in bytes.
    pub size: usize,
    /// The broker's acknowledgement, or the error.
    pub result: Result<(), KafkaError>,
}

/// A write that the producer did not accept.
#[derive(Debug)]
pub struct ProduceError {
    /// The error.
    pub error: KafkaError,
    /// The size of key, value and headers, in bytes.
    pub size: usize,
}

/// Why the producer or a topic does not accept a record of this size.
pub(crate) enum SizeLimit {
    /// The producer sends at most so many bytes.
    Producer(usize),
    /// The topic's `max.message.bytes`, if it can be read, and the value that accepts the record.
    Topic { limit: Option<usize>, needed: usize },
}

impl SizeLimit {
    /// The property of a topic that limits the size of its records.
    pub(crate) const TOPIC_PROPERTY: &str = topic::LIMIT;
}

/// The producer. It connects when the first record is written.
pub(crate) struct RecordProducer<W: Send + Sync + 'static> {
    client: ClientProperties,
    running: Option<RunningProducer<W>>,
    /// The topics that exist or could not be created.
    created: BTreeSet<String>,
    /// For each topic, its `max.message.bytes`, once requested; `None` if it is unknown.
    limits: BTreeMap<String, Option<usize>>,
    outcomes: Sender<ProduceResult<W>>,
}

/// A client of librdkafka with its threads.
struct RunningProducer<W: Send + Sync + 'static> {
    /// Dropped before the producer.
    _tokens: Option<TokenRefresher>,
    producer: ThreadedProducer<LoggingContext<Outcomes<W>>>,
    /// Whether a first record was prepared.
    is_prepared: bool,
}

impl<W: Send + Sync + 'static> RecordProducer<W> {
    /// One result is sent to `outcomes` for each record that [`RecordProducer::send`] accepted.
    pub(crate) fn new(client: ClientProperties, outcomes: Sender<ProduceResult<W>>) -> Self {
        Self {
            client,
            running: None,
            created: BTreeSet::new(),
            limits: BTreeMap::new(),
            outcomes,
        }
    }

    /// Creates the topic where it is missing. Only the first call for a topic sends requests.
    pub(crate) fn create_topic(&mut self, topic: &str) {
        if self.created.contains(topic) {
            return;
        }
        // An error is reported for the record.
        if let Ok(running) = running(&self.client, &self.outcomes, &mut self.running) {
            topic::create(&self.client, running.producer.client(), topic);
            self.created.insert(topic.to_owned());
        }
    }

    /// Passes a record to the producer.
    ///
    /// # Errors
    /// The producer cannot be created or rejected the record (too large, queue full).
    pub(crate) fn send(
        &mut self,
        record: OutgoingRecord<'_>,
        origin: Origin,
        written: W,
    ) -> Result<(), ProduceError> {
        let running = running(&self.client, &self.outcomes, &mut self.running)
            .map_err(|error| ProduceError { error, size: 0 })?;
        if !running.is_prepared {
            prefetch(running.producer.client(), record.topic, PREFETCH_TIMEOUT);
            running.is_prepared = true;
        }
        let headers = record.headers.as_ref().map_or(0, size_of_headers);
        let size = length(record.key) + length(record.value) + headers;
        let info = Box::new(RecordInfo {
            origin,
            written,
            size,
        });
        let mut new = BaseRecord::<[u8], [u8], _>::with_opaque_to(record.topic, info);
        new.key = record.key;
        new.payload = record.value;
        new.headers = record.headers;
        running
            .producer
            .send(new)
            .map_err(|(error, record)| ProduceError {
                error,
                size: record.delivery_opaque.size,
            })
    }

    /// Which limit a record of `size` bytes exceeds. The topic's limit is requested once.
    pub(crate) fn size_limit(&mut self, topic: &str, size: usize) -> SizeLimit {
        let ours = self.client.get("message.max.bytes");
        if let Some(ours) = ours.and_then(|text| text.parse().ok())
            && size > ours
        {
            return SizeLimit::Producer(ours);
        }
        let limit = match self.limits.get(topic) {
            Some(limit) => *limit,
            None => {
                let limit = topic::limit(&self.client, topic);
                self.limits.insert(topic.to_owned(), limit);
                limit
            }
        };
        SizeLimit::Topic {
            limit,
            needed: size + OVERHEAD,
        }
    }

    /// Waits for the result of every record sent, up to `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        if let Some(running) = &self.running {
            // A record that is not acknowledged in time has no result; its origin stays incomplete.
            let _ = running.producer.flush(Timeout::After(timeout));
        }
    }
}

impl<W: Send + Sync + 'static> Drop for RecordProducer<W> {
    fn drop(&mut self) {
        // rdkafka checks every 100 ms whether the producer's thread should end. The run need not wait for that.
        if let Some(running) = self.running.take() {
            let thread = std::thread::Builder::new().name("close".to_owned());
            let _ = thread.spawn(move || drop(running));
        }
    }
}

/// The running producer; the first call starts it.
fn running<'p, W: Send + Sync + 'static>(
    client: &ClientProperties,
    outcomes: &Sender<ProduceResult<W>>,
    running: &'p mut Option<RunningProducer<W>>,
) -> KafkaResult<&'p mut RunningProducer<W>> {
    if let Some(running) = running {
        return Ok(running);
    }
    let outcomes = Outcomes(Mutex::new(outcomes.clone()));
    let context = LoggingContext::new("record producer", outcomes);
    let producer: ThreadedProducer<_> = ThreadedProducer::from_config_and_context(client, context)?;
    Ok(running.insert(RunningProducer {
        _tokens: client.authenticate(producer.client()),
        producer,
        is_prepared: false,
    }))
}

struct RecordInfo<W> {
    origin: Origin,
    written: W,
    size: usize,
}

/// Sends the outcomes; the producer's thread calls it. The mutex makes it `Sync`.
struct Outcomes<W>(Mutex<Sender<ProduceResult<W>>>);

impl<W: Send> EventHandler for Outcomes<W> {}

impl<W: Send + Sync> DeliveryHandler for Outcomes<W> {
    type Opaque = Box<RecordInfo<W>>;

    fn on_delivery(&self, result: &DeliveryResult<'_>, info: Box<RecordInfo<W>>) {
        let result = result
            .as_ref()
            .map(|_| ())
            .map_err(|(error, _)| error.clone());
        let result = ProduceResult {
            origin: info.origin,
            written: info.written,
            size: info.size,
            result,
        };
        if let Ok(outcomes) = self.0.lock() {
            let _ = outcomes.send(result);
        }
    }
}

fn length(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(0, <[u8]>::len)
}

fn size_of_headers(headers: &OwnedHeaders) -> usize {
    let each = headers.iter();
    each.map(|header| header.key.len() + length(header.value))
        .sum()
}
