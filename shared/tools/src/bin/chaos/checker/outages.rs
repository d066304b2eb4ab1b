//! Verifies the runs during which the schema registry did not answer: they end with 74 if they need a schema, and neither
//! deliver nor dead-letter a framed record.

use std::collections::{BTreeMap, HashSet};

use super::evidence::{Evidence, Outage};
use super::expected::{datum, split};
use super::verdict::Verdict;

/// The exit code of a run that could not read its records.
const SOURCE: i32 = 74;

/// The first framed offset of each partition that a run during the outage reads: it does not get past it.
pub(super) fn barriers(
    evidence: &Evidence,
    acknowledged: usize,
    outage: &Outage,
) -> BTreeMap<i32, i64> {
    let written: HashSet<(i32, i64)> = evidence
        .acknowledged
        .iter()
        .take(acknowledged)
        .copied()
        .collect();
    let mut barriers = BTreeMap::new();
    for record in &evidence.topic {
        let (partition, offset) = (record.partition, record.offset);
        let committed = outage
            .committed
            .get(&partition)
            .copied()
            .unwrap_or_default();
        if offset >= committed && split(record).is_some() && written.contains(&(partition, offset))
        {
            let first = barriers.entry(partition).or_insert(offset);
            *first = offset.min(*first);
        }
    }
    barriers
}

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let framed: Vec<_> = evidence
        .topic
        .iter()
        .filter(|record| split(record).is_some())
        .collect();
    let datums: HashSet<Vec<u8>> = framed.iter().map(|record| datum(record)).collect();
    let places: HashSet<(i32, i64)> = framed
        .iter()
        .map(|record| (record.partition, record.offset))
        .collect();
    for (index, run) in evidence.runs.iter().enumerate() {
        let Some(outage) = &run.outage else {
            continue;
        };
        let number = index + 1;
        let needs_schema = !barriers(evidence, run.acknowledged, outage).is_empty();
        if let Some(code) = outage.code
            && (code == SOURCE) != needs_schema
        {
            verdict.outages.add(format!(
                "run {number} ended with {code}; it needed a schema: {needs_schema}"
            ));
        }
        let mut received = evidence.received.iter().filter(|one| one.run == index);
        if let Some(one) = received.find(|one| datums.contains(&one.datum)) {
            verdict.outages.add(format!(
                "run {number} sent the framed record of {}",
                one.key
            ));
        }
        let mut letters = evidence.dead_letters.iter();
        let letter = letters.find(|letter| {
            outage.run.is_some() && letter.run == outage.run && places.contains(&letter.origin)
        });
        if let Some(letter) = letter {
            verdict.outages.add(format!(
                "run {number} wrote the framed record at {:?} to the dead-letter topic",
                letter.origin
            ));
        }
    }
}
