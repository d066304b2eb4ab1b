//! The dead-letter topic: records that no endpoint will ever take, kept with their bytes, key and headers unchanged
//! and with the reason beside them.
//!
//! A record that goes here is settled only when the broker has acknowledged it. The reason is in headers of the three
//! families that other tools read: Kafka Connect's (KIP-298), Kafka Streams' (KIP-1034) and share groups' (KIP-1191).
//! For brokers that keep no headers there is an envelope, a JSON text that holds everything.

mod topic;

use std::sync::Mutex;
use std::sync::mpsc::Sender;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{DeliveryResult, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::util::Timeout;
use rdkafka::{ClientConfig, ClientContext};
use serde_json::json;

use kafka::log;
use offsets::progress::Class;
use record::Message;

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its bytes are not one datum of the schema.
    Undecodable,
    /// Its header names another schema than the configured one.
    UnknownSchema,
    /// A route's condition cannot be evaluated on it.
    Unroutable,
    /// No route matches, and such records are dead letters by setting.
    Unmatched,
    /// It has no value, and such records are dead letters by setting.
    Tombstone,
    /// Its endpoint refused it for good.
    Refused,
}

impl Cause {
    /// The cause in a word, for headers and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::UnknownSchema => "unknown-schema",
            Self::Unroutable => "unroutable",
            Self::Unmatched => "unmatched",
            Self::Tombstone => "tombstone",
            Self::Refused => "refused",
        }
    }

    fn stage(self) -> &'static str {
        match self {
            Self::Undecodable | Self::UnknownSchema | Self::Tombstone => "VALUE_CONVERTER",
            Self::Unroutable | Self::Unmatched => "TRANSFORMATION",
            Self::Refused => "TASK_PUT",
        }
    }
}

/// A record on its way to the dead-letter topic.
#[derive(Debug)]
pub struct DeadLetter {
    /// The record.
    pub message: Message,
    /// Its class of progress, given back with the outcome.
    pub class: Class,
    /// Why.
    pub cause: Cause,
    /// Why, in a sentence.
    pub reason: String,
    /// The route it was meant for.
    pub route: Option<String>,
}

/// What became of a dead letter.
#[derive(Debug)]
pub struct Written {
    /// The record's partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// Its class of progress.
    pub class: Class,
    /// The letter's key, value and headers, in bytes.
    pub size: usize,
    /// The broker's acknowledgement, or why there is none.
    pub result: Result<(), KafkaError>,
}

/// Who writes dead letters, for their headers.
#[derive(Clone, Debug)]
pub struct Writer {
    /// The dead-letter topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// The run.
    pub run: String,
    /// True: the value is a JSON envelope.
    pub envelope: bool,
}

/// A letter that the producer did not take.
#[derive(Debug)]
pub struct Unsent {
    /// What it met.
    pub error: KafkaError,
    /// The letter's key, value and headers, in bytes.
    pub size: usize,
}

/// What a record alone in its batch costs beside key, value, and the headers' names and values, or a little less.
const OVERHEAD: usize = 1024;

/// The dead-letter topic, open for writing. Nothing is asked of the broker before the first letter.
pub struct DeadLetters {
    config: ClientConfig,
    producer: Option<ThreadedProducer<Context>>,
    /// What the topic says that it takes, once it was asked.
    limit: Option<Option<usize>>,
    writer: Writer,
    outcomes: Sender<Written>,
}

impl DeadLetters {
    /// Outcomes are sent to `outcomes`, one for each letter that [`DeadLetters::send`] took.
    pub fn new(config: ClientConfig, writer: Writer, outcomes: Sender<Written>) -> Self {
        Self {
            config,
            producer: None,
            limit: None,
            writer,
            outcomes,
        }
    }

