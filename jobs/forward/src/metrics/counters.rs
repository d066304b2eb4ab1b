//! The sums of the reports since the start of the process. Pure.

use std::collections::BTreeMap;

use super::definitions::{ALL_DEAD_LETTERS, ALL_RECORDS, RUNS, Sample};
use super::report;
use crate::dead_letter::Cause;
use crate::exit::RunOutcome;
use crate::report::{RunReport, Totals};

/// The sums of the reports since the start of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Counters {
    runs: BTreeMap<u8, u64>,
    records: BTreeMap<&'static str, u64>,
    dead_letters: BTreeMap<String, u64>,
}

impl Default for Counters {
    /// All exit codes, outcomes and causes with 0: Prometheus' `increase` ignores the first value of a series.
    fn default() -> Self {
        let codes = RunOutcome::ALL.iter();
        let outcomes = report::outcomes(&Totals::default());
        let causes = Cause::ALL.iter();
        Self {
            runs: codes.map(|outcome| (outcome.code(), 0)).collect(),
            records: outcomes.iter().map(|(outcome, _)| (*outcome, 0)).collect(),
            dead_letters: causes.map(|cause| (cause.name().to_owned(), 0)).collect(),
        }
    }
}

impl Counters {
    /// Adds a run.
    pub(super) fn add(&mut self, report: &RunReport) {
        *self.runs.entry(report.exit_code).or_default() += 1;
        for (outcome, count) in report::outcomes(&report.totals) {
            *self.records.entry(outcome).or_default() += count.unsigned_abs();
        }
        for (cause, count) in &report.dead_letters.causes {
            *self.dead_letters.entry(cause.clone()).or_default() += count;
        }
    }

    /// The metrics.
    pub(super) fn samples(&self) -> impl Iterator<Item = Sample> {
        let runs = self.runs.iter();
        let runs = runs.map(|(code, count)| RUNS.sample([&code.to_string()], *count as f64));
        let records = self.records.iter();
        let records = records.map(|(outcome, count)| ALL_RECORDS.sample([outcome], *count as f64));
        let letters = self.dead_letters.iter();
        let letters = letters.map(|(cause, count)| ALL_DEAD_LETTERS.sample([cause], *count as f64));
        runs.chain(records).chain(letters)
    }
}
