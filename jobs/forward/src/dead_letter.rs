//! The dead-letter topic: records that cannot be delivered, with key, value and headers unchanged and the cause added.
//!
//! A dead-lettered record is completed only when the broker has acknowledged it. The cause is in headers of three
//! conventions that other tools read: Kafka Connect's (KIP-298), Kafka Streams' (KIP-1034) and share groups' (KIP-1191).
//! For brokers without record headers there is an envelope: one JSON object that holds all of it.

mod summary;
mod topic;

pub use summary::{DeadLetterSample, DeadLetterSummary};

use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use serde_json::json;

use kafka::context::{DeliveryHandler, EventHandler, LoggingContext};
use offsets::progress::Class;
use record::{Message, StreamId, idempotency};

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its value is not one datum of the schema.
    Undecodable,
    /// Its header names another schema than the configured one.
    UnknownSchema,
    /// A route's condition cannot be evaluated for it.
    Unroutable,
    /// No route matches it, and `UNMATCHED` is `dead_letter`.
    Unmatched,
    /// It has no value, and `TOMBSTONES` is `dead_letter`.
    Tombstone,
    /// No request can be built of it.
    InvalidRequest,
    /// Its endpoint rejected it with a permanent status.
    Refused,
    /// Its endpoint has not accepted it for `GIVE_UP_AFTER`, with statuses that permit retries.
    Undeliverable,
}

impl Cause {
    /// The name in headers, envelope and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchema => "unknown-schema",
            Self::Unroutable => "unroutable",
            Self::Unmatched => "unmatched",
            Self::Tombstone => "tombstone",
            Self::InvalidRequest => "invalid-request",
            Self::Refused => "refused",
            Self::Undeliverable => "undeliverable",
        }
    }

    fn stage(self) -> &'static str {
        match self {
            Self::Undecodable | Self::UnknownSchema | Self::Tombstone => "VALUE_CONVERTER",
            Self::Unroutable | Self::Unmatched | Self::InvalidRequest => "TRANSFORMATION",
            Self::Refused | Self::Undeliverable => "TASK_PUT",
        }
    }
}

/// A record on its way to the dead-letter topic.
#[derive(Debug)]
pub struct DeadLetter {
    /// The record.
    pub message: Message,
    /// Its class in the partition's progress, returned with the outcome.
    pub class: Class,
    /// The cause.
    pub cause: Cause,
    /// The reason, in a sentence.
    pub reason: String,
    /// The route that matched it.
    pub route: Option<String>,
}

/// The result of writing a dead letter.
#[derive(Debug)]
pub struct ProduceResult {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// Its class of progress.
    pub class: Class,
    /// The size of key, value and headers, in bytes.
    pub size: usize,
    /// The broker's acknowledgement, or the error.
    pub result: Result<(), KafkaError>,
}

/// Topic and format of dead letters, and the group and run in their headers.
#[derive(Clone, Debug)]
pub struct DeadLetterConfig {
    /// The dead-letter topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The run.
    pub run: String,
    /// The source of the records; it is part of their idempotency keys.
    pub stream: StreamId,
    /// True when the value is a JSON envelope.
    pub envelope: bool,
}

/// A dead letter that the producer did not accept.
#[derive(Debug)]
pub struct ProduceError {
    /// The error.
    pub error: KafkaError,
    /// The size of key, value and headers, in bytes.
    pub size: usize,
}

/// The version of the envelope and of the `frontdoor.*` headers (`docs/FORMATS.md`). A member or header that is removed,
/// renamed or changes its meaning raises it; a new one does not.
const VERSION: u32 = 1;

/// An upper bound of a batch's overhead for one record beside key, value and headers, in bytes.
const OVERHEAD: usize = 1024;

