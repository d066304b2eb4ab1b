//! The independent checker: what the topic holds against what the endpoints took, what the dead-letter topic holds
//! and what the reports say. It knows the product's promises and none of its code.
//!
//! What must become of a record is read off its bytes: id 1010 belongs to A, 1020 to B, anything else to nobody;
//! a name that begins with `refused` is refused by its endpoint for good; bytes that are no datum are dead letters.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;
use testkit::records::Stored;
use testkit::user::User;

/// One record in a request that an endpoint received, batches taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The endpoint's name.
    pub(crate) route: &'static str,
    /// The datum as it arrived.
    pub(crate) datum: Vec<u8>,
    /// The record's idempotency key.
    pub(crate) key: String,
    /// Which window sent it, from 0.
    pub(crate) window: usize,
    /// The endpoint answered 2xx, at least the head of it.
    pub(crate) taken: bool,
    /// The endpoint spoke about this record when it refused (400, 413, 422): it may become a dead letter.
    pub(crate) refused: bool,
    /// The answer did not arrive whole: the client cannot know that it was taken.
    pub(crate) cut_short: bool,
}

/// Everything that is to agree.
pub(crate) struct Evidence {
    /// The topic from end to end.
    pub(crate) topic: Vec<Stored>,
    /// Where the broker acknowledged a record.
    pub(crate) acknowledged: Vec<(i32, i64)>,
    /// The dead-letter topic from end to end.
    pub(crate) dead_letters: Vec<Stored>,
    /// Every record of every request at both endpoints.
    pub(crate) received: Vec<Received>,
    /// Every report that a run wrote.
    pub(crate) reports: Vec<Value>,
    /// The group's committed offsets at the end.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// For each window, how many of the records that it delivered may come again later: what could be in flight when
    /// it was cut off; 0 if it came to its own end.
    pub(crate) repeats_allowed: Vec<usize>,
}

/// What the checker found; each list names the first few offenders.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// Records in the topic, by what they are.
    pub(crate) records: BTreeMap<&'static str, usize>,
    /// Matched records that were neither delivered nor dead-lettered, unreadable ones that were not dead-lettered,
    /// acknowledged ones that the topic does not hold.
    pub(crate) lost: Findings,
    /// Bodies at an endpoint that are no datum, or not that endpoint's.
    pub(crate) undecoded: Findings,
    /// Records at an endpoint that the topic does not hold: those of aborted transactions.
    pub(crate) unheld: Findings,
    /// Records that came with two keys, and keys that came with two records.
    pub(crate) keys: Findings,
    /// Reports that do not add up.
    pub(crate) unbalanced: Findings,
    /// Dead letters that are not a record of the topic, byte for byte, whose record was owed to nobody, or that no
    /// endpoint had refused.
    pub(crate) dead_letters: Findings,
    /// Partitions whose committed offset is not their end.
    pub(crate) uncommitted: Findings,
    /// Deliveries beyond the first of each record.
    pub(crate) repeats: usize,
    /// Of these, those whose first answer was cut short by the endpoint.
    pub(crate) repeats_by_cut: usize,
    /// The most that are owed to one window, besides those.
    pub(crate) repeats_most: usize,
    /// Windows that are the cause of more than they may be: of a kill, more than was in flight; else of any.
    pub(crate) repeated: Findings,
}

/// How many, and the first few by name.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    /// How many.
    pub(crate) count: usize,
    /// At most five of them.
    pub(crate) first: Vec<String>,
}

impl Findings {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(what);
        }
    }
}

impl Verdict {
    /// True when every promise was kept.
    pub(crate) fn holds(&self) -> bool {
        let none = |findings: &Findings| findings.count == 0;
        none(&self.lost)
            && none(&self.undecoded)
            && none(&self.keys)
            && none(&self.unbalanced)
            && none(&self.dead_letters)
            && none(&self.uncommitted)
            && none(&self.unheld)
            && none(&self.repeated)
    }
}

/// What a record is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    To(&'static str),
    Refused(&'static str),
    DeadLetter,
    Nothing,
}

