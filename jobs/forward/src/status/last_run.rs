//! The last run in a status.

use serde::Serialize;

use crate::exit::RunOutcome;
use crate::report::RunReport;

/// The last run, by its report in `REPORT_TOPIC`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRun {
    /// Its id.
    pub run: String,
    /// When it ended (RFC 3339).
    pub ended: String,
    /// Its outcome.
    pub outcome: RunOutcome,
    /// Its exit code.
    pub exit_code: u8,
    /// Whether its counts add up.
    pub balanced: bool,
}

impl From<RunReport> for LastRun {
    fn from(report: RunReport) -> Self {
        Self {
            run: report.run,
            ended: report.ended,
            outcome: report.outcome,
            exit_code: report.exit_code,
            balanced: report.balanced,
        }
    }
}