/// The producer of the dead-letter topic. No request is sent before the first dead letter.
pub struct DeadLetterProducer {
    client: ClientConfig,
    producer: Option<ThreadedProducer<LoggingContext<Outcomes>>>,
    /// The topic's `max.message.bytes`, once requested; `None` inside if it is unknown.
    limit: Option<Option<usize>>,
    config: DeadLetterConfig,
    outcomes: Sender<ProduceResult>,
}

impl DeadLetterProducer {
    /// One result is sent to `outcomes` for each dead letter that [`DeadLetterProducer::send`] accepted.
    pub fn new(
        client: ClientConfig,
        config: DeadLetterConfig,
        outcomes: Sender<ProduceResult>,
    ) -> Self {
        Self {
            client,
            producer: None,
            limit: None,
            config,
            outcomes,
        }
    }

    /// Passes a dead letter to the producer.
    ///
    /// # Errors
    /// The producer cannot be created or rejected it (too large, queue full). The record stays incomplete.
    pub fn send(&mut self, letter: &DeadLetter) -> Result<(), ProduceError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self
                .open()
                .map_err(|error| ProduceError { error, size: 0 })?,
        };
        let headers = headers(letter, &self.config);
        let at = &letter.message.at;
        let envelope = self.config.envelope.then(|| envelope(letter, &self.config));
        let value = envelope
            .as_deref()
            .map(str::as_bytes)
            .or(letter.message.value.as_deref());
        let key = letter.message.key.as_deref();
        let size = length(key) + length(value) + size_of_headers(&headers);
        let info = Box::new(RecordInfo {
            partition: at.partition,
            offset: at.offset,
            class: letter.class,
            size,
        });
        let mut record =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.config.topic, info).headers(headers);
        record.key = key;
        record.payload = value;
        let sent = producer.send(record);
        self.producer = Some(producer);
        sent.map_err(|(error, record)| ProduceError {
            error,
            size: record.delivery_opaque.size,
        })
    }

    /// The message for a dead letter of `size` bytes that is too large, with the remedy. The topic's limit is requested
    /// once.
    pub fn too_large(&mut self, at: &str, size: usize) -> String {
        let (topic, client) = (&self.config.topic, &self.client);
        let limit = *self
            .limit
            .get_or_insert_with(|| topic::limit(client, topic));
        let ours = client
            .get("message.max.bytes")
            .and_then(|text| text.parse().ok());
        let smaller = match self.config.envelope {
            true => "DEAD_LETTER_ENVELOPE=false makes it a quarter smaller; ",
            false => "",
        };
        let message =
            format!("the dead letter of {at} has {size} bytes with its headers, more than");
        let effect = "until then the commit of its partition stays before it";
        match (limit, ours) {
            (_, Some(ours)) if size > ours => format!(
                "{message} the {ours} bytes that the producer sends at most: {smaller}otherwise save the record and move the group's offset past it with Kafka's tools; {effect}"
            ),
            (limit, _) => {
                let limit = limit.map_or("unknown".to_owned(), |limit| limit.to_string());
                let (name, needed) = (topic::LIMIT, size + OVERHEAD);
                format!(
                    "{message} {topic} accepts ({name}: {limit}): {smaller}set {name}={needed} or more on {topic}; {effect}"
                )
            }
        }
    }

    /// Waits for the result of every dead letter sent, up to `timeout`.
    pub fn flush(&self, timeout: Duration) {
        if let Some(producer) = &self.producer {
            // A dead letter that is not acknowledged in time has no result; its record stays incomplete.
            let _ = producer.flush(Timeout::After(timeout));
        }
    }

    fn open(&self) -> KafkaResult<ThreadedProducer<LoggingContext<Outcomes>>> {
        topic::create(&self.client, &self.config.topic);
        let outcomes = Outcomes(Mutex::new(self.outcomes.clone()));
        let context = LoggingContext::new("dead-letter producer", outcomes);
        ThreadedProducer::from_config_and_context(&self.client, context)
    }
}

struct RecordInfo {
    partition: i32,
    offset: i64,
    class: Class,
    size: usize,
}

