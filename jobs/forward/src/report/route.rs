//! The outcome of one route's records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::{Latency, LatencyCount};
use super::sum;

/// The state of a route at the end of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteEnd {
    /// Its endpoint accepts records.
    #[default]
    Open,
    /// Its records are deferred to the next run.
    Deferred,
}

/// The outcome of one route's records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteReport {
    /// Its name.
    pub route: String,
    /// Its endpoint.
    pub url: String,
    /// Records of this route that were not completed when the run began.
    pub matched: i64,
    /// Accepted by the endpoint.
    pub delivered: i64,
    /// Rejected with a permanent status and acknowledged by the dead-letter topic.
    pub dead_lettered: i64,
    /// Deferred to the next run.
    pub deferred: i64,
    /// Requests sent.
    pub attempts: u64,
    /// Responses by status. With `timeouts` and `connection_errors` they add up to `attempts`.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a response in time.
    #[serde(default)]
    pub timeouts: u64,
    /// Requests whose connection failed, or ended before the response was complete.
    #[serde(default)]
    pub connection_errors: u64,
    /// The latency of the responses.
    pub latency_ms: Latency,
    /// The distribution of that latency: the ranges that have responses, in order. Absent without a response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_ranges_ms: Vec<LatencyCount>,
    /// The sum of that latency. Absent without a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_sum_ms: Option<f64>,
    /// The state at the end of the run.
    pub state: RouteEnd,
    /// The endpoint requested a pause, or its circuit is open: the next run sends no request before this time (RFC 3339,
    /// UTC). Absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<String>,
    /// The answers that were written; absent if the route keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswerCounts>,
}

/// The answers of a route that their topics have acknowledged in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerCounts {
    /// To delivered records; absent without `success_topic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<i64>,
    /// To dead-lettered records; absent without `error_topic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<i64>,
}

impl RouteReport {
    /// True when every matched record is counted exactly once, and every delivered record has its answer, if the route
    /// keeps it. A dead letter may have none.
    pub fn balances(&self) -> bool {
        let counts = [self.delivered, self.dead_lettered, self.deferred];
        let answers = self.answers.unwrap_or_default();
        counts.iter().all(|count| *count >= 0)
            && self.matched == sum(counts)
            && answers.success.is_none_or(|count| count == self.delivered)
            && answers
                .error
                .is_none_or(|count| count <= self.dead_lettered)
    }
}
