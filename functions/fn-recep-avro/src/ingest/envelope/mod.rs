//! Makes a Kafka message of each datum: key, timestamp, headers, value.

mod caller_headers;
mod cloud_event;
mod key;
mod limits;
mod timestamp;

use std::sync::Arc;

use avro::{FINGERPRINT_HEADER, Schema};
use bytes::Bytes;
use http::HeaderMap;
use http_server::idempotency;
use http_server::problem::Problem;
use kafka::producer::{MessageHeader, OutgoingMessage};
use record::idempotency::{MAX_CLIENT_KEY_LENGTH, in_container};
use routes::{RecordValues, ValueError, ValueExpression, ValueScope};
use runtime::text::hex;

use super::call::Call;
use super::problems::{INVALID_KEY, INVALID_TIMESTAMP, RECORD_TOO_LARGE};
use super::store::StoredValues;
use super::trace::TraceHeaders;
use super::validate::ValidatedBody;
pub(super) use caller_headers::CallerHeaders;
use key::MessageKey;
pub(super) use limits::MessageLimits;
use timestamp::InvalidTimestamp;

/// What the messages of all calls have in common.
#[derive(Debug)]
pub(super) struct Envelope {
    /// CRC-64-AVRO as hexadecimal digits, in the byte order of a single-object header.
    fingerprint: Bytes,
    scope: ValueScope,
    key: MessageKey,
    /// `None`: a message has the time of sending.
    timestamp: Option<ValueExpression>,
    caller_headers: CallerHeaders,
}

/// Why no messages are made.
pub(super) enum EnvelopeError {
    /// The request is invalid.
    Invalid(Problem),
    /// A message exceeds a limit that the topic's configuration may have raised.
    OverLimit(Problem),
}

impl From<Problem> for EnvelopeError {
    fn from(problem: Problem) -> Self {
        Self::Invalid(problem)
    }
}

impl EnvelopeError {
    pub(super) fn into_problem(self) -> Problem {
        match self {
            Self::Invalid(problem) | Self::OverLimit(problem) => problem,
        }
    }
}

impl Envelope {
    /// The envelope of this schema's datums, whose messages have neither key nor timestamp.
    pub(super) fn new(schema: &Schema) -> Self {
        Self {
            fingerprint: hex(&schema.fingerprint()).into(),
            scope: ValueScope::of_datums(schema),
            key: MessageKey::None,
            timestamp: None,
            caller_headers: CallerHeaders::default(),
        }
    }

    /// Gives messages a key: the path to a field, or a CEL expression.
    ///
    /// # Errors
    /// It does not fit the schema.
    pub(super) fn set_key(&mut self, schema: &Schema, text: &str) -> Result<(), ValueError> {
        self.key = MessageKey::new(schema, &self.scope, text)?;
        Ok(())
    }

    /// Gives messages the timestamp that a CEL expression describes.
    ///
    /// # Errors
    /// It does not fit the schema, or is neither a timestamp nor a number of milliseconds.
    pub(super) fn set_timestamp(&mut self, text: &str) -> Result<(), ValueError> {
        self.timestamp = Some(self.scope.compile_timestamp(text)?);
        Ok(())
    }

    /// Whether the topic's limits of timestamps matter.
    pub(super) fn has_timestamps(&self) -> bool {
        self.timestamp.is_some()
    }

    /// Gives messages these headers of their requests.
    pub(super) fn set_caller_headers(&mut self, headers: CallerHeaders) {
        self.caller_headers = headers;
    }

