//! What became of the messages, as the caller reads it. Pure.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::problem::{Kind, Problem};
use super::publisher::{Fate, Receipt, Trouble};

/// 202 with the coordinates if every message is stored, else a problem that tells the fate of each.
pub(super) fn settle(
    topic: &str,
    many: bool,
    fates: &[Fate],
) -> Result<Response<Bytes>, Box<Problem>> {
    let trouble = fates.iter().filter_map(Fate::trouble).max();
    let Some(trouble) = trouble else {
        let mut receipts = fates.iter().filter_map(Fate::receipt);
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
    Err(problem(topic, many, fates, trouble))
}

fn coordinates(topic: &str, receipt: &Receipt) -> Value {
    json!({
        "topic": topic,
        "partition": receipt.partition,
        "offset": receipt.offset,
        "timestamp": receipt.timestamp,
    })
}

fn problem(topic: &str, many: bool, fates: &[Fate], trouble: Trouble) -> Box<Problem> {
    let (kind, what) = match trouble {
        Trouble::TooLarge => (
            Kind::RecordTooLarge,
            "The broker takes no message of this size.",
        ),
        Trouble::UnknownTopic => (
            Kind::TopicUnknown,
            "The stream that this function writes to does not exist; its operator has to create it or correct \
             KAFKA_TOPIC.",
        ),
        Trouble::Refused => (
            Kind::PublishRefused,
            "The broker refused the message for good; the function's log says why.",
        ),
        Trouble::Unacknowledged => (
            Kind::NotAcknowledged,
            "The broker did not acknowledge in time.",
        ),
    };
    let stored = match Tally::of(fates) {
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
        let records: Vec<Value> = fates
            .iter()
            .map(|fate| match fate {
                Fate::Stored(receipt) => {
                    let mut record = json!({"stored": "yes"});
                    if let (Value::Object(record), Value::Object(at)) =
                        (&mut record, coordinates(topic, receipt))
                    {
                        record.extend(at);
                    }
                    record
                }
                Fate::NotStored(_) => json!({"stored": "no"}),
                Fate::MayBeStored(_) => json!({"stored": "maybe"}),
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
    fn of(fates: &[Fate]) -> Self {
        let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
        Self {
            stored: count(|fate| matches!(fate, Fate::Stored(_))),
            maybe: count(|fate| matches!(fate, Fate::MayBeStored(_))),
        }
    }
}
