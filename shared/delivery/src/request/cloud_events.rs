//! CloudEvents 1.0.2: the HTTP protocol binding with the JSON event format.
//!
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use record::traceparent;
use serde::Serialize;
use serde_json::Value;

use super::json_formats::{JsonMapping, text, value};
use super::payload::{InvalidRecord, Payload, PayloadFormat, Record, Records};

const JSON: &str = "application/json";

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

    /// The event of a record, without its data.
    fn event<'r>(&'r self, record: &Record<'r>) -> Event<'r> {
        let message = record.message;
        let source = match &self.source {
            Some(source) => Cow::Borrowed(source.as_str()),
            None => {
                let cluster = runtime::text::percent_encode(&record.stream().cluster);
                Cow::Owned(format!("kafka:{cluster}/{}", message.coordinates().topic))
            }
        };
        let is_text = |text: &&str| !text.is_empty() && !text.chars().any(is_forbidden);
        let key = message.key.as_ref();
        let key = key.and_then(|key| std::str::from_utf8(key).ok());
        Event {
            specversion: "1.0",
            id: record.key(),
            source,
            event_type: &self.event_type,
            datacontenttype: JSON,
            time: message.timestamp.and_then(time),
            partitionkey: key.filter(is_text),
            traceparent: message.headers.iter().find_map(|(name, value)| {
                let is_trace = name.eq_ignore_ascii_case(traceparent::HEADER);
                let value = value.as_ref().filter(|_| is_trace)?;
                let text = std::str::from_utf8(value).ok();
                text.filter(|_| traceparent::is_valid(value))
            }),
            kafkatopic: &message.coordinates().topic,
            kafkapartition: message.coordinates().partition,
            kafkaoffset: message.coordinates().offset.to_string(),
            data: None,
        }
    }

    /// Appends the event of a record in the JSON format.
    fn append(
        &self,
        body: &mut Vec<u8>,
        index: usize,
        record: &Record<'_>,
    ) -> Result<(), InvalidRecord> {
        let mut event = self.event(record);
        event.data = Some(value(&*self.mapping, index, record)?);
        // Writing to a Vec and serializing strings and numbers cannot fail.
        let _ = serde_json::to_writer(body, &event);
        Ok(())
    }
}

/// An event in the JSON format. The fields are in the order of the attributes.
#[derive(Serialize)]
struct Event<'r> {
    specversion: &'static str,
    id: String,
    source: Cow<'r, str>,
    #[serde(rename = "type")]
    event_type: &'r str,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partitionkey: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'r str>,
    kafkatopic: &'r str,
    kafkapartition: i32,
    /// Text: integers have 32 bits, and an offset 64.
    kafkaoffset: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Event<'_> {
    /// The attributes as headers. `datacontenttype` is `Content-Type`, and `traceparent` has a header of its own.
    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let partition = self.kafkapartition.to_string();
        let attributes = [
            ("ce-specversion", Some(self.specversion)),
            ("ce-id", Some(&*self.id)),
            ("ce-source", Some(&*self.source)),
            ("ce-type", Some(self.event_type)),
            ("ce-time", self.time.as_deref()),
            ("ce-partitionkey", self.partitionkey),
            ("ce-kafkatopic", Some(self.kafkatopic)),
            ("ce-kafkapartition", Some(&*partition)),
            ("ce-kafkaoffset", Some(&*self.kafkaoffset)),
        ];
        let headers = attributes.into_iter().filter_map(|(name, value)| {
            Some((HeaderName::from_static(name), header_value(value?)?))
        });
        headers.collect()
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
                Ok(Payload {
                    content_type: Some(HeaderValue::from_static(JSON)),
                    headers: self.event(&record).headers(),
                    body: text(&data).into(),
                })
            }
            EventMode::Structured => {
                let mut body = Vec::new();
                self.append(&mut body, 0, &records.single()?)?;
                Ok(Payload {
                    content_type: Some(HeaderValue::from_static("application/cloudevents+json")),
                    headers: Vec::new(),
                    body: body.into(),
                })
            }
            EventMode::Batched => {
                let mut body = vec![b'['];
                for (index, record) in records.iter().enumerate() {
                    if index > 0 {
                        body.push(b',');
                    }
                    self.append(&mut body, index, &record)?;
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
fn header_value(text: &str) -> Option<HeaderValue> {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
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
