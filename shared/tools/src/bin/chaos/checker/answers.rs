//! Verifies the answers that route A keeps: every committed record that was delivered or rejected has one, and each one
//! belongs to its record.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use testkit::records::StoredRecord;

use super::evidence::Evidence;
use super::expected::{Expected, datum, expected, route_of, user};
use super::verdict::Verdict;

/// The route that keeps answers.
pub(crate) const ROUTE: &str = "A";

/// An answer in one of its topics.
#[derive(Clone, Debug)]
pub(crate) struct KeptAnswer {
    /// True in the topic of answers to delivered records.
    pub(crate) is_success: bool,
    /// Its own partition and offset.
    pub(crate) place: (i32, i64),
    /// Its key.
    pub(crate) key: Option<Vec<u8>>,
    /// The partition and offset of the record; -1 and -1 if the envelope is malformed.
    pub(crate) origin: (i32, i64),
    /// The idempotency key of the record.
    pub(crate) idempotency_key: String,
    /// The status.
    pub(crate) status: u64,
}

impl KeptAnswer {
    /// Reads an answer.
    pub(crate) fn read(stored: &StoredRecord, is_success: bool) -> Self {
        let value = stored.value.as_deref().unwrap_or_default();
        let envelope: Value = serde_json::from_slice(value).unwrap_or_default();
        let partition = envelope["partition"].as_i64();
        let partition = partition.and_then(|number| number.try_into().ok());
        let origin = partition.zip(envelope["offset"].as_i64());
        let outcome = if is_success {
            "delivered"
        } else {
            "dead_lettered"
        };
        let origin = origin.filter(|_| envelope["outcome"] == outcome);
        Self {
            is_success,
            place: (stored.partition, stored.offset),
            key: stored.key.clone(),
            origin: origin.unwrap_or((-1, -1)),
            idempotency_key: envelope["idempotency_key"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            status: envelope["status"].as_u64().unwrap_or_default(),
        }
    }
}

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    if !evidence.keeps_answers {
        return;
    }
    let keys: HashMap<&[u8], &str> = evidence
        .received
        .iter()
        .map(|received| (received.datum.as_slice(), received.key.as_str()))
        .collect();
    let records: HashMap<(i32, i64), &StoredRecord> = evidence
        .topic
        .iter()
        .map(|record| ((record.partition, record.offset), record))
        .collect();
    let (mut answered, mut successful) = (HashSet::new(), HashSet::new());
    for answer in &evidence.answers {
        answered.insert(answer.origin);
        if answer.is_success {
            successful.insert(answer.origin);
        }
        verdict.answers += 1;
        let record = records.get(&answer.origin);
        if let Some(fault) = fault(answer, record.copied(), &keys) {
            let (partition, offset) = answer.place;
            verdict
                .wrong_answers
                .add(format!("the answer at {partition}@{offset} {fault}"));
        }
    }
    let refused: HashSet<(i32, i64)> = evidence
        .dead_letters
        .iter()
        .filter(|letter| letter.cause == "refused")
        .map(|letter| letter.origin)
        .collect();
    for (place, record) in &records {
        let committed = evidence.committed.get(&place.0);
        let is_committed = committed.is_some_and(|committed| place.1 < *committed);
        let is_for_route = user(record).and_then(|user| route_of(&user)) == Some(ROUTE);
        if !is_committed || !is_for_route {
            continue;
        }
        let is_answered = match expected(record) {
            _ if refused.contains(place) => answered.contains(place),
            Expected::Delivered(_) => successful.contains(place),
            _ => true,
        };
        if !is_answered {
            let (partition, offset) = place;
            verdict.missing_answers.add(format!(
                "{partition}@{offset} is committed without an answer"
            ));
        }
    }
}

fn fault(
    answer: &KeptAnswer,
    record: Option<&StoredRecord>,
    keys: &HashMap<&[u8], &str>,
) -> Option<&'static str> {
    let Some(record) = record else {
        return Some("is to no record of the topic");
    };
    if answer.key != record.key {
        return Some("does not have the key of its record");
    }
    if keys.get(datum(record).as_slice()) != Some(&answer.idempotency_key.as_str()) {
        return Some("does not have the idempotency key of its record");
    }
    if answer.is_success != (200..300).contains(&answer.status) {
        return Some("has a status of the other topic");
    }
    None
}
