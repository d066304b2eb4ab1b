//! Verifies the records that the endpoints received, and their keys.

use std::collections::{HashMap, HashSet};

use testkit::user::User;

use super::evidence::Evidence;
use super::expected::route_of;
use super::verdict::Verdict;

pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
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
