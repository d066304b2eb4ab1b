//! The dead-letter topic: records that cannot be delivered, with key, value and headers unchanged and the cause added.
//!
//! A dead-lettered record is completed only when the broker has acknowledged it. The cause is in headers of three
//! conventions that other tools read: Kafka Connect's (KIP-298), Kafka Streams' (KIP-1034) and share groups' (KIP-1191).
//! For brokers without record headers there is an envelope: one JSON object that holds all of it.

pub(crate) mod discard;
mod stored;
mod stored_envelope;
mod summary;

pub use stored::{DeadLetterLocation, Family};
pub(crate) use stored::{StoredDeadLetter, StoredRecord, Unrecognized, shortened};
pub use summary::{DeadLetterSample, DeadLetterSummary};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::RecordAnswer;
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::json;

use offsets::progress::Class;
use record::{Message, StreamId, idempotency};

use crate::producer::Origin;

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
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Undecodable,
        Self::UnknownSchema,
        Self::Unroutable,
        Self::Unmatched,
        Self::Tombstone,
        Self::InvalidRequest,
        Self::Refused,
        Self::Undeliverable,
    ];

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
    /// The final answer of its endpoint, if the route keeps it.
    pub answer: Option<RecordAnswer>,
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

/// The version of the envelope and of the `frontdoor.*` headers (`docs/FORMATS.md`). A member or header that is removed,
/// renamed or changes its meaning raises it; a new one does not.
const VERSION: u32 = 1;

/// The header with the timestamp of the record, in milliseconds since 1970.
const TIMESTAMP: &str = "frontdoor.timestamp";

impl DeadLetter {
    /// The record that it is about.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            partition: self.message.at.partition,
            offset: self.message.at.offset,
            class: self.class,
        }
    }

    /// The headers of the written record.
    pub(crate) fn record_headers(&self, config: &DeadLetterConfig) -> OwnedHeaders {
        headers(self, config)
    }

    /// The value of the written record, if it is an envelope. Otherwise it is the value of the dead-lettered record.
    pub(crate) fn envelope(&self, config: &DeadLetterConfig) -> Option<String> {
        config.envelope.then(|| envelope(self, config))
    }
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
    let timestamp = letter.message.timestamp.map(|time| time.to_string());
    let timestamp = timestamp.as_deref().map(|time| (TIMESTAMP, time));
    let context = context.into_iter().chain(timestamp);
    context.fold(headers, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
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
