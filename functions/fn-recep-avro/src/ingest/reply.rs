//! What became of the messages, as the caller reads it. Pure.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use kafka::producer::{PublishError, PublishStatus, Receipt};
use serde_json::{Value, json};

use super::problem::{Kind, Problem};

/// 202 with the coordinates if every message is stored, else a problem that tells the status of each.
pub(super) fn settle(
    topic: &str,
    many: bool,
    statuses: &[PublishStatus],
) -> Result<Response<Bytes>, Box<Problem>> {
    let error = statuses.iter().filter_map(PublishStatus::error).max();
    let Some(error) = error else {
        let mut receipts = statuses.iter().filter_map(PublishStatus::receipt);
        let body = match many {
            true => receipts
                .map(|receipt| coordinates(topic, receipt))
                .collect(),
            false => receipts
                .next()
                .map_or(Value::Null, |receipt| coordinates(topic, receipt)),
        };
        let mut response = Response::new(Bytes::from(body.to_string()));
        *response.status_mut() = StatusCode::ACCEPTED;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    Err(problem(topic, many, statuses, error))
}

fn coordinates(topic: &str, receipt: &Receipt) -> Value {
    json!({
        "topic": topic,
        "partition": receipt.partition,
        "offset": receipt.offset,
        "timestamp": receipt.timestamp,
    })
}

fn problem(
    topic: &str,
    many: bool,
    statuses: &[PublishStatus],
    error: PublishError,
) -> Box<Problem> {
    let (kind, what) = match error {
        PublishError::TooLarge => (
            Kind::RecordTooLarge,
            "The broker takes no message of this size.",
        ),
        PublishError::UnknownTopic => (
            Kind::TopicUnknown,
            "The stream that this function writes to does not exist; its operator has to create it or correct \
             KAFKA_TOPIC.",
        ),
        PublishError::Rejected => (
            Kind::PublishRefused,
            "The broker refused the message for good; the function's log says why.",
        ),
        PublishError::NotAcknowledged => (
            Kind::NotAcknowledged,
            "The broker did not acknowledge in time.",
        ),
    };
    let stored = match Tally::of(statuses) {
        Tally {
            stored: 0,
            maybe: 0,
        } => "no",
        Tally { stored: 0, .. } => "maybe",
        Tally { .. } => "partly",
    };
    let fate = match (stored, many) {
        ("no", _) => "Nothing was stored.",
        ("maybe", false) => {
            "The message may be stored or not; repeat the call with the same Idempotency-Key."
        }
        _ => {
            "Some records are stored or may be: see \"records\". With an Idempotency-Key, send the whole file again under \
             the same one, which is made of it and of each record's place; without one, send the others."
        }
    };
    let mut problem = Problem::new(kind, format!("{what} {fate}")).with("stored", stored);
    if many && stored != "no" {
        let records: Vec<Value> = statuses
            .iter()
            .map(|status| match status {
                PublishStatus::Stored(receipt) => {
                    let mut record = json!({"stored": "yes"});
                    if let (Value::Object(record), Value::Object(at)) =
                        (&mut record, coordinates(topic, receipt))
                    {
                        record.extend(at);
                    }
                    record
                }
                PublishStatus::NotStored(_) => json!({"stored": "no"}),
                PublishStatus::PossiblyStored(_) => json!({"stored": "maybe"}),
            })
            .collect();
        problem = problem.with("records", records);
    }
    match kind {
        Kind::NotAcknowledged => problem.header(RETRY_AFTER, "1"),
        _ => problem,
    }
}

struct Tally {
    stored: usize,
    maybe: usize,
}

impl Tally {
    fn of(statuses: &[PublishStatus]) -> Self {
        let count = |wanted: fn(&PublishStatus) -> bool| {
            statuses.iter().filter(|status| wanted(status)).count()
        };
        Self {
            stored: count(|status| matches!(status, PublishStatus::Stored(_))),
            maybe: count(|status| matches!(status, PublishStatus::PossiblyStored(_))),
        }
    }
}
