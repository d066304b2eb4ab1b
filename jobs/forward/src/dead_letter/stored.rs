//! Parses the records of a dead-letter topic: dead letters of the job, of Kafka Connect (KIP-298), of Kafka Streams
//! (KIP-1034) and of share groups (KIP-1191), and records that discard a dead letter. Pure.

use bytes::Bytes;
use record::{Coordinates, Message, idempotency};
use serde::Serialize;

use super::discard::{DISCARDED, Discard};
use super::stored_envelope;
use super::{TIMESTAMP, VERSION};

/// The first header of the context that the job appends to the headers of a record.
const CONTEXT_START: &str = "__connect.errors.topic";

/// The most characters of a cause.
const MAX_CAUSE: usize = 200;

/// A record of a dead-letter topic.
#[derive(Clone, Debug)]
pub(crate) enum StoredRecord {
    /// A dead letter.
    DeadLetter(Box<StoredDeadLetter>),
    /// It discards a dead letter.
    Discard(Discard),
}

/// A record is not a dead letter that this program can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unrecognized {
    /// The version of the format is another one.
    #[error("a dead letter of version {0}: this program reads version {VERSION}")]
    Version(String),
    /// It has neither the headers of a dead letter nor an envelope.
    #[error(
        "not a dead letter: it has no headers of the job, of Kafka Connect, of Kafka Streams or of a share group, and no envelope"
    )]
    NoDeadLetter,
    /// A part of the format is missing or malformed.
    #[error("a malformed dead letter: {0}")]
    Malformed(String),
}

/// Which program wrote a dead letter, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The job, with headers.
    Frontdoor,
    /// The job, with an envelope.
    Envelope,
    /// Kafka Connect.
    KafkaConnect,
    /// Kafka Streams.
    KafkaStreams,
    /// A share group.
    ShareGroup,
}

/// A dead letter in its topic.
#[derive(Clone, Debug)]
pub(crate) struct StoredDeadLetter {
    /// Where it is.
    pub(crate) at: Coordinates,
    /// When it was written, in milliseconds since 1970.
    pub(crate) written: Option<i64>,
    /// Which program wrote it.
    pub(crate) family: Family,
    /// The cause of the job, or the class of the exception.
    pub(crate) cause: String,
    /// The reason, in a sentence.
    pub(crate) reason: String,
    /// The route that matched the record.
    pub(crate) route: Option<String>,
    /// The run that wrote it.
    pub(crate) run: Option<String>,
    /// The coordinates of the record that it is about, if they are known.
    pub(crate) origin: Option<Coordinates>,
    /// The record as it was, at the coordinates of the dead letter, with its idempotency key and its own coordinates as origin; `None` if the dead letter has
    /// no copy of it.
    pub(crate) record: Option<Message>,
}

/// Where a dead letter is, and why the record is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetterLocation {
    /// The coordinates of the dead letter.
    pub coordinates: String,
    /// When it was written, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The cause.
    pub cause: String,
    /// The reason, in a sentence.
    pub reason: String,
    /// The route that matched the record.
    pub route: Option<String>,
    /// The run that wrote it.
    pub run: Option<String>,
}

impl StoredRecord {
    /// Parses a record of a dead-letter topic. A record that was dead-lettered more than once has the headers of each time:
    /// the last ones count.
    ///
    /// # Errors
    /// It is neither a dead letter of a known version nor discards one.
    pub(crate) fn parse(message: Message) -> Result<Self, Unrecognized> {
        let Some(family) = family(&message.headers) else {
            return stored_envelope::parse(message);
        };
        if family == Family::Frontdoor {
            let version = text(&message, "frontdoor.version").unwrap_or_default();
            if version != VERSION.to_string() {
                return Err(Unrecognized::Version(shortened(&version)));
            }
            if message
                .headers
                .last()
                .is_some_and(|(name, _)| name == DISCARDED)
            {
                return Discard::from_headers(&message).map(Self::Discard);
            }
        }
        let enveloped = (family == Family::Frontdoor).then(|| enveloped(&message));
        let letter = from_headers(message, family);
        // The job writes the headers with an envelope too. A record whose own value has the form of an envelope cannot name
        // the run that dead-letters it.
        match enveloped.flatten() {
            Some(enveloped) if enveloped.is_same(&letter) => Ok(Self::DeadLetter(enveloped)),
            _ => Ok(Self::DeadLetter(Box::new(letter))),
        }
    }
}

impl StoredDeadLetter {
    fn is_same(&self, other: &Self) -> bool {
        self.run.is_some()
            && self.run == other.run
            && self.cause == other.cause
            && self.origin == other.origin
    }

    /// Where it is, and why.
    pub(crate) fn location(self) -> DeadLetterLocation {
        DeadLetterLocation {
            coordinates: self.at.to_string(),
            timestamp: self.written,
            cause: self.cause,
            reason: self.reason,
            route: self.route,
            run: self.run,
        }
    }
}

