//! What a run does with each sample. Pure.

use serde::Serialize;

use super::outcome::TestOutcome;
use crate::request_preview::RequestReport;

/// The version of the JSON (`docs/schemas/test-report.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// What a run does with a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleReport {
    /// The line of the sample, counted from 1.
    pub line: u64,
    /// Whether it is as expected.
    pub result: SampleResult,
    /// What a run does with the record; `None` if it is not a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The route that takes the record; `None`: no route does.
    pub route: Option<String>,
    /// The expected route, if the sample has one; `Some(None)`: no route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Option<String>>,
    /// The cause of a dead letter, by the name in its headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// Why the sample is invalid, or the record is a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request that a run would send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestReport>,
}

/// Whether a sample is as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleResult {
    /// The route is the expected one, or none was stated.
    Passed,
    /// The route is another one.
    Failed,
    /// The sample is not a record, or no request can be built of it.
    Invalid,
}

/// What a run does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It sends a request.
    Deliver,
    /// It skips the record.
    Skip,
    /// It writes a dead letter.
    DeadLetter,
    /// It stops.
    Stop,
}

/// The number of samples with each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that are as expected.
    pub passed: u64,
    /// Those with another route.
    pub failed: u64,
    /// Those that are no record, or of which no request can be built.
    pub invalid: u64,
}

impl SampleReport {
    /// A line that is not a record.
    pub fn invalid(line: u64, reason: String) -> Self {
        Self {
            line,
            result: SampleResult::Invalid,
            action: None,
            route: None,
            expect: None,
            cause: None,
            reason: Some(reason),
            request: None,
        }
    }
}

impl Totals {
    /// Counts a sample.
    pub fn add(&mut self, result: SampleResult) {
        match result {
            SampleResult::Passed => self.passed += 1,
            SampleResult::Failed => self.failed += 1,
            SampleResult::Invalid => self.invalid += 1,
        }
    }

    /// The number of samples.
    pub fn count(&self) -> u64 {
        self.passed + self.failed + self.invalid
    }

    /// How the test ended. A test without samples has tested nothing.
    pub fn outcome(&self) -> TestOutcome {
        if self.invalid > 0 || self.count() == 0 {
            TestOutcome::InvalidSample
        } else if self.failed > 0 {
            TestOutcome::Failed
        } else {
            TestOutcome::Passed
        }
    }
}

/// The document before its samples.
pub(super) fn json_head() -> String {
    format!("{{\"version\":{VERSION},\"samples\":[")
}

/// One sample of the document.
pub(super) fn json(sample: &SampleReport) -> String {
    // Serialization of strings and numbers cannot fail.
    serde_json::to_string(sample).unwrap_or_default()
}

/// The document after its samples.
pub(super) fn json_tail(totals: &Totals) -> String {
    let failed = totals.failed + totals.invalid;
    format!("],\"passed\":{},\"failed\":{failed}}}\n", totals.passed)
}
