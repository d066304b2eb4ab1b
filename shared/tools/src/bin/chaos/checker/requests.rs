//! Verifies the records that the endpoints received, and their keys.

use std::collections::HashMap;

use testkit::records::StoredRecord;
use testkit::user::User;

use super::evidence::{Evidence, Received};
use super::expected::{self, Expected, expected, route_of};
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let mut key_of: HashMap<&[u8], &str> = HashMap::new();
    let mut datum_of: HashMap<&str, &[u8]> = HashMap::new();
    let stored: HashMap<Vec<u8>, &StoredRecord> = evidence
        .topic
        .iter()
        .map(|record| (expected::datum(record), record))
        .collect();
    for description in &evidence.accepted_invalid {
        verdict.unvalidated.add(description.clone());
    }
    for received in &evidence.received {
        if let Some(form) = received.form {
            *verdict.forms.entry(form.name()).or_default() += 1;
        }
        let datum = received.datum.as_slice();
        let record = stored.get(datum).copied();
        if record.is_none() {
            verdict.not_in_topic.add(format!(
                "{} received the record of {}",
                received.route, received.key
            ));
        }
        if let Some(fault) = validity_fault(received, record) {
            verdict
                .unvalidated
                .add(format!("{} received {fault}", received.route));
        }
        if let (Some(place), Some(record)) = (received.place, record)
            && place != (record.partition, record.offset)
        {
            let (partition, offset) = (record.partition, record.offset);
            verdict.coordinates.add(format!(
                "{} received the record at {partition}@{offset} as that at {}@{}",
                received.route, place.0, place.1
            ));
        }
        let given = record.and_then(|record| record.header("idempotency-key"));
        if given.is_some_and(|given| given != received.key) {
            verdict.key_conflicts.add(format!(
                "{} is not the key that the caller gave",
                received.key
            ));
        }
        let known = *key_of.entry(datum).or_insert(&received.key);
        if known != received.key {
            verdict.key_conflicts.add(format!(
                "one record with the keys {known} and {}",
                received.key
            ));
        }
        let known = *datum_of.entry(&received.key).or_insert(datum);
        if known != datum || received.key.is_empty() {
            verdict
                .key_conflicts
                .add(format!("two records with the key {:?}", received.key));
        }
    }
}

fn validity_fault(received: &Received, record: Option<&StoredRecord>) -> Option<String> {
    let Some(user) = User::decode(&received.datum) else {
        let length = received.datum.len();
        return Some(format!("{length} bytes that are not a valid datum"));
    };
    if route_of(&user) != Some(received.route) {
        return Some(format!("the record of id {}", user.id));
    }
    if record.is_some_and(|record| expected(record) == Expected::UnknownSchema) {
        return Some(format!("{} of an unknown schema", user.name));
    }
    if !received.names_schema {
        return Some(format!("{} without the schema of the job", user.name));
    }
    None
}
