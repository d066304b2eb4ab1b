//! Verifies a replay of dead letters that was killed and repeated: the endpoints accepted exactly the records of the
//! selected letters that are valid, with the keys of their first deliveries, and a replay after its end sent nothing.

use std::collections::{HashMap, HashSet};

use testkit::records::StoredRecord;

use super::answers;
use super::dead_letter::DeadLetter;
use super::evidence::{Evidence, Received};
use super::expected::{Expected, datum, expected, route_of, user};
use super::requests;
use super::verdict::Verdict;

/// A replay of a selection to its end.
pub(crate) struct Replay {
    /// The command.
    pub(crate) name: String,
    /// The topic of the records, the selected letters, what all replays of the selection have sent, their answers, and the
    /// reports of the last two.
    pub(crate) evidence: Evidence,
    /// What the endpoints received before.
    pub(crate) earlier: Vec<Received>,
    /// The number of requests of the replay after the last one that had something to deliver.
    pub(crate) requests_again: usize,
    /// The dead-letter topic, or the commits of the job's group, have changed.
    pub(crate) has_written: bool,
}

/// Verifies a replay.
pub(crate) fn check_replay(replay: &Replay) -> Verdict {
    let mut verdict = Verdict::default();
    requests::check(&replay.evidence, &mut verdict);
    answers::check(&replay.evidence, &mut verdict);
    for fault in faults(replay, &mut verdict.replay_repeats) {
        verdict.replays.add(format!("{}: {fault}", replay.name));
    }
    verdict
}

/// The records that a replay has to deliver.
#[derive(Default)]
struct Wanted<'l> {
    /// By route and datum, the number of letters. A killed run may have written a letter twice.
    records: HashMap<(&'static str, Vec<u8>), usize>,
    /// The number of letters that no endpoint may receive.
    undeliverable: i64,
    /// Letters without a record.
    unknown: Vec<&'l DeadLetter>,
}

impl<'l> Wanted<'l> {
    fn of(evidence: &'l Evidence) -> Self {
        let records: HashMap<(i32, i64), &StoredRecord> = evidence
            .topic
            .iter()
            .map(|record| ((record.partition, record.offset), record))
            .collect();
        let mut wanted = Self::default();
        for letter in &evidence.dead_letters {
            let Some(record) = records.get(&letter.origin) else {
                wanted.unknown.push(letter);
                continue;
            };
            let route = match expected(record) {
                Expected::Undecodable | Expected::UnknownSchema => None,
                _ => user(record).and_then(|user| route_of(&user)),
            };
            match route {
                None => wanted.undeliverable += 1,
                Some(route) => {
                    *wanted.records.entry((route, datum(record))).or_default() += 1;
                }
            }
        }
        wanted
    }
}

fn faults(replay: &Replay, repeats: &mut usize) -> Vec<String> {
    let evidence = &replay.evidence;
    let wanted = Wanted::of(evidence);
    let unknown = wanted.unknown.iter();
    let mut faults: Vec<String> = unknown
        .map(|letter| format!("the letter at {:?} has no record", letter.place))
        .collect();
    let earlier: HashMap<&[u8], &str> = replay
        .earlier
        .iter()
        .map(|received| (received.datum.as_slice(), received.key.as_str()))
        .collect();
    let mut accepted = HashSet::new();
    let mut keys = HashSet::new();
    let (mut deliveries, mut cut_short) = (0, 0);
    for received in &evidence.received {
        let one = (received.route, received.datum.clone());
        if !wanted.records.contains_key(&one) {
            faults.push(format!("{} is not selected", received.key));
        }
        if earlier.get(received.datum.as_slice()) != Some(&received.key.as_str()) {
            faults.push(format!(
                "{} is not the key of the first delivery",
                received.key
            ));
        }
        if received.accepted {
            accepted.insert(one);
            keys.insert(received.key.as_str());
            deliveries += 1;
            cut_short += usize::from(received.cut_short);
        }
    }
    let missing = wanted.records.keys().filter(|one| !accepted.contains(*one));
    faults.extend(missing.map(|(route, datum)| {
        let key = earlier.get(datum.as_slice());
        format!("the record with the key {key:?} was not delivered to {route}")
    }));
    if keys.len() != wanted.records.len() {
        let (keys, records) = (keys.len(), wanted.records.len());
        faults.push(format!("{keys} distinct keys for {records} records"));
    }
    let letters: usize = wanted.records.values().sum();
    let runs: HashSet<usize> = evidence.received.iter().map(|one| one.run).collect();
    let runs = runs.iter().filter_map(|run| evidence.runs.get(*run));
    let allowed: usize = runs.map(|run| run.allowed_repeats).sum();
    *repeats = usize::saturating_sub(deliveries, letters);
    if deliveries > letters + allowed + cut_short {
        faults.push(format!(
            "{deliveries} deliveries of {letters} letters: {allowed} repeats are allowed"
        ));
    }
    faults.extend(faults_of_the_end(replay, wanted.undeliverable));
    faults
}

/// The last replay has left nothing but what no endpoint may receive, and the one after it has sent nothing.
fn faults_of_the_end(replay: &Replay, undeliverable: i64) -> Vec<String> {
    let mut faults = Vec::new();
    let count = replay.requests_again;
    if count > 0 {
        faults.push(format!("the replay after the end sent {count} requests"));
    }
    if replay.has_written {
        faults.push("it has changed the dead letters or the job's commits".to_owned());
    }
    let [last, again] = replay.evidence.reports.as_slice() else {
        faults.push("the last two replays have no report".to_owned());
        return faults;
    };
    for (name, wanted) in [("dead_lettered", undeliverable), ("deferred", 0)] {
        if last["totals"][name] != wanted {
            let found = &last["totals"][name];
            faults.push(format!("at the end {found} {name} instead of {wanted}"));
        }
    }
    for (name, wanted) in [
        ("delivered", 0),
        ("dead_lettered", undeliverable),
        ("deferred", 0),
    ] {
        if again["totals"][name] != wanted {
            let found = &again["totals"][name];
            faults.push(format!("after the end {found} {name} instead of {wanted}"));
        }
    }
    faults
}
