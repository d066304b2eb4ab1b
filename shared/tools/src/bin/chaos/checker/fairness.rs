//! Verifies that no route and no partition of a route is without progress in two consecutive runs, while it has records
//! and its endpoint answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use testkit::records::StoredRecord;
use testkit::user::User;

use super::evidence::Evidence;
use super::expected::{Expected, expected, route_of};
use super::verdict::Verdict;

/// The records of a route, or of one partition of a route.
#[derive(Default)]
struct Group {
    /// For each record, in order: its index among all acknowledged records.
    written: Vec<usize>,
    /// For each delivered record, sorted: the run that delivered it first.
    delivered: Vec<usize>,
    /// The runs that delivered any record. A run also delivers again what a killed run has delivered and not committed.
    delivering_runs: BTreeSet<usize>,
    /// The index of the first record that is never accepted. With an order the records behind it wait, and a batch that
    /// holds it is divided, which may take longer than a run.
    never_accepted: Option<usize>,
}

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    for ((route, partition), group) in groups(evidence) {
        let mut without_progress = 0;
        for (index, run) in evidence.runs.iter().enumerate() {
            let written = group.written.partition_point(|at| *at < run.acknowledged);
            let delivered = group.delivered.partition_point(|at| *at < index);
            let is_delayed =
                !run.independent && group.never_accepted.is_some_and(|at| at < run.acknowledged);
            if !run.fair_routes.contains(&route) || is_delayed || written <= delivered {
                without_progress = 0;
                continue;
            }
            verdict.fairness_checks += 1;
            without_progress += 1;
            if group.delivering_runs.contains(&index) {
                without_progress = 0;
            }
            if without_progress == 2 {
                let of = partition.map_or(String::new(), |id| format!(", partition {id}"));
                verdict.starved.add(format!(
                    "route {route}{of}: no progress in the runs {index} and {}, {} records left",
                    index + 1,
                    written - delivered
                ));
                without_progress = 0;
            }
        }
    }
}

/// By route, and by route and partition. Dead letters are left out: the run that wrote them is not known.
fn groups(evidence: &Evidence) -> BTreeMap<(&'static str, Option<i32>), Group> {
    let records: HashMap<(i32, i64), &StoredRecord> = evidence
        .topic
        .iter()
        .map(|record| ((record.partition, record.offset), record))
        .collect();
    let dead: HashSet<(i32, i64)> = evidence
        .dead_letters
        .iter()
        .map(|letter| letter.origin)
        .collect();
    let mut delivering_runs: HashMap<&[u8], BTreeSet<usize>> = HashMap::new();
    for received in evidence.received.iter().filter(|one| one.accepted) {
        let runs = delivering_runs.entry(&received.datum).or_default();
        runs.insert(received.run);
    }
    let mut groups: BTreeMap<(&'static str, Option<i32>), Group> = BTreeMap::new();
    for (index, place) in evidence.acknowledged.iter().enumerate() {
        let Some(record) = records.get(place) else {
            continue;
        };
        let value = record.value.as_deref().unwrap_or_default();
        let route = match expected(record) {
            Expected::Delivered(route) => Some(route),
            Expected::NeverAccepted => User::decode(value).as_ref().and_then(route_of),
            _ => None,
        };
        let Some(route) = route else {
            continue;
        };
        for partition in [None, Some(record.partition)] {
            let group = groups.entry((route, partition)).or_default();
            // In the end it is a dead letter, and until then it delays the records behind it.
            if expected(record) == Expected::NeverAccepted {
                group.never_accepted.get_or_insert(index);
                continue;
            }
            if dead.contains(place) {
                continue;
            }
            group.written.push(index);
            if let Some(runs) = delivering_runs.get(value) {
                group.delivered.extend(runs.first());
                group.delivering_runs.extend(runs);
            }
        }
    }
    for group in groups.values_mut() {
        group.delivered.sort_unstable();
    }
    groups
}
