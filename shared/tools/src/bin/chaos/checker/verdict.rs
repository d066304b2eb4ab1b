//! The violations of each promise.

use std::collections::BTreeMap;

use serde::Serialize;

/// The violations of each promise.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Verdict {
    /// The number of records in the topic, by expected outcome.
    pub(crate) records: BTreeMap<&'static str, usize>,
    /// The number of framed records, by the schema that they name.
    pub(crate) framed: BTreeMap<&'static str, usize>,
    /// The number of received records, by the form of the body.
    pub(crate) forms: BTreeMap<&'static str, usize>,
    /// Matched records that were neither delivered nor dead-lettered, invalid records that were not dead-lettered, and
    /// acknowledged records that are not in the topic.
    pub(crate) lost: Violations,
    /// Received records that are not valid, or belong to the other endpoint.
    pub(crate) unvalidated: Violations,
    /// Received records that are not in the topic, such as records of aborted transactions.
    pub(crate) not_in_topic: Violations,
    /// Records that were received with two keys, and keys that were received with two records.
    pub(crate) key_conflicts: Violations,
    /// Records that were received with the coordinates of another one.
    pub(crate) coordinates: Violations,
    /// Reports that do not balance.
    pub(crate) unbalanced: Violations,
    /// Dead letters that are not in the topic byte for byte, that match no route, or that no endpoint rejected.
    pub(crate) dead_letters: Violations,
    /// Committed records of the route that keeps answers that have none.
    pub(crate) missing_answers: Violations,
    /// Answers that do not belong to their record.
    pub(crate) wrong_answers: Violations,
    /// The number of answers.
    pub(crate) answers: usize,
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
    /// Routes, and partitions of a route, without progress in two consecutive runs.
    pub(crate) starved: Violations,
    /// How many times the progress of a route, or of a partition of a route, was checked.
    pub(crate) fairness_checks: usize,
    /// How many of them while the schema registry did not answer.
    pub(crate) outage_checks: usize,
    /// Runs that sent or dead-lettered framed records, or ended with another exit code, while the schema registry did not
    /// answer.
    pub(crate) outages: Violations,
    /// Outputs that contain a secret.
    pub(crate) leaked: Violations,
    /// Failures to reach Kafka although all brokers were running.
    pub(crate) unavailable: Violations,
    /// Deleted topics that a run did not report.
    pub(crate) unreported_loss: Violations,
    /// Replays of dead letters that sent something else than the records of the selected letters.
    pub(crate) replays: Violations,
    /// Repeated deliveries in replays.
    pub(crate) replay_repeats: usize,
    /// Conditions that did not occur: their promises were not checked.
    pub(crate) absent: Violations,
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
    pub(crate) fn add(&mut self, description: String) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(description);
        }
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.first.extend(other.first);
        self.first.truncate(5);
    }
}

impl Verdict {
    /// Each promise with its violations.
    pub(crate) fn promises(&self) -> [(&'static str, &Violations); 18] {
        [
            ("lost", &self.lost),
            ("forwarded without validation", &self.unvalidated),
            ("forwarded though aborted", &self.not_in_topic),
            ("changed keys", &self.key_conflicts),
            ("wrong coordinates", &self.coordinates),
            ("unbalanced reports", &self.unbalanced),
            ("dead letters without cause", &self.dead_letters),
            ("committed without an answer", &self.missing_answers),
            ("wrong answers", &self.wrong_answers),
            ("partitions not committed", &self.uncommitted),
            ("runs with too many repeats", &self.excess_repeats),
            ("starved", &self.starved),
            ("wrong without the registry", &self.outages),
            ("leaked secrets", &self.leaked),
            ("unavailable with all brokers up", &self.unavailable),
            ("data loss not reported", &self.unreported_loss),
            ("wrong replays of dead letters", &self.replays),
            ("conditions that did not occur", &self.absent),
        ]
    }

    /// Whether every promise was kept.
    pub(crate) fn is_pass(&self) -> bool {
        let promises = self.promises();
        promises.iter().all(|(_, violations)| violations.count == 0)
    }

    /// Adds the verdict on other evidence.
    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, count) in other.records {
            *self.records.entry(kind).or_default() += count;
        }
        for (writer, count) in other.framed {
            *self.framed.entry(writer).or_default() += count;
        }
        for (form, count) in other.forms {
            *self.forms.entry(form).or_default() += count;
        }
        self.repeats += other.repeats;
        self.repeats_after_cut_response += other.repeats_after_cut_response;
        self.max_repeats = self.max_repeats.max(other.max_repeats);
        self.fairness_checks += other.fairness_checks;
        self.outage_checks += other.outage_checks;
        self.lost.merge(other.lost);
        self.unvalidated.merge(other.unvalidated);
        self.not_in_topic.merge(other.not_in_topic);
        self.key_conflicts.merge(other.key_conflicts);
        self.coordinates.merge(other.coordinates);
        self.unbalanced.merge(other.unbalanced);
        self.dead_letters.merge(other.dead_letters);
        self.missing_answers.merge(other.missing_answers);
        self.wrong_answers.merge(other.wrong_answers);
        self.answers += other.answers;
        self.uncommitted.merge(other.uncommitted);
        self.excess_repeats.merge(other.excess_repeats);
        self.starved.merge(other.starved);
        self.outages.merge(other.outages);
        self.leaked.merge(other.leaked);
        self.unavailable.merge(other.unavailable);
        self.unreported_loss.merge(other.unreported_loss);
        self.replay_repeats += other.replay_repeats;
        self.replays.merge(other.replays);
        self.absent.merge(other.absent);
    }
}
