//! Verifies that no route and no partition of a route is without progress in two consecutive runs, while it has records
//! and its endpoint answers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use testkit::records::StoredRecord;

use super::evidence::Evidence;
use super::expected::{Expected, datum, expected, route_of, user};
use super::outages;
use super::verdict::Verdict;

/// The records of a route, or of one partition of a route.
#[derive(Default)]
struct Group {
    records: Vec<GroupRecord>,
    /// The runs that delivered any record. A run also delivers again what a killed run has delivered and not committed.
    delivering_runs: BTreeSet<usize>,
    /// The index of the first record that is never accepted. With an order the records behind it wait, and a batch that
    /// holds it is divided, which may take longer than a run.
    never_accepted: Option<usize>,
}

struct GroupRecord {
    /// Its index among all acknowledged records.
    written: usize,
    /// Its partition and offset.
    place: (i32, i64),
    /// The run that delivered it first.
    delivered: Option<usize>,
}

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
    let barriers: Vec<Option<BTreeMap<i32, i64>>> = evidence
        .runs
        .iter()
        .map(|run| {
            Some(outages::barriers(
                evidence,
                run.acknowledged,
                run.outage.as_ref()?,
            ))
        })
        .collect();
    for ((route, partition), group) in groups(evidence) {
        let mut without_progress = 0;
        for (index, (run, barriers)) in evidence.runs.iter().zip(&barriers).enumerate() {
            let is_left = |record: &&GroupRecord| {
                let (partition, offset) = record.place;
                // Without the registry a partition waits at its first framed record.
                let barrier = barriers
                    .as_ref()
                    .and_then(|barriers| barriers.get(&partition));
                record.written < run.acknowledged
                    && record.delivered.is_none_or(|run| run >= index)
                    && barrier.is_none_or(|barrier| offset < *barrier)
            };
            let left = group.records.iter().filter(is_left).count();
            let is_delayed =
                !run.independent && group.never_accepted.is_some_and(|at| at < run.acknowledged);
            if !run.fair_routes.contains(&route) || is_delayed || left == 0 {
                without_progress = 0;
                continue;
            }
            verdict.fairness_checks += 1;
            verdict.outage_checks += usize::from(run.outage.is_some());
            without_progress += 1;
            if group.delivering_runs.contains(&index) {
                without_progress = 0;
            }
            if without_progress == 2 {
                let of = partition.map_or(String::new(), |id| format!(", partition {id}"));
                verdict.starved.add(format!(
                    "route {route}{of}: no progress in the runs {index} and {}, {left} records left",
                    index + 1
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
        let route = match expected(record) {
            Expected::Delivered(route) => Some(route),
            Expected::NeverAccepted => user(record).as_ref().and_then(route_of),
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
            let runs = delivering_runs.get(datum(record).as_slice());
            group.records.push(GroupRecord {
                written: index,
                place: *place,
                delivered: runs.and_then(|runs| runs.first().copied()),
            });
            group.delivering_runs.extend(runs.into_iter().flatten());
        }
    }
    groups
}