impl Owed {
    fn name(self) -> &'static str {
        match self {
            Self::To("A") => "for A",
            Self::To(_) => "for B",
            Self::Refused(_) => "refused",
            Self::DeadLetter => "dead_letter_threshold",
            Self::Nothing => "for nobody",
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

fn owed(value: Option<&[u8]>) -> Owed {
    let Some(value) = value else {
        return Owed::Nothing;
    };
    let Some(user) = User::decode(value) else {
        return Owed::DeadLetter;
    };
    match route_of(&user) {
        Some(route) if user.name.starts_with("refused") => Owed::Refused(route),
        Some(route) => Owed::To(route),
        None => Owed::Nothing,
    }
}

/// Holds everything against everything.
pub(crate) fn check(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    topic_against_outcomes(evidence, &mut verdict);
    requests(evidence, &mut verdict);
    repeats(evidence, &mut verdict);
    dead_letters(evidence, &mut verdict);
    for report in &evidence.reports {
        if let Err(reason) = balance(report) {
            verdict
                .unbalanced
                .add(format!("{reason}: {}", report["run"]));
        }
    }
    verdict
}

fn topic_against_outcomes(evidence: &Evidence, verdict: &mut Verdict) {
    let taken: HashSet<(&str, &[u8])> = evidence
        .received
        .iter()
        .filter(|received| received.taken)
        .map(|received| (received.route, received.datum.as_slice()))
        .collect();
    let dead: HashSet<&[u8]> = evidence
        .dead_letters
        .iter()
        .filter_map(|letter| letter.value.as_deref())
        .collect();
    let mut held = BTreeSet::new();
    let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
    for record in &evidence.topic {
        let place = format!("{}@{}", record.partition, record.offset);
        held.insert((record.partition, record.offset));
        ends.insert(record.partition, record.offset + 1);
        let value = record.value.as_deref();
        let owed = owed(value);
        *verdict.records.entry(owed.name()).or_default() += 1;
        let value = value.unwrap_or_default();
        match owed {
            Owed::To(route) if !taken.contains(&(route, value)) && !dead.contains(value) => {
                verdict.lost.add(format!("{place} never reached {route}"));
            }
            Owed::Refused(_) | Owed::DeadLetter if !dead.contains(value) => {
                verdict.lost.add(format!("{place} is no dead letter"));
            }
            _ => {}
        }
    }
    for place in &evidence.acknowledged {
        if !held.contains(place) {
            verdict.lost.add(format!(
                "{place:?} was acknowledged and is not in the topic"
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

fn requests(evidence: &Evidence, verdict: &mut Verdict) {
    let mut key_of: HashMap<&[u8], &str> = HashMap::new();
    let mut datum_of: HashMap<&str, &[u8]> = HashMap::new();
    let held: HashSet<&[u8]> = evidence
        .topic
        .iter()
        .filter_map(|record| record.value.as_deref())
        .collect();
    for received in &evidence.received {
        let datum = received.datum.as_slice();
        if !held.contains(datum) {
            verdict.unheld.add(format!(
                "{} received the record of {}",
                received.route, received.key
            ));
        }
        match User::decode(datum) {
            Some(user) if route_of(&user) == Some(received.route) => {}
            Some(user) => verdict.undecoded.add(format!(
                "{} received the record of id {}",
                received.route, user.id
            )),
            None => verdict.undecoded.add(format!(
                "{} received {} bytes that are no datum",
                received.route,
                datum.len()
            )),
        }
        let known = *key_of.entry(datum).or_insert(&received.key);
        if known != received.key {
            verdict.keys.add(format!(
                "one record with the keys {known} and {}",
                received.key
            ));
        }
        let known = *datum_of.entry(&received.key).or_insert(datum);
        if known != datum || received.key.is_empty() {
            verdict
                .keys
                .add(format!("two records with the key {:?}", received.key));
        }
    }
}

/// Whoever delivered a record that comes again is the cause: a run that was cut off before its commit, or an answer
/// that was cut short.
fn repeats(evidence: &Evidence, verdict: &mut Verdict) {
    let mut last: HashMap<&[u8], &Received> = HashMap::new();
    let mut caused: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for received in evidence.received.iter().filter(|received| received.taken) {
        let Some(earlier) = last.insert(&received.datum, received) else {
            continue;
        };
        verdict.repeats += 1;
        if earlier.cut_short {
            verdict.repeats_by_cut += 1;
        } else {
            caused
                .entry(earlier.window)
                .or_default()
                .push(&received.key);
        }
    }
    for (window, keys) in caused {
        let allowed = evidence.repeats_allowed.get(window).copied().unwrap_or(0);
        verdict.repeats_most = verdict.repeats_most.max(keys.len());
        if keys.len() > allowed {
            verdict.repeated.add(format!(
                "window {}: {} records came again, {allowed} may; {}",
                window + 1,
                keys.len(),
                keys[0]
            ));
        }
    }
}

fn dead_letters(evidence: &Evidence, verdict: &mut Verdict) {
    let mut known: HashMap<&[u8], Option<&[u8]>> = HashMap::new();
    for record in &evidence.topic {
        if let Some(value) = record.value.as_deref() {
            known.insert(value, record.key.as_deref());
        }
    }
    let refused: HashSet<&[u8]> = evidence
        .received
        .iter()
        .filter(|received| received.refused)
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
                .add(format!("{place} is no record of the topic")),
            Some(key) if *key != letter.key.as_deref() => {
                verdict
                    .dead_letters
                    .add(format!("{place} has another key than its record"));
            }
            Some(_) => match owed(Some(value)) {
                Owed::Nothing => verdict
                    .dead_letters
                    .add(format!("{place} was owed to nobody")),
                Owed::To(_) if !refused.contains(value) => {
                    verdict
                        .dead_letters
                        .add(format!("{place} was refused by nobody"));
                }
                _ => {}
            },
        }
    }
}

/// planned = end − start = delivered + skipped + dead-lettered + already completed + left + empty_offsets, in every
/// partition; the totals are the partitions' sums; the report says itself that it balances.
fn balance(report: &Value) -> Result<(), String> {
    const PARTS: [&str; 6] = [
        "delivered",
        "skipped",
        "dead_lettered",
        "already_completed",
        "deferred",
        "empty_offsets",
    ];
    let number = |of: &Value, name: &str| of[name].as_i64().ok_or(format!("no number {name:?}"));
    let sum = |of: &Value| {
        PARTS
            .iter()
            .map(|part| number(of, part))
            .sum::<Result<i64, _>>()
    };
    let partitions = report["partitions"].as_array().ok_or("no partitions")?;
    for one in partitions {
        let planned = number(one, "planned")?;
        if planned != number(one, "end")? - number(one, "start")? || planned != sum(one)? {
            return Err(format!("partition {} does not balance", one["partition"]));
        }
    }
    for name in PARTS.iter().chain(&["planned"]) {
        let parts = partitions
            .iter()
            .map(|one| number(one, name))
            .sum::<Result<i64, _>>()?;
        if parts != number(&report["totals"], name)? {
            return Err(format!("the total of {name} is not the partitions' sum"));
        }
    }
    match report["balanced"].as_bool() {
        Some(true) => Ok(()),
        _ => Err("it says that it does not balance".to_owned()),
    }
}

#[cfg(test)]
mod tests;