/// Sends the outcomes; the producer's thread calls it. The mutex makes it `Sync`.
struct Outcomes(Mutex<Sender<ProduceResult>>);

impl EventHandler for Outcomes {}

impl DeliveryHandler for Outcomes {
    type Opaque = Box<RecordInfo>;

    fn on_delivery(&self, result: &DeliveryResult<'_>, info: Box<RecordInfo>) {
        let result = result
            .as_ref()
            .map(|_| ())
            .map_err(|(error, _)| error.clone());
        let result = ProduceResult {
            partition: info.partition,
            offset: info.offset,
            class: info.class,
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

/// The record's own headers, then the added ones.
fn headers(letter: &DeadLetter, config: &DeadLetterConfig) -> OwnedHeaders {
    let at = &letter.message.at;
    let (partition, offset) = (at.partition.to_string(), at.offset.to_string());
    let (class, version) = (
        format!("frontdoor.{}", letter.cause.name()),
        VERSION.to_string(),
    );
    let mut headers = OwnedHeaders::new();
    for (key, value) in &letter.message.headers {
        headers = headers.insert(Header {
            key,
            value: value.as_deref(),
        });
    }
    // A replay of the dead letter keeps the record's key.
    let key = idempotency_key(letter, config);
    if letter.message.client_key.is_none() {
        headers = headers.insert(Header {
            key: idempotency::HEADER,
            value: Some(&key),
        });
    }
    let context: [(&str, &str); 23] = [
        ("__connect.errors.topic", &at.topic),
        ("__connect.errors.partition", &partition),
        ("__connect.errors.offset", &offset),
        ("__connect.errors.connector.name", "frontdoor"),
        ("__connect.errors.task.id", "0"),
        ("__connect.errors.stage", letter.cause.stage()),
        ("__connect.errors.class.name", &class),
        ("__connect.errors.exception.class.name", &class),
        ("__connect.errors.exception.message", &letter.reason),
        ("__streams.errors.exception", &class),
        ("__streams.errors.message", &letter.reason),
        ("__streams.errors.topic", &at.topic),
        ("__streams.errors.partition", &partition),
        ("__streams.errors.offset", &offset),
        ("__dlq.errors.topic", &at.topic),
        ("__dlq.errors.partition", &partition),
        ("__dlq.errors.offset", &offset),
        ("__dlq.errors.group", &config.group),
        ("__dlq.errors.message", &letter.reason),
        ("frontdoor.version", &version),
        ("frontdoor.cause", letter.cause.name()),
        ("frontdoor.run", &config.run),
        (
            "frontdoor.route",
            letter.route.as_deref().unwrap_or_default(),
        ),
    ];
    context.iter().fold(headers, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(*value),
        })
    })
}

/// The key under which the record's endpoint recognises it.
fn idempotency_key(letter: &DeadLetter, config: &DeadLetterConfig) -> String {
    config.stream.idempotency_key(&letter.message)
}

/// The envelope as JSON text; bytes are base64.
fn envelope(letter: &DeadLetter, config: &DeadLetterConfig) -> String {
    let message = &letter.message;
    let base64 = |bytes: &bytes::Bytes| STANDARD.encode(bytes);
    let headers: Vec<_> = message
        .headers
        .iter()
        .map(|(name, value)| json!([name, value.as_ref().map(base64)]))
        .collect();
    json!({
        "version": VERSION,
        "cause": letter.cause.name(),
        "reason": letter.reason,
        "route": letter.route,
        "idempotency_key": idempotency_key(letter, config),
        "run": config.run,
        "group": config.group,
        "topic": &*message.at.topic,
        "partition": message.at.partition,
        "offset": message.at.offset,
        "timestamp": message.timestamp,
        "key": message.key.as_ref().map(base64),
        "value": message.value.as_ref().map(base64),
        "headers": headers,
    })
    .to_string()
}
