//! Verifies that each record of the topic has its expected outcome, and that all are committed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::evidence::Evidence;
use super::expected::{Expected, expected};
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let accepted: HashSet<(&str, &[u8])> = evidence
        .received
        .iter()
        .filter(|received| received.accepted)
        .map(|received| (received.route, received.datum.as_slice()))
        .collect();
    let dead: HashSet<&[u8]> = evidence
        .dead_letters
        .iter()
        .filter_map(|letter| letter.value.as_deref())
        .collect();
    let mut stored = BTreeSet::new();
    let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
    for record in &evidence.topic {
        let place = format!("{}@{}", record.partition, record.offset);
        stored.insert((record.partition, record.offset));
        ends.insert(record.partition, record.offset + 1);
        let value = record.value.as_deref();
        let expected = expected(value);
        *verdict.records.entry(expected.name()).or_default() += 1;
        let value = value.unwrap_or_default();
        match expected {
            Expected::Delivered(route)
                if !accepted.contains(&(route, value)) && !dead.contains(value) =>
            {
                verdict
                    .lost
                    .add(format!("{place} was not delivered to {route}"));
            }
            Expected::Rejected | Expected::Invalid if !dead.contains(value) => {
                verdict.lost.add(format!("{place} is not a dead letter"));
            }
            _ => {}
        }
    }
    for place in &evidence.acknowledged {
        if !stored.contains(place) {
            verdict.lost.add(format!(
                "{place:?} was acknowledged but is not in the topic"
            ));
        }
    }
    for (partition, end) in ends {
        let committed = evidence.committed.get(&partition).copied();
        if committed.is_none_or(|offset| offset < end) {
            verdict
                .uncommitted
                .add(format!("partition {partition}: {committed:?} of {end}"));
        }
    }
}
