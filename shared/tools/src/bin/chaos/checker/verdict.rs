//! The violations of each promise.

use std::collections::BTreeMap;

use serde::Serialize;

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
    pub(super) fn add(&mut self, description: String) {
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
