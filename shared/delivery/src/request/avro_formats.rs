//! Avro: a datum, or a container file.

use avro::container;
use bytes::Bytes;
use http::header::HeaderValue;
use record::{Message, idempotency};

use super::payload::{InvalidRecord, Payload, PayloadFormat, Records};

/// One Avro datum: `application/octet-stream`.
#[derive(Clone, Copy, Debug)]
pub struct Datum;

impl PayloadFormat for Datum {
    fn is_batch(&self) -> bool {
        false
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let datum = records.messages().first().and_then(Message::datum);
        Ok(Payload {
            content_type: Some(HeaderValue::from_static("application/octet-stream")),
            headers: Vec::new(),
            body: datum.cloned().unwrap_or_default(),
        })
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
    fn is_batch(&self) -> bool {
        true
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let key = records.batch_key();
        // The sync marker is part of the digest rather than random, so that the bytes are the same in every attempt.
        let mut sync = [0; 16];
        sync.copy_from_slice(&key.digest[..16]);
        let data: Vec<&[u8]> = records
            .messages()
            .iter()
            .map(|message| message.datum().map_or(&[][..], |datum| datum))
            .collect();
        let metadata: [(&str, &[u8]); 1] = [(idempotency::CONTAINER_KEYS, &key.record_keys)];
        let body: Bytes = container::write(&self.schema, sync, &metadata, &data).into();
        Ok(Payload {
            content_type: Some(HeaderValue::from_static("application/vnd.apache.avro")),
            headers: Vec::new(),
            body,
        })
    }
}
