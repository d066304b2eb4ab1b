//! JSON: one value, an array, or one value a line.

use std::fmt;
use std::sync::Arc;

use avro::Schema;
use http::header::HeaderValue;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::payload::{InvalidRecord, Payload, PayloadFormat, Record, Records};

/// How a record becomes a JSON value.
pub trait JsonMapping: fmt::Debug + Send + Sync {
    /// The value of a record that is not a tombstone.
    ///
    /// # Errors
    /// The record has no such value; with the reason.
    fn value(&self, record: &Record<'_>) -> Result<Value, String>;

    /// Whether the value is the record itself, without its coordinates and key, which a batch then adds.
    fn is_record(&self) -> bool;
}

/// The record as `docs/FORMATS.md` maps Avro to JSON.
#[derive(Clone, Debug)]
pub struct SchemaJson(Schema);

/// One JSON value: `application/json`.
#[derive(Clone, Debug)]
pub struct Json(Arc<dyn JsonMapping>);

/// An array of JSON values: `application/json`.
#[derive(Clone, Debug)]
pub struct JsonArray(Arc<dyn JsonMapping>);

/// JSON values, each on a line: `application/x-ndjson`.
#[derive(Clone, Debug)]
pub struct NdJson(Arc<dyn JsonMapping>);

/// A record in a batch.
#[derive(Serialize)]
struct Item<'r> {
    idempotency_key: String,
    topic: &'r str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
    value: Box<RawValue>,
}

impl SchemaJson {
    /// `schema` is the schema of all datums.
    pub fn new(schema: Schema) -> Self {
        Self(schema)
    }
}

impl JsonMapping for SchemaJson {
    fn value(&self, record: &Record<'_>) -> Result<Value, String> {
        let datum = record.message.datum().map_or(&[][..], |datum| datum);
        self.0.to_json(datum).map_err(|fault| fault.to_string())
    }

    fn is_record(&self) -> bool {
        true
    }
}

impl Json {
    /// One value a request.
    pub fn new(mapping: Arc<dyn JsonMapping>) -> Self {
        Self(mapping)
    }
}

impl JsonArray {
    /// Several values a request.
    pub fn new(mapping: Arc<dyn JsonMapping>) -> Self {
        Self(mapping)
    }
}

impl NdJson {
    /// Several values a request.
    pub fn new(mapping: Arc<dyn JsonMapping>) -> Self {
        Self(mapping)
    }
}

impl PayloadFormat for Json {
    fn is_batch(&self) -> bool {
        false
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let value = value(&*self.0, 0, &records.single()?)?;
        Ok(payload("application/json", text(&value)))
    }
}

impl PayloadFormat for JsonArray {
    fn is_batch(&self) -> bool {
        true
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let mut body = vec![b'['];
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            append(&mut body, &*self.0, index, &record)?;
        }
        body.push(b']');
        Ok(payload("application/json", body))
    }
}

impl PayloadFormat for NdJson {
    fn is_batch(&self) -> bool {
        true
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        let mut body = Vec::new();
        for (index, record) in records.iter().enumerate() {
            append(&mut body, &*self.0, index, &record)?;
            body.push(b'\n');
        }
        Ok(payload("application/x-ndjson", body))
    }
}

/// Appends an item of a batch.
fn append(
    body: &mut Vec<u8>,
    mapping: &dyn JsonMapping,
    index: usize,
    record: &Record<'_>,
) -> Result<(), InvalidRecord> {
    let value = value(mapping, index, record)?;
    if !mapping.is_record() {
        body.extend_from_slice(&text(&value));
        return Ok(());
    }
    let at = record.message.coordinates();
    let invalid = |error: serde_json::Error| InvalidRecord {
        index,
        reason: error.to_string(),
    };
    let item = Item {
        idempotency_key: record.key(),
        topic: &at.topic,
        partition: at.partition,
        offset: at.offset,
        timestamp: record.message.timestamp,
        value: serde_json::value::to_raw_value(&value).map_err(invalid)?,
    };
    serde_json::to_writer(body, &item).map_err(invalid)
}

pub(super) fn value(
    mapping: &dyn JsonMapping,
    index: usize,
    record: &Record<'_>,
) -> Result<Value, InvalidRecord> {
    mapping
        .value(record)
        .map_err(|reason| InvalidRecord { index, reason })
}

/// Compact JSON.
pub(super) fn text(value: &Value) -> Vec<u8> {
    // Serializing a value to memory cannot fail: all keys are strings.
    serde_json::to_vec(value).unwrap_or_default()
}

fn payload(content_type: &'static str, body: Vec<u8>) -> Payload {
    Payload {
        content_type: Some(HeaderValue::from_static(content_type)),
        headers: Vec::new(),
        body: body.into(),
    }
}
