//! Verifies the product's promises without the product's code: compares the topic with the records that the endpoints
//! received, with the dead-letter topic and with the run reports.
//!
//! The expected outcome follows from a record's value: id 1010 goes to A, 1020 to B, and every other id is skipped; the
//! endpoint rejects a record whose name begins with `rejected`; a value that is not a valid datum becomes a dead letter.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;
use testkit::records::StoredRecord;
use testkit::run_report;
use testkit::user::User;

/// One record in a request to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The name of the endpoint's route.
    pub(crate) route: &'static str,
    /// The received datum.
    pub(crate) datum: Vec<u8>,
    /// The record's idempotency key.
    pub(crate) key: String,
    /// The index of the run that sent it, from 0.
    pub(crate) run: usize,
    /// The endpoint sent the head of a 2xx response.
    pub(crate) accepted: bool,
    /// The endpoint rejected this record (400, 413, 422), so it may become a dead letter.
    pub(crate) rejected: bool,
    /// The response was incomplete, so the job does not know that the record was accepted.
    pub(crate) cut_short: bool,
}

/// The data that the checker compares.
pub(crate) struct Evidence {
    /// All records of the topic.
    pub(crate) topic: Vec<StoredRecord>,
    /// Partition and offset of each acknowledged record.
    pub(crate) acknowledged: Vec<(i32, i64)>,
    /// All records of the dead-letter topic.
    pub(crate) dead_letters: Vec<StoredRecord>,
    /// All records of all requests to both endpoints.
    pub(crate) received: Vec<Received>,
    /// The reports of all runs that wrote one.
    pub(crate) reports: Vec<Value>,
    /// The group's last committed offsets.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// For each run, how many of its delivered records a later run may deliver again: the maximum in flight if the run was
    /// interrupted, otherwise 0.
    pub(crate) allowed_repeats: Vec<usize>,
}

/// The violations of each promise.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// The number of records in the topic, by expected outcome.
    pub(crate) records: BTreeMap<&'static str, usize>,
    /// Matched records that were neither delivered nor dead-lettered, invalid records that were not dead-lettered, and
    /// acknowledged records that are not in the topic.
    pub(crate) lost: Violations,
    /// Received records that are not valid, or belong to the other endpoint.
    pub(crate) unvalidated: Violations,
    /// Received records that are not in the topic, such as records of aborted transactions.
    pub(crate) not_in_topic: Violations,
    /// Records that were received with two keys, and keys that were received with two records.
    pub(crate) key_conflicts: Violations,
    /// Reports that do not balance.
    pub(crate) unbalanced: Violations,
    /// Dead letters that are not in the topic byte for byte, that match no route, or that no endpoint rejected.
    pub(crate) dead_letters: Violations,
    /// Partitions whose committed offset is not the end offset.
    pub(crate) uncommitted: Violations,
    /// Repeated deliveries.
    pub(crate) repeats: usize,
    /// Repeated deliveries after a response that was cut short.
    pub(crate) repeats_after_cut_response: usize,
    /// The highest number of other repeated deliveries that one run caused.
    pub(crate) max_repeats: usize,
    /// Runs that caused more repeated deliveries than allowed.
    pub(crate) excess_repeats: Violations,
}

/// Violations of one promise.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Violations {
    /// Their number.
    pub(crate) count: usize,
    /// The first five.
    pub(crate) first: Vec<String>,
}

impl Violations {
    fn add(&mut self, description: String) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(description);
        }
    }
}

impl Verdict {
    /// Whether every promise was kept.
    pub(crate) fn is_pass(&self) -> bool {
        let none = |violations: &Violations| violations.count == 0;
        none(&self.lost)
            && none(&self.unvalidated)
            && none(&self.key_conflicts)
            && none(&self.unbalanced)
            && none(&self.dead_letters)
            && none(&self.uncommitted)
            && none(&self.not_in_topic)
            && none(&self.excess_repeats)
    }
}

/// The expected outcome of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Delivered(&'static str),
    Rejected,
    Invalid,
    Skipped,
}

impl Expected {
    fn name(self) -> &'static str {
        match self {
            Self::Delivered("A") => "for A",
            Self::Delivered(_) => "for B",
            Self::Rejected => "rejected by the endpoint",
            Self::Invalid => "invalid",
            Self::Skipped => "without a route",
        }
    }
}

fn route_of(user: &User) -> Option<&'static str> {
    match user.id {
        1010 => Some("A"),
        1020 => Some("B"),
        _ => None,
    }
}

fn expected(value: Option<&[u8]>) -> Expected {
    let Some(value) = value else {
        return Expected::Skipped;
    };
    let Some(user) = User::decode(value) else {
        return Expected::Invalid;
    };
    match route_of(&user) {
        Some(_) if user.name.starts_with("rejected") => Expected::Rejected,
        Some(route) => Expected::Delivered(route),
        None => Expected::Skipped,
    }
}

/// Verifies all promises.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    check_topic(evidence, &mut verdict);
    check_requests(evidence, &mut verdict);
    check_repeats(evidence, &mut verdict);
    check_dead_letters(evidence, &mut verdict);
    for report in &evidence.reports {
        if let Err(reason) = run_report::check_balance(report) {
            verdict
                .unbalanced
                .add(format!("{reason}: {}", report["run"]));
        }
    }
    verdict
}

fn check_topic(evidence: &Evidence, verdict: &mut Verdict) {
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

fn check_requests(evidence: &Evidence, verdict: &mut Verdict) {
    let mut key_of: HashMap<&[u8], &str> = HashMap::new();
    let mut datum_of: HashMap<&str, &[u8]> = HashMap::new();
    let stored: HashSet<&[u8]> = evidence
        .topic
        .iter()
        .filter_map(|record| record.value.as_deref())
        .collect();
    for received in &evidence.received {
        let datum = received.datum.as_slice();
        if !stored.contains(datum) {
            verdict.not_in_topic.add(format!(
                "{} received the record of {}",
                received.route, received.key
            ));
        }
        match User::decode(datum) {
            Some(user) if route_of(&user) == Some(received.route) => {}
            Some(user) => verdict.unvalidated.add(format!(
                "{} received the record of id {}",
                received.route, user.id
            )),
            None => verdict.unvalidated.add(format!(
                "{} received {} bytes that are not a valid datum",
                received.route,
                datum.len()
            )),
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

/// A repeated delivery is caused by the run that delivered the record before: it was interrupted before its commit, or
/// its response was cut short.
fn check_repeats(evidence: &Evidence, verdict: &mut Verdict) {
    let mut last: HashMap<&[u8], &Received> = HashMap::new();
    let mut caused_by: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for received in evidence
        .received
        .iter()
        .filter(|received| received.accepted)
    {
        let Some(earlier) = last.insert(&received.datum, received) else {
            continue;
        };
        verdict.repeats += 1;
        if earlier.cut_short {
            verdict.repeats_after_cut_response += 1;
        } else {
            caused_by
                .entry(earlier.run)
                .or_default()
                .push(&received.key);
        }
    }
    for (run, keys) in caused_by {
        let allowed = evidence.allowed_repeats.get(run).copied().unwrap_or(0);
        verdict.max_repeats = verdict.max_repeats.max(keys.len());
        if keys.len() > allowed {
            verdict.excess_repeats.add(format!(
                "run {}: {} records were repeated, {allowed} are allowed; first: {}",
                run + 1,
                keys.len(),
                keys[0]
            ));
        }
    }
}

fn check_dead_letters(evidence: &Evidence, verdict: &mut Verdict) {
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

#[cfg(test)]
mod tests;