    /// One message for each datum, in the order of the body, with the value that is stored. The headers name the schema only
    /// of raw datums: other values name it themselves.
    ///
    /// The records of a container file share the client's Idempotency-Key. Each message carries it with `/` and the
    /// record's position, from 1: with equal keys, a consumer that drops duplicates would drop all but the first.
    ///
    /// `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// The Idempotency-Key or a CloudEvent is malformed, there are too many headers, a record has no valid key or timestamp, or
    /// a message is too large.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn messages<'a>(
        &self,
        datums: &ValidatedBody<'_>,
        stored: &'a StoredValues<'_>,
        headers: &HeaderMap,
        trace: &TraceHeaders,
        limits: &MessageLimits,
        call: &Call,
        now: i64,
    ) -> Result<Vec<OutgoingMessage<'a>>, EnvelopeError> {
        let client_key = idempotency::parse_key(headers, MAX_CLIENT_KEY_LENGTH)?;
        let common = self.common_headers(datums, stored, headers, trace, call)?;
        let common: Arc<[_]> = common.into();

        let mut messages = Vec::with_capacity(datums.data.len());
        let values = stored.values.iter().zip(datums.data.iter());
        for (position, (value, datum)) in (1u64..).zip(values) {
            let at = |problem: Problem| match datums.is_list {
                true => problem.with_member("record", position),
                false => problem,
            };
            let size = |size: usize| match size > limits.max_bytes {
                true => Err(EnvelopeError::OverLimit(at(too_large(value, limits)))),
                false => Ok(()),
            };
            // Before expressions are evaluated: their memory depends on the size of the datum.
            size(value.len())?;
            let values = self.scope.datum_values(datum);
            let message = OutgoingMessage {
                key: (self.key.of(datum, &values)).map_err(|error| at(invalid_key(&error)))?,
                value,
                timestamp: self.timestamp(&values, limits, now, &at)?,
                headers: Arc::clone(&common),
                idempotency_key: client_key.as_ref().map(|key| match datums.is_list {
                    true => in_container(key, position),
                    false => key.clone(),
                }),
            };
            size(message.batch_size())?;
            messages.push(message);
        }
        Ok(messages)
    }

    /// The headers of all messages of a call.
    fn common_headers(
        &self,
        datums: &ValidatedBody<'_>,
        stored: &StoredValues<'_>,
        headers: &HeaderMap,
        trace: &TraceHeaders,
        call: &Call,
    ) -> Result<Vec<MessageHeader>, Problem> {
        let mut common: Vec<MessageHeader> = Vec::new();
        if stored.are_datums {
            common.push(("content-type".into(), Bytes::from_static(b"avro/binary")));
            common.push((FINGERPRINT_HEADER.into(), self.fingerprint.clone()));
        }
        common.extend(trace.message_headers());
        let id = call.id.clone();
        common.extend(id.map(|id| ("call-id".into(), id.into())));
        common.extend(cloud_event::headers(headers, datums.is_list)?);
        common.extend(self.caller_headers.of(headers)?);
        Ok(common)
    }

    fn timestamp(
        &self,
        values: &RecordValues<'_>,
        limits: &MessageLimits,
        now: i64,
        at: &impl Fn(Problem) -> Problem,
    ) -> Result<Option<i64>, EnvelopeError> {
        let Some(expression) = &self.timestamp else {
            return Ok(None);
        };
        let invalid = |reason: &str| at(invalid_timestamp(reason));
        let timestamp = expression
            .timestamp_millis(values)
            .map_err(|error| invalid(&error.to_string()))?;
        let Some(timestamp) = timestamp else {
            return Ok(None);
        };
        match timestamp::check(timestamp, now, &limits.timestamps) {
            Ok(()) => Ok(Some(timestamp)),
            Err(InvalidTimestamp::OutOfRange) => {
                let reason = format!(
                    "{timestamp} ms is not after 1970-01-01T00:00:00Z and before the year 10000"
                );
                Err(invalid(&reason).into())
            }
            Err(InvalidTimestamp::RejectedByTopic(name, limit)) => {
                let reason = format!("{timestamp} ms exceeds {name}={limit} of the topic");
                Err(EnvelopeError::OverLimit(invalid(&reason)))
            }
        }
    }
}

fn too_large(value: &[u8], limits: &MessageLimits) -> Problem {
    let MessageLimits {
        max_bytes: limit,
        source,
        ..
    } = limits;
    let detail = format!(
        "The record has {} bytes. With its key and headers it is larger than {limit} bytes ({source}).",
        value.len()
    );
    Problem::new(&RECORD_TOO_LARGE, detail).with_member("limit", *limit)
}

fn invalid_key(error: &ValueError) -> Problem {
    let reason = error.to_string();
    let detail = format!("The record has no key (KAFKA_KEY): {reason}. Nothing was published.");
    Problem::new(&INVALID_KEY, detail).with_member("reason", reason)
}

fn invalid_timestamp(reason: &str) -> Problem {
    let detail = format!(
        "The record has no valid timestamp (KAFKA_TIMESTAMP): {reason}. Nothing was published."
    );
    Problem::new(&INVALID_TIMESTAMP, detail).with_member("reason", reason)
}

/// The bytes that messages occupy until they are acknowledged: their decoded values, and the Kafka client's copies.
pub(super) fn memory(messages: &[OutgoingMessage<'_>]) -> usize {
    /// The structures of a message in the Kafka client, and here.
    const MESSAGE: usize = 1024;
    messages
        .iter()
        .map(|message| MESSAGE + message.value.len() + message.batch_size())
        .sum()
}
