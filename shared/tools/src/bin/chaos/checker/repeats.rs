//! Verifies the number of repeated deliveries.

use std::collections::{BTreeMap, HashMap};

use super::evidence::{Evidence, Received};
use super::verdict::Verdict;

/// A repeated delivery is caused by the run that delivered the record before: it was interrupted before its commit, or
/// its response was cut short.
pub(super) fn check(evidence: &Evidence, verdict: &mut Verdict) {
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
        let allowed = evidence.runs.get(run).map_or(0, |run| run.allowed_repeats);
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
