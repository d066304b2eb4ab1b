//! Verifies that each record of the topic has its expected outcome, and that all are committed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::evidence::Evidence;
use super::expected::{Expected, datum, expected, split};
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let accepted: HashSet<(&str, &[u8])> = evidence
        .received
        .iter()
        .filter(|received| received.accepted)
        .map(|received| (received.route, received.datum.as_slice()))
        .collect();
    let dead: HashSet<(i32, i64)> = evidence
        .dead_letters
        .iter()
        .map(|letter| letter.origin)
        .collect();
    let mut stored = BTreeSet::new();
    // For each partition: the offset that must be committed, and whether the record at that offset is deferred.
    let mut ends: BTreeMap<i32, (i64, bool)> = BTreeMap::new();
    for record in &evidence.topic {
        let position = (record.partition, record.offset);
        let place = format!("{}@{}", record.partition, record.offset);
        stored.insert(position);
        let end = ends.entry(record.partition).or_default();
        if !end.1 {
            end.0 = record.offset + 1;
        }
        let datum = datum(record);
        let expected = expected(record);
        if let Some((writer, _)) = split(record) {
            *verdict.framed.entry(writer.name()).or_default() += 1;
        }
        *verdict.records.entry(expected.name()).or_default() += 1;
        match expected {
            _ if dead.contains(&position) => {}
            Expected::Delivered(route) if !accepted.contains(&(route, datum.as_slice())) => {
                verdict
                    .lost
                    .add(format!("{place} was not delivered to {route}"));
            }
            Expected::NeverAccepted if !evidence.gives_up => {
                if !end.1 {
                    *end = (record.offset, true);
                }
            }
            Expected::Delivered(_) | Expected::Skipped => {}
            _ => verdict.lost.add(format!("{place} is not a dead letter")),
        }
    }
    for place in &evidence.acknowledged {
        if !stored.contains(place) {
            verdict.lost.add(format!(
                "{place:?} was acknowledged but is not in the topic"
            ));
        }
    }
    for (partition, (end, is_deferred)) in ends {
        let committed = evidence.committed.get(&partition).copied();
        // The commit of a deferred record at the start of a partition may be missing.
        let committed = committed.or((is_deferred && end == 0).then_some(0));
        if committed.is_none_or(|offset| offset < end) {
            verdict
                .uncommitted
                .add(format!("partition {partition}: {committed:?} of {end}"));
        }
        if is_deferred && committed.is_some_and(|offset| offset > end) {
            verdict.lost.add(format!(
                "the commit of partition {partition} passes the deferred record at {end}"
            ));
        }
    }
}
