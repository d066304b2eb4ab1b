//! Parses the JSON values of a dead-letter topic whose broker keeps no headers. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use record::{Coordinates, Message};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::VERSION;
use super::discard::Discard;
use super::stored::{Family, StoredDeadLetter, StoredRecord, Unrecognized, shortened};

/// What each version has.
#[derive(Deserialize)]
struct Head {
    version: serde_json::Value,
    cause: Option<IgnoredAny>,
    discarded: Option<String>,
    reason: Option<String>,
}

/// Version 1 of a dead letter.
#[derive(Deserialize)]
struct Envelope {
    cause: String,
    reason: String,
    route: Option<String>,
    idempotency_key: Option<String>,
    run: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<String>,
    value: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
}

/// Parses a record without headers of a dead letter.
pub(super) fn parse(message: Message) -> Result<StoredRecord, Unrecognized> {
    let value = message.value.as_deref().unwrap_or_default();
    let head: Head = serde_json::from_slice(value).map_err(|_| Unrecognized::NoDeadLetter)?;
    if head.cause.is_none() && head.discarded.is_none() {
        return Err(Unrecognized::NoDeadLetter);
    }
    if head.version != VERSION {
        return Err(Unrecognized::Version(shortened(&head.version.to_string())));
    }
    if let Some(discarded) = head.discarded {
        let reason = head.reason.unwrap_or_default();
        return Discard::parse(&discarded, &reason).map(StoredRecord::Discard);
    }
    let envelope: Envelope = serde_json::from_slice(value).map_err(malformed)?;
    from_envelope(envelope, message).map(|letter| StoredRecord::DeadLetter(Box::new(letter)))
}

fn from_envelope(envelope: Envelope, message: Message) -> Result<StoredDeadLetter, Unrecognized> {
    let at = format!(
        "{}/{}@{}",
        envelope.topic, envelope.partition, envelope.offset
    );
    let headers = envelope.headers.into_iter().map(|(name, value)| {
        let value = value.as_deref().map(decoded).transpose()?;
        Ok((name, value))
    });
    let origin = Coordinates::parse(&at, None).ok();
    let record = Message {
        at: message.at.clone(),
        key: envelope.key.as_deref().map(decoded).transpose()?,
        value: envelope.value.as_deref().map(decoded).transpose()?,
        payload: None,
        origin: origin.clone().map(Box::new),
        headers: headers.collect::<Result<_, Unrecognized>>()?,
        timestamp: envelope.timestamp,
        client_key: (envelope.idempotency_key.as_deref())
            .filter(|key| record::idempotency::is_key(key.as_bytes()))
            .map(Into::into),
    };
    Ok(StoredDeadLetter {
        at: message.at,
        written: message.timestamp,
        family: Family::Envelope,
        cause: shortened(&envelope.cause),
        reason: envelope.reason,
        route: envelope.route.filter(|route| !route.is_empty()),
        run: envelope.run,
        origin,
        record: Some(record),
    })
}

fn decoded(text: &str) -> Result<Bytes, Unrecognized> {
    STANDARD.decode(text).map(Bytes::from).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Unrecognized {
    Unrecognized::Malformed(error.to_string())
}
