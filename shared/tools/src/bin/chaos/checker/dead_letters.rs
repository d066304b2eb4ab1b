//! Verifies that each dead letter is a record of the topic and has a cause.

use std::collections::{HashMap, HashSet};

use super::evidence::Evidence;
use super::expected::{Expected, expected};
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let mut known: HashMap<&[u8], Option<&[u8]>> = HashMap::new();
    for record in &evidence.topic {
        if let Some(value) = record.value.as_deref() {
            known.insert(value, record.key.as_deref());
        }
    }
    let rejected: HashSet<&[u8]> = evidence
        .received
        .iter()
        .filter(|received| received.rejected)
        .map(|received| received.datum.as_slice())
        .collect();
    for letter in &evidence.dead_letters {
        let place = format!("{}@{}", letter.partition, letter.offset);
        let Some(value) = letter.value.as_deref() else {
            verdict.dead_letters.add(format!("{place} has no value"));
            continue;
        };
        match known.get(value) {
            None => verdict
                .dead_letters
                .add(format!("{place} is not a record of the topic")),
            Some(key) if *key != letter.key.as_deref() => {
                verdict
                    .dead_letters
                    .add(format!("the key of {place} differs from its record's"));
            }
            Some(_) => match expected(Some(value)) {
                Expected::Skipped => verdict
                    .dead_letters
                    .add(format!("{place} matches no route")),
                Expected::Delivered(_) if !rejected.contains(value) => {
                    verdict
                        .dead_letters
                        .add(format!("no endpoint rejected {place}"));
                }
                _ => {}
            },
        }
    }
}