    /// Hands a letter to the producer.
    ///
    /// # Errors
    /// The producer cannot be made, or does not take it (too large, queue full). The record is not settled then.
    pub fn send(&mut self, letter: &DeadLetter) -> Result<(), Unsent> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => self.open().map_err(|error| Unsent { error, size: 0 })?,
        };
        let headers = headers(letter, &self.writer);
        let at = &letter.message.at;
        let envelope = self.writer.envelope.then(|| envelope(letter, &self.writer));
        let value = envelope
            .as_deref()
            .map(str::as_bytes)
            .or(letter.message.value.as_deref());
        let key = letter.message.key.as_deref();
        let size = length(key) + length(value) + size_of_headers(&headers);
        let about = Box::new(About {
            partition: at.partition,
            offset: at.offset,
            class: letter.class,
            size,
        });
        let mut record =
            BaseRecord::<[u8], [u8], _>::with_opaque_to(&self.writer.topic, about).headers(headers);
        record.key = key;
        record.payload = value;
        let sent = producer.send(record);
        self.producer = Some(producer);
        sent.map_err(|(error, record)| Unsent {
            error,
            size: record.delivery_opaque.size,
        })
    }

    /// Says of a letter of that many bytes why it is too large, and what to do. The topic is asked once.
    pub fn too_large(&mut self, at: &str, size: usize) -> String {
        let (topic, config) = (&self.writer.topic, &self.config);
        let limit = *self
            .limit
            .get_or_insert_with(|| topic::limit(config, topic));
        let ours = config
            .get("message.max.bytes")
            .and_then(|text| text.parse().ok());
        let smaller = match self.writer.envelope {
            true => "DEAD_LETTER_ENVELOPE=false makes it smaller by a quarter, and ",
            false => "",
        };
        let said = format!("the dead letter of {at} has {size} bytes with its context, more than");
        let held = "until then its partition's commit stays before it";
        match (limit, ours) {
            (_, Some(ours)) if size > ours => format!(
                "{said} the {ours} that this broker is ever sent: {smaller}else save the record and move the group's offset past it with the broker's own tools; {held}"
            ),
            (limit, _) => {
                let limit = limit.map_or("which the broker does not tell".to_owned(), |limit| {
                    limit.to_string()
                });
                let (name, needed) = (topic::LIMIT, size + OVERHEAD);
                format!(
                    "{said} {topic} takes ({name}: {limit}): {smaller}{name}={needed} or more on {topic} lets it in; {held}"
                )
            }
        }
    }

    /// Waits for the outcome of every letter sent, up to `patience`.
    pub fn flush(&self, patience: Duration) {
        if let Some(producer) = &self.producer {
            // What is not flushed in time has no outcome, and its record stays unsettled.
            let _ = producer.flush(Timeout::After(patience));
        }
    }

    fn open(&self) -> KafkaResult<ThreadedProducer<Context>> {
        topic::create(&self.config, &self.writer.topic);
        let context = Context {
            outcomes: Mutex::new(self.outcomes.clone()),
        };
        ThreadedProducer::from_config_and_context(&self.config, context)
    }
}

struct About {
    partition: i32,
    offset: i64,
    class: Class,
    size: usize,
}

struct Context {
    /// The producer's thread sends; a mutex makes the context shareable.
    outcomes: Mutex<Sender<Written>>,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        log::tell(level as i32, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = kafka::config::quoted(reason);
        tracing::debug!(%error, reason, "the dead-letter producer's connection");
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<About>;

    fn delivery(&self, result: &DeliveryResult<'_>, about: Self::DeliveryOpaque) {
        let result = result
            .as_ref()
            .map(|_| ())
            .map_err(|(error, _)| error.clone());
        let written = Written {
            partition: about.partition,
            offset: about.offset,
            class: about.class,
            size: about.size,
            result,
        };
        if let Ok(outcomes) = self.outcomes.lock() {
            let _ = outcomes.send(written);
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

/// The record's own headers, then the context.
fn headers(letter: &DeadLetter, writer: &Writer) -> OwnedHeaders {
    let at = &letter.message.at;
    let (partition, offset) = (at.partition.to_string(), at.offset.to_string());
    let class = format!("frontdoor.{}", letter.cause.name());
    let mut headers = OwnedHeaders::new();
    for (key, value) in &letter.message.headers {
        headers = headers.insert(Header {
            key,
            value: value.as_deref(),
        });
    }
    let context: [(&str, &str); 22] = [
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
        ("__dlq.errors.group", &writer.group),
        ("__dlq.errors.message", &letter.reason),
        ("frontdoor.cause", letter.cause.name()),
        ("frontdoor.run", &writer.run),
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

/// Everything in one JSON text; bytes as base64.
fn envelope(letter: &DeadLetter, writer: &Writer) -> String {
    let message = &letter.message;
    let base64 = |bytes: &bytes::Bytes| STANDARD.encode(bytes);
    let headers: Vec<_> = message
        .headers
        .iter()
        .map(|(name, value)| json!([name, value.as_ref().map(base64)]))
        .collect();
    json!({
        "cause": letter.cause.name(),
        "reason": letter.reason,
        "route": letter.route,
        "run": writer.run,
        "group": writer.group,
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
