//! CloudEvents 1.0.2: the HTTP protocol binding with the JSON event format.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use std::fmt::Write;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use record::traceparent;
use serde_json::{Map, Value, json};

use super::json_formats::{JsonMapping, text, value};
use super::payload::{InvalidRecord, Payload, PayloadFormat, Record, Records};

/// How an event is in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventMode {
    /// The attributes in headers, the data in the body.
    Binary,
    /// The event in the body: `application/cloudevents+json`.
    Structured,
    /// Several events in the body: `application/cloudevents-batch+json`.
    Batched,
}

/// CloudEvents. `id` is the idempotency key; the data is JSON.
///
/// Attributes: `specversion`, `id`, `source`, `type`, `datacontenttype`, `time` (the record's timestamp), `partitionkey` (the
/// Kafka key, if it is text), `traceparent` (the record's, if it has one), and the extensions `kafkatopic`,
/// `kafkapartition`, `kafkaoffset`.
#[derive(Clone, Debug)]
pub struct CloudEvents {
    mode: EventMode,
    event_type: String,
    source: Option<String>,
    mapping: Arc<dyn JsonMapping>,
}

impl CloudEvents {
    /// `event_type` is the attribute `type`. `source`: `None` is `kafka:CLUSTER/TOPIC`.
    pub fn new(
        mode: EventMode,
        event_type: impl Into<String>,
        source: Option<String>,
        mapping: Arc<dyn JsonMapping>,
    ) -> Self {
        Self {
            mode,
            event_type: event_type.into(),
            source,
            mapping,
        }
    }

    /// The attributes that have a value, in order.
    fn attributes(&self, record: &Record<'_>) -> Vec<(&'static str, Value)> {
        let message = record.message;
        let source = match &self.source {
            Some(source) => source.clone(),
            None => {
                let cluster = runtime::text::percent_encode(&record.stream().cluster);
                format!("kafka:{cluster}/{}", message.at.topic)
            }
        };
        let mut attributes = vec![
            ("specversion", json!("1.0")),
            ("id", json!(record.key())),
            ("source", json!(source)),
            ("type", json!(self.event_type)),
            ("datacontenttype", json!("application/json")),
        ];
        if let Some(time) = message.timestamp.and_then(time) {
            attributes.push(("time", json!(time)));
        }
        let is_text = |text: &str| !text.is_empty() && !text.chars().any(is_forbidden);
        let key = message.key.as_ref();
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        if let Some(key) = key.filter(|key| is_text(key)) {
            attributes.push(("partitionkey", json!(key)));
        }
        let trace = message.headers.iter().find_map(|(name, value)| {
            let is_trace = name.eq_ignore_ascii_case(traceparent::HEADER);
            let value = value.as_ref().filter(|_| is_trace)?;
            traceparent::is_valid(value).then(|| String::from_utf8_lossy(value).into_owned())
        });
        if let Some(trace) = trace {
            attributes.push(("traceparent", json!(trace)));
        }
        attributes.push(("kafkatopic", json!(&*message.at.topic)));
        attributes.push(("kafkapartition", json!(message.at.partition)));
        // Integers have 32 bits, and an offset 64.
        attributes.push(("kafkaoffset", json!(message.at.offset.to_string())));
        attributes
    }

    /// The event in the JSON format.
    fn event(&self, index: usize, record: &Record<'_>) -> Result<Value, InvalidRecord> {
        let data = value(&*self.mapping, index, record)?;
        let attributes = self.attributes(record).into_iter();
        let mut event: Map<String, Value> = attributes
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        event.insert("data".to_owned(), data);
        Ok(Value::Object(event))
    }
}

impl PayloadFormat for CloudEvents {
    fn is_batch(&self) -> bool {
        self.mode == EventMode::Batched
    }

    fn encode(&self, records: &Records<'_>) -> Result<Payload, InvalidRecord> {
        match self.mode {
            EventMode::Binary => {
                let record = records.single()?;
                let data = value(&*self.mapping, 0, &record)?;
                let attributes = self.attributes(&record);
                let headers = attributes.into_iter().filter_map(|(name, value)| {
                    // `datacontenttype` is `Content-Type`, and `traceparent` has a header of its own.
                    let is_header = !matches!(name, "datacontenttype" | "traceparent");
                    let name = HeaderName::try_from(format!("ce-{name}")).ok()?;
                    Some((name, header_value(&value)?)).filter(|_| is_header)
                });
                Ok(Payload {
                    content_type: Some(HeaderValue::from_static("application/json")),
                    headers: headers.collect(),
                    body: text(&data).into(),
                })
            }
            EventMode::Structured => {
                let event = self.event(0, &records.single()?)?;
                Ok(Payload {
                    content_type: Some(HeaderValue::from_static("application/cloudevents+json")),
                    headers: Vec::new(),
                    body: text(&event).into(),
                })
            }
            EventMode::Batched => {
                let mut body = vec![b'['];
                for (index, record) in records.iter().enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    body.extend_from_slice(&text(&self.event(index, &record)?));
                }
                body.push(b']');
                let content_type = "application/cloudevents-batch+json";
                Ok(Payload {
                    content_type: Some(HeaderValue::from_static(content_type)),
                    headers: Vec::new(),
                    body: body.into(),
                })
            }
        }
    }
}

/// A timestamp in milliseconds since 1970, as RFC 3339. `None` outside the years 0000 to 9999.
fn time(millis: i64) -> Option<String> {
    // Not jiff's `Timestamp`, which ends on 9999-12-30.
    let epoch = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
    let time = epoch
        .checked_add(SignedDuration::from_millis(millis))
        .ok()?;
    (time.year() >= 0).then(|| format!("{time}Z"))
}

/// The value of an attribute as that of a header: percent-encoded (HTTP binding, section 3.1.3.2).
fn header_value(value: &Value) -> Option<HeaderValue> {
    let plain = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut encoded = String::with_capacity(plain.len());
    for byte in plain.bytes() {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'"' | b'%') => encoded.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
    }
    HeaderValue::try_from(encoded).ok()
}

/// Characters that an attribute must not have (CloudEvents 1.0.2, "Type System"); unpaired surrogates do not occur in a
/// `str`.
fn is_forbidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
}
