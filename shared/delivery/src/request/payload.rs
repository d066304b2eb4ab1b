//! How messages become a request body.

use std::fmt;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use record::Message;

use super::idempotency::{BatchKey, IdempotencyKeys};

/// The format of the request bodies for an endpoint.
///
/// The result must depend on the records only: each attempt sends the same bytes under the same idempotency key.
pub trait PayloadFormat: fmt::Debug + Send + Sync {
    /// Whether a request can hold several records. If not, each request holds one.
    fn is_batch(&self) -> bool;

    /// The payload for these records: at least one, of one partition and in offset order.
    ///
    /// # Errors
    /// A record has no representation in the format. The request is built again without it.
    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord>;
}

/// The body of a request, and the headers that describe it.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The value of `Content-Type`; `None`: there is no body.
    pub content_type: Option<HeaderValue>,
    /// Other headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// A record of which no request can be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRecord {
    /// Its position among the records.
    pub index: usize,
    /// The reason; it appears in dead letters.
    pub reason: String,
}

/// The records of one request, with their idempotency keys.
#[derive(Clone, Copy, Debug)]
pub struct Records<'r> {
    messages: &'r [Message],
    keys: &'r IdempotencyKeys,
}

/// One record of a request, with its idempotency key.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The record.
    pub message: &'r Message,
    keys: &'r IdempotencyKeys,
}

impl<'r> Records<'r> {
    pub(super) fn new(messages: &'r [Message], keys: &'r IdempotencyKeys) -> Self {
        Self { messages, keys }
    }

    /// The records.
    pub fn messages(&self) -> &'r [Message] {
        self.messages
    }

    /// The records, each with its key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Record<'r>> + use<'r> {
        let keys = self.keys;
        let messages = self.messages.iter();
        messages.map(move |message| Record { message, keys })
    }

    /// The only record of a request of a format that is not a batch format.
    ///
    /// # Errors
    /// There is none.
    pub fn single(&self) -> Result<Record<'r>, InvalidRecord> {
        self.iter().next().ok_or_else(|| InvalidRecord {
            index: 0,
            reason: "there is no record".to_owned(),
        })
    }

    /// The keys of all records.
    pub fn batch_key(&self) -> BatchKey {
        self.keys.batch_key(self.messages)
    }
}

impl Record<'_> {
    /// The idempotency key: the same in each attempt and run.
    pub fn key(&self) -> String {
        self.keys.record_key(self.message)
    }

    /// The cluster's id and the topic's id, as in keys.
    pub fn stream(&self) -> &record::StreamId {
        self.keys.stream()
    }
}
