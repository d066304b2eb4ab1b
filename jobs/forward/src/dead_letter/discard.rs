//! A record of the dead-letter topic that discards a dead letter. Pure.
//!
//! It has no value, so that a run on the dead-letter topic skips it. On brokers without headers it has a JSON value.

use rdkafka::message::{Header, OwnedHeaders};
use record::{Coordinates, Message};
use serde_json::json;

use super::VERSION;
use super::stored::{Unrecognized, text};

/// The header with the coordinates of the dead letter, the last one.
pub(crate) const DISCARDED: &str = "frontdoor.discarded";

/// The header with the reason.
const REASON: &str = "frontdoor.reason";

/// The most characters of a reason.
pub(crate) const MAX_REASON: usize = 500;

/// A dead letter is not to be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Discard {
    /// Its partition in the dead-letter topic.
    pub(crate) partition: i32,
    /// Its offset.
    pub(crate) offset: i64,
    /// Why, in a sentence.
    pub(crate) reason: String,
}

impl Discard {
    /// Parses `PARTITION@OFFSET`.
    pub(super) fn parse(at: &str, reason: &str) -> Result<Self, Unrecognized> {
        let parsed = Coordinates::parse(at, Some("")).ok();
        let at = parsed.filter(|at| at.topic.is_empty()).ok_or_else(|| {
            Unrecognized::Malformed(format!("{DISCARDED} is not PARTITION@OFFSET"))
        })?;
        Ok(Self {
            partition: at.partition,
            offset: at.offset,
            reason: reason.chars().take(MAX_REASON).collect(),
        })
    }

    pub(super) fn from_headers(message: &Message) -> Result<Self, Unrecognized> {
        let at = text(message, DISCARDED).unwrap_or_default();
        Self::parse(&at, &text(message, REASON).unwrap_or_default())
    }

    /// The key of the record: the dead letter, so that a compacted topic keeps the newest.
    pub(crate) fn key(&self) -> String {
        format!("frontdoor.discarded/{}", self.at())
    }

    /// The headers of the record.
    pub(crate) fn headers(&self) -> OwnedHeaders {
        let (version, at) = (VERSION.to_string(), self.at());
        let headers = [
            ("frontdoor.version", version.as_str()),
            (REASON, &self.reason),
            (DISCARDED, &at),
        ];
        let headers = headers.into_iter();
        headers.fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        })
    }

    /// The value of the record on a broker without headers.
    pub(crate) fn envelope(&self) -> String {
        json!({"version": VERSION, "discarded": self.at(), "reason": self.reason}).to_string()
    }

    fn at(&self) -> String {
        format!("{}@{}", self.partition, self.offset)
    }
}