impl Family {
    fn prefix(self) -> &'static str {
        match self {
            Self::Frontdoor | Self::Envelope => "frontdoor.",
            Self::KafkaConnect => "__connect.errors.",
            Self::KafkaStreams => "__streams.errors.",
            Self::ShareGroup => "__dlq.errors.",
        }
    }
}

/// The family of the last header that is one of a dead letter's.
fn family(headers: &[(String, Option<Bytes>)]) -> Option<Family> {
    const FAMILIES: [Family; 4] = [
        Family::Frontdoor,
        Family::KafkaConnect,
        Family::KafkaStreams,
        Family::ShareGroup,
    ];
    headers.iter().rev().find_map(|(name, _)| {
        let mut families = FAMILIES.into_iter();
        families.find(|family| name.starts_with(family.prefix()))
    })
}

/// The dead letter of the envelope, if the value is one.
fn enveloped(message: &Message) -> Option<Box<StoredDeadLetter>> {
    match stored_envelope::parse(message.clone()) {
        Ok(StoredRecord::DeadLetter(letter)) => Some(letter),
        Ok(StoredRecord::Discard(_)) | Err(_) => None,
    }
}

fn from_headers(message: Message, family: Family) -> StoredDeadLetter {
    let coordinates = |prefix: &str| {
        let part = |name: &str| text(&message, &format!("{prefix}{name}"));
        let (topic, partition, offset) = (part("topic")?, part("partition")?, part("offset")?);
        Coordinates::parse(&format!("{topic}/{partition}@{offset}"), None).ok()
    };
    let first = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| text(&message, name));
        found.find(|text| !text.is_empty())
    };
    let (cause, reason, origin) = match family {
        Family::Frontdoor | Family::Envelope => (
            first(&["frontdoor.cause"]),
            first(&["__connect.errors.exception.message"]),
            coordinates("__connect.errors."),
        ),
        Family::KafkaConnect => (
            first(&[
                "__connect.errors.exception.class.name",
                "__connect.errors.class.name",
                "__connect.errors.stage",
            ]),
            first(&["__connect.errors.exception.message"]),
            coordinates("__connect.errors."),
        ),
        Family::KafkaStreams => (
            first(&["__streams.errors.exception"]),
            first(&["__streams.errors.message"]),
            coordinates("__streams.errors."),
        ),
        // KIP-1191 has no exception.
        Family::ShareGroup => (
            Some("share-group".to_owned()),
            first(&["__dlq.errors.message"]),
            coordinates("__dlq.errors."),
        ),
    };
    let is_ours = family == Family::Frontdoor;
    let of_job = |name| first(&[name]).filter(|_| is_ours);
    StoredDeadLetter {
        at: message.at.clone(),
        written: message.timestamp,
        family,
        cause: cause.map_or("unknown".to_owned(), |cause| shortened(&cause)),
        reason: reason.unwrap_or_default(),
        route: of_job("frontdoor.route"),
        run: of_job("frontdoor.run"),
        record: original(message, family, origin.clone()),
        origin,
    }
}

/// The record before it was dead-lettered; `None`: the dead letter has no copy.
fn original(mut message: Message, family: Family, origin: Option<Coordinates>) -> Option<Message> {
    // Share groups copy key and value only if they are configured to.
    if family == Family::ShareGroup && message.value.is_none() && message.key.is_none() {
        return None;
    }
    if family == Family::Frontdoor {
        let timestamp = text(&message, TIMESTAMP).and_then(|time| time.parse().ok());
        message.timestamp = timestamp.or(message.timestamp);
    }
    message.origin = origin.map(Box::new);
    let headers = &mut message.headers;
    let start = headers.iter().rposition(|(name, _)| name == CONTEXT_START);
    match start.filter(|_| family == Family::Frontdoor) {
        Some(start) => headers.truncate(start),
        None => headers.retain(|(name, _)| !name.starts_with(family.prefix())),
    }
    message.client_key = last_key(&message.headers);
    Some(message)
}

/// The idempotency key: the job appends one to a record without a valid one.
fn last_key(headers: &[(String, Option<Bytes>)]) -> Option<std::sync::Arc<str>> {
    headers
        .iter()
        .rev()
        .filter(|(name, _)| name == idempotency::HEADER)
        .filter_map(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
        .find(|key| idempotency::is_key(key.as_bytes()))
        .map(std::sync::Arc::from)
}

/// The last header of this name, as text.
pub(super) fn text(message: &Message, name: &str) -> Option<String> {
    let mut headers = message.headers.iter().rev();
    let (_, value) = headers.find(|(known, _)| known == name)?;
    Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
}

/// At most [`MAX_CAUSE`] characters.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(MAX_CAUSE).collect()
}

#[cfg(test)]
mod tests;
