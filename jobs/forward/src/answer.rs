//! The answer of an endpoint as a record: the source record's key, and a JSON envelope as the value.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery::{Answer, RecordAnswer};
use offsets::progress::Class;
use record::{Message, StreamId};
use serde::Serialize;

use crate::producer::Origin;
use crate::report::rfc3339;

/// The version of the envelope (`docs/schemas/answer.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
const VERSION: u32 = 1;

/// An answer on its way to its topic.
#[derive(Debug)]
pub struct AnswerRecord {
    /// The topic.
    pub topic: Arc<str>,
    /// The record that was answered; its value may be absent.
    pub message: Message,
    /// The record's route.
    pub class: Class,
    /// The answer.
    pub answer: RecordAnswer,
    /// What becomes of the record when the answer is written.
    pub outcome: AnswerOutcome,
}

/// What becomes of a record when its answer is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// It is delivered.
    Delivered,
    /// It is dead-lettered, for this reason.
    DeadLettered(String),
}

/// The run that writes answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerContext<'r> {
    /// The name of the route.
    pub(crate) route: &'r str,
    /// The consumer group.
    pub(crate) group: &'r str,
    /// The run.
    pub(crate) run: &'r str,
    /// The source of the records; it is part of their idempotency keys.
    pub(crate) stream: &'r StreamId,
}

#[derive(Serialize)]
struct Envelope<'r> {
    version: u32,
    route: &'r str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
    status: u16,
    attempts: u32,
    answered_at: String,
    idempotency_key: String,
    run: &'r str,
    group: &'r str,
    topic: &'r str,
    partition: i32,
    offset: i64,
    headers: BTreeMap<&'r str, Vec<&'r str>>,
    #[serde(flatten)]
    body: Body<'r>,
    body_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_length: Option<u64>,
}

/// The body, in one of two members.
#[derive(Serialize)]
enum Body<'r> {
    #[serde(rename = "body")]
    Text(&'r str),
    #[serde(rename = "body_base64")]
    Base64(String),
}

impl AnswerRecord {
    /// The record that it is about.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            partition: self.message.at.partition,
            offset: self.message.at.offset,
            class: self.class,
        }
    }

    /// The value of the written record.
    pub(crate) fn envelope(&self, context: &AnswerContext<'_>) -> String {
        let (message, answer) = (&self.message, self.answer.answer());
        let (outcome, reason) = match &self.outcome {
            AnswerOutcome::Delivered => ("delivered", None),
            AnswerOutcome::DeadLettered(reason) => ("dead_lettered", Some(reason.as_str())),
        };
        let envelope = Envelope {
            version: VERSION,
            route: context.route,
            outcome,
            reason,
            status: answer.status,
            attempts: self.answer.attempts,
            answered_at: rfc3339(answer.time),
            idempotency_key: context.stream.idempotency_key(message),
            run: context.run,
            group: context.group,
            topic: &message.coordinates().topic,
            partition: message.coordinates().partition,
            offset: message.coordinates().offset,
            headers: headers(answer),
            body: body(&answer.body),
            body_truncated: answer.is_truncated,
            body_length: answer.body_length,
        };
        // Serialization cannot fail: every key is a string.
        serde_json::to_string(&envelope).unwrap_or_default()
    }
}

fn headers(answer: &Answer) -> BTreeMap<&str, Vec<&str>> {
    let mut headers = BTreeMap::<&str, Vec<&str>>::new();
    for (name, value) in &answer.headers {
        headers.entry(name.as_str()).or_default().push(value);
    }
    headers
}

/// Text, if it is UTF-8 and JSON needs no long escapes for it: so an envelope has at most twice the size of a body.
fn body(bytes: &[u8]) -> Body<'_> {
    let has_long_escape = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.iter().any(has_long_escape) => Body::Text(text),
        _ => Body::Base64(STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_or_base64() {
        let member = |bytes: &[u8]| serde_json::to_string(&body(bytes)).unwrap();
        assert_eq!(
            member("{\"é\":\n1}".as_bytes()),
            r#"{"body":"{\"é\":\n1}"}"#
        );
        assert_eq!(member(b""), r#"{"body":""}"#);
        assert_eq!(member(b"\xff\xfe"), r#"{"body_base64":"//4="}"#);
        assert_eq!(member(b"a\0b"), r#"{"body_base64":"YQBi"}"#);
    }

    proptest::proptest! {
        #[test]
        fn a_body_has_at_most_twice_its_size_in_json(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300),
        ) {
            let json = serde_json::to_string(&body(&bytes)).unwrap();
            proptest::prop_assert!(json.len() <= 2 * bytes.len() + 24, "{json}");
        }
    }
}
