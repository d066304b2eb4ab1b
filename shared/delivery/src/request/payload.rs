//! How messages become a request body.

use std::fmt;

use avro::container;
use bytes::Bytes;
use http::header::HeaderValue;
use record::{Message, idempotency};

use super::idempotency::BatchKey;

/// The format of the request bodies for an endpoint.
///
/// The body must depend on the arguments only: each attempt sends the same bytes under the same idempotency key.
pub trait PayloadFormat: fmt::Debug + Send + Sync {
    /// The value of `Content-Type`.
    fn content_type(&self) -> HeaderValue;

    /// Whether a request can hold several records. If not, each request holds one.
    fn is_batch(&self) -> bool;

    /// The request body for these messages: at least one, all with a value, of one partition and in offset order. `key`
    /// holds the keys of the records if this is a batch format, and is empty otherwise.
    fn encode(&self, messages: &[Message], key: &BatchKey) -> Bytes;
}

/// One Avro datum: `application/octet-stream`.
#[derive(Clone, Copy, Debug)]
pub struct Datum;

impl PayloadFormat for Datum {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static("application/octet-stream")
    }

    fn is_batch(&self) -> bool {
        false
    }

    fn encode(&self, messages: &[Message], _: &BatchKey) -> Bytes {
        let datum = messages.first().and_then(Message::datum);
        datum.cloned().unwrap_or_default()
    }
}

/// An Avro object container file with any number of records: `application/vnd.apache.avro`.
///
/// The file's metadata holds the idempotency keys of the records under [`idempotency::CONTAINER_KEYS`].
#[derive(Clone, Debug)]
pub struct ContainerFile {
    schema: String,
}

impl ContainerFile {
    /// `schema` is the JSON text of the schema of all datums.
    pub fn new(schema: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
        }
    }
}

impl PayloadFormat for ContainerFile {
    fn content_type(&self) -> HeaderValue {
        HeaderValue::from_static("application/vnd.apache.avro")
    }

    fn is_batch(&self) -> bool {
        true
    }

    fn encode(&self, messages: &[Message], key: &BatchKey) -> Bytes {
        // The sync marker is part of the digest rather than random, so that the bytes are the same in every attempt.
        let mut sync = [0; 16];
        sync.copy_from_slice(&key.digest[..16]);
        let data: Vec<&[u8]> = messages
            .iter()
            .map(|message| message.datum().map_or(&[][..], |datum| datum))
            .collect();
        let metadata: [(&str, &[u8]); 1] = [(idempotency::CONTAINER_KEYS, &key.record_keys)];
        container::write(&self.schema, sync, &metadata, &data).into()
    }
}
