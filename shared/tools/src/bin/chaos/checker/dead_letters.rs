//! Verifies that each dead letter is a record of the topic, unchanged, and has the right cause.

use std::collections::{HashMap, HashSet};

use testkit::records::StoredRecord;

use super::dead_letter::DeadLetter;
use super::evidence::Evidence;
use super::expected::{Expected, datum, expected};
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let records: HashMap<(i32, i64), &StoredRecord> = evidence
        .topic
        .iter()
        .map(|record| ((record.partition, record.offset), record))
        .collect();
    let rejected: HashSet<&[u8]> = evidence
        .received
        .iter()
        .filter(|received| received.rejected)
        .map(|received| received.datum.as_slice())
        .collect();
    for letter in &evidence.dead_letters {
        let fault = match records.get(&letter.origin) {
            None => Some("is not a record of the topic".to_owned()),
            Some(record) => fault(letter, record, &rejected),
        };
        if let Some(fault) = fault {
            let (partition, offset) = letter.place;
            verdict
                .dead_letters
                .add(format!("{partition}@{offset} {fault}"));
        }
    }
}

fn fault(letter: &DeadLetter, record: &StoredRecord, rejected: &HashSet<&[u8]>) -> Option<String> {
    if letter.value != record.value {
        return Some("differs from its record".to_owned());
    }
    if letter.key != record.key {
        return Some("does not have the key of its record".to_owned());
    }
    if !letter.headers.starts_with(&record.headers) {
        return Some("does not have the headers of its record".to_owned());
    }
    let expected = expected(record);
    let Some(cause) = expected.cause() else {
        return Some("matches no route".to_owned());
    };
    if letter.cause != cause {
        return Some(format!("has the cause {} and not {cause}", letter.cause));
    }
    if matches!(expected, Expected::Delivered(_)) && !rejected.contains(datum(record).as_slice()) {
        return Some("was rejected by no endpoint".to_owned());
    }
    None
}
