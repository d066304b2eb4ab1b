//! The reports of the last windows, in bounded memory. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use crate::exit::RunOutcome;
use crate::report::{RunReport, Totals};

/// The most reports that are kept, and the most bytes of their JSON; the newest one is kept whatever its size.
pub(super) const MAX_REPORTS: usize = 100;
const MAX_BYTES: usize = 16 << 20;

/// The windows that have ended.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The newest first.
    reports: VecDeque<Arc<KeptReport>>,
    /// The newest report.
    last: Option<Arc<RunReport>>,
    /// The newest report with partitions: a run that ended before it listed the offsets has none.
    last_listed: Option<Arc<RunReport>>,
    /// Windows since the start of the process.
    windows: u64,
    /// Dead letters by cause since the start of the process. The causes are those of the job, a short list.
    dead_letters: BTreeMap<String, u64>,
    has_read_topic: bool,
}

/// A report.
#[derive(Clone, Debug)]
pub(super) struct KeptReport {
    pub(super) run: String,
    pub(super) outcome: RunOutcome,
    pub(super) exit_code: u8,
    pub(super) ended: SystemTime,
    pub(super) seconds: f64,
    pub(super) totals: Totals,
    /// The sum over the partitions after the run; `None` if the run ended before it listed the offsets.
    pub(super) lag: Option<i64>,
    /// The report as it was printed, without a line break.
    pub(super) json: Bytes,
}

impl History {
    /// The history with this report as the newest.
    pub(super) fn with(&self, report: &RunReport, ended: SystemTime) -> Self {
        let lags = report.partitions.iter().map(|p| p.lag_after);
        let lag = lags.fold(0, i64::saturating_add);
        let kept = KeptReport {
            run: report.run.clone(),
            outcome: report.outcome,
            exit_code: report.exit_code,
            ended,
            seconds: report.seconds,
            totals: report.totals,
            lag: (!report.partitions.is_empty()).then_some(lag),
            json: report.json().into(),
        };
        let report = Arc::new(report.clone());
        let mut next = self.clone();
        next.windows += 1;
        next.has_read_topic |= has_read_topic(report.outcome);
        for (cause, count) in &report.dead_letters.causes {
            let sum = next.dead_letters.entry(cause.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        if !report.partitions.is_empty() {
            next.last_listed = Some(Arc::clone(&report));
        }
        next.last = Some(report);
        next.reports.push_front(Arc::new(kept));
        next.shrink();
        next
    }

    /// Drops the oldest reports beyond the bounds.
    fn shrink(&mut self) {
        self.reports.truncate(MAX_REPORTS);
        let mut bytes = 0;
        let fitting = self.reports.iter().take_while(|report| {
            bytes += report.json.len();
            bytes <= MAX_BYTES
        });
        let fitting = fitting.count().max(1);
        self.reports.truncate(fitting);
    }

    /// The kept reports, the newest first.
    pub(super) fn reports(
        &self,
    ) -> impl DoubleEndedIterator<Item = &KeptReport> + ExactSizeIterator {
        self.reports.iter().map(AsRef::as_ref)
    }

    /// The report of this run, if it is kept; without an id the newest one.
    pub(super) fn report(&self, run: Option<&str>) -> Option<&KeptReport> {
        match run {
            None => self.reports().next(),
            Some(run) => self.reports().find(|report| report.run == run),
        }
    }

    /// The newest report.
    pub(super) fn last(&self) -> Option<&RunReport> {
        self.last.as_deref()
    }

    /// The newest report with partitions.
    pub(super) fn last_listed(&self) -> Option<&RunReport> {
        self.last_listed.as_deref()
    }

    /// Windows since the start of the process.
    pub(super) fn windows(&self) -> u64 {
        self.windows
    }

    /// Dead letters by cause since the start of the process.
    pub(super) fn dead_letters(&self) -> &BTreeMap<String, u64> {
        &self.dead_letters
    }

    /// True if a window has ended whose run had access to the topic and to the group.
    pub(super) fn has_read_topic(&self) -> bool {
        self.has_read_topic
    }
}

/// False if the run ended because of the broker, another run, or something that an operator must correct.
fn has_read_topic(outcome: RunOutcome) -> bool {
    matches!(
        outcome,
        RunOutcome::Completed
            | RunOutcome::CompletedWithDeadLetters
            | RunOutcome::Partial
            | RunOutcome::MoreWork
            | RunOutcome::Endpoint
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn numbered(number: usize) -> RunReport {
        RunReport {
            run: format!("r{number}"),
            ..report()
        }
    }

    fn after(reports: impl IntoIterator<Item = RunReport>) -> History {
        let empty = History::default();
        let add = |history: History, report| history.with(&report, SystemTime::UNIX_EPOCH);
        reports.into_iter().fold(empty, add)
    }

    #[test]
    fn keeps_the_newest_reports_and_counts_all_windows() {
        let history = after((0..250).map(numbered));
        assert_eq!(history.reports().len(), MAX_REPORTS);
        assert_eq!(history.windows(), 250);
        assert_eq!(history.report(None).unwrap().run, "r249");
        assert_eq!(history.report(Some("r150")).unwrap().run, "r150");
        assert!(history.report(Some("r149")).is_none());
    }

    #[test]
    fn large_reports_are_kept_within_the_bytes_and_the_newest_always() {
        let large = |number| RunReport {
            notes: vec!["x".repeat(MAX_BYTES / 3)],
            ..numbered(number)
        };
        assert_eq!(after((0..9).map(large)).reports().len(), 2);
        let larger = RunReport {
            notes: vec!["x".repeat(2 * MAX_BYTES)],
            ..numbered(1)
        };
        let history = after([numbered(0), larger]);
        assert_eq!(history.reports().len(), 1);
        assert_eq!(history.report(None).unwrap().run, "r1");
    }

    #[test]
    fn a_report_without_partitions_has_no_lag_and_leaves_those_of_the_last_one() {
        let mut failed = numbered(1);
        failed.partitions.clear();
        failed.outcome = RunOutcome::Source;
        let history = after([failed.clone()]);
        assert!(!history.has_read_topic() && history.last_listed().is_none());
        let history = after([numbered(0), failed]);
        assert_eq!(history.report(None).unwrap().lag, None);
        assert_eq!(history.report(Some("r0")).unwrap().lag, Some(8));
        assert_eq!(history.last_listed().unwrap().run, "r0");
        assert!(history.has_read_topic());
    }

    #[test]
    fn dead_letters_are_added_up_by_cause() {
        let mut one = numbered(0);
        one.dead_letters.causes = BTreeMap::from([("undecodable".to_owned(), 3)]);
        let history = after([one.clone(), numbered(1), one]);
        assert_eq!(history.dead_letters()["undecodable"], 6);
    }
}
