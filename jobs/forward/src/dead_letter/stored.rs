//! What a dead letter of the job says about its record. Pure.

use record::{Coordinates, Message};
use serde::{Deserialize, Serialize};

/// A dead letter in its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDeadLetter {
    /// The record that it is about.
    pub(crate) record: Coordinates,
    /// Where it is, and why.
    pub(crate) location: DeadLetterLocation,
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

/// The members of an envelope that are read.
#[derive(Deserialize)]
struct Envelope {
    cause: String,
    reason: String,
    route: Option<String>,
    run: Option<String>,
    topic: String,
    partition: i32,
    offset: i64,
}

impl StoredDeadLetter {
    /// Parses a record of a dead-letter topic: the headers, or else the envelope. `None` if it has neither.
    pub(crate) fn parse(message: &Message) -> Option<Self> {
        from_headers(message).or_else(|| from_envelope(message))
    }
}

fn from_headers(message: &Message) -> Option<StoredDeadLetter> {
    // A record can have a header of the same name. The job's is the last one.
    let text = |name: &str| {
        let mut headers = message.headers.iter().rev();
        let (_, value) = headers.find(|(known, _)| known == name)?;
        Some(String::from_utf8_lossy(value.as_deref()?).into_owned())
    };
    let record = Coordinates {
        topic: text("__connect.errors.topic")?.into(),
        partition: text("__connect.errors.partition")?.parse().ok()?,
        offset: text("__connect.errors.offset")?.parse().ok()?,
    };
    Some(StoredDeadLetter {
        record,
        location: DeadLetterLocation {
            coordinates: message.at.to_string(),
            timestamp: message.timestamp,
            cause: text("frontdoor.cause")?,
            reason: text("__connect.errors.exception.message").unwrap_or_default(),
            route: text("frontdoor.route").filter(|route| !route.is_empty()),
            run: text("frontdoor.run"),
        },
    })
}

fn from_envelope(message: &Message) -> Option<StoredDeadLetter> {
    let value = message.value.as_deref()?;
    let envelope: Envelope = serde_json::from_slice(value).ok()?;
    Some(StoredDeadLetter {
        record: Coordinates {
            topic: envelope.topic.into(),
            partition: envelope.partition,
            offset: envelope.offset,
        },
        location: DeadLetterLocation {
            coordinates: message.at.to_string(),
            timestamp: message.timestamp,
            cause: envelope.cause,
            reason: envelope.reason,
            route: envelope.route,
            run: envelope.run,
        },
    })
}

#[cfg(test)]
mod tests {
    use record::StreamId;

    use super::*;
    use crate::dead_letter::{Cause, DeadLetter, DeadLetterConfig};

    fn message(topic: &str, headers: Vec<(String, Option<bytes::Bytes>)>) -> Message {
        Message {
            at: Coordinates {
                topic: topic.into(),
                partition: 0,
                offset: 7,
            },
            key: None,
            value: None,
            payload: None,
            headers,
            timestamp: Some(9),
            client_key: None,
        }
    }

    #[test]
    fn headers_and_envelope_name_the_record_and_the_cause() {
        use rdkafka::message::Headers;
        // The record has itself been a dead letter.
        let own = ("frontdoor.cause".to_owned(), Some("other".into()));
        let letter = DeadLetter {
            message: message("orders", vec![own]),
            class: 0,
            cause: Cause::Refused,
            reason: "422".to_owned(),
            route: Some("A".to_owned()),
            answer: None,
        };
        let config = |envelope| DeadLetterConfig {
            topic: "letters".to_owned(),
            group: "g".to_owned(),
            run: "r".to_owned(),
            stream: StreamId {
                cluster: "c".to_owned(),
                topic: "t".to_owned(),
            },
            envelope,
        };
        let headers = letter.record_headers(&config(false));
        let headers = headers.iter().map(|header| {
            let value = header.value.map(bytes::Bytes::copy_from_slice);
            (header.key.to_owned(), value)
        });
        let written = message("letters", headers.collect());
        let mut enveloped = message("letters", Vec::new());
        enveloped.value = letter.envelope(&config(true)).map(Into::into);
        for stored in [written, enveloped] {
            let found = StoredDeadLetter::parse(&stored).unwrap();
            assert_eq!(found.record.to_string(), "orders/0@7");
            let expected = DeadLetterLocation {
                coordinates: "letters/0@7".to_owned(),
                timestamp: Some(9),
                cause: "refused".to_owned(),
                reason: "422".to_owned(),
                route: Some("A".to_owned()),
                run: Some("r".to_owned()),
            };
            assert_eq!(found.location, expected);
        }
    }

    #[test]
    fn another_record_is_none() {
        let mut other = message("letters", Vec::new());
        assert_eq!(StoredDeadLetter::parse(&other), None);
        for value in ["", "{", "{}", "[1]", "\u{0}"] {
            other.value = Some(value.into());
            assert_eq!(StoredDeadLetter::parse(&other), None);
        }
    }
}
