//! The report of a run: the planned window and the outcome of every record in it.
//!
//! A [`RunReport`] is made once, at the end, from the run's counters. It adds them up, checks that they balance, and
//! names the [`RunOutcome`]. [`text`], [`markdown`] and [`html`] render it for people; JSON is for machines.

mod content;
pub mod html;
pub mod latency;
pub mod markdown;
pub mod partition;
pub mod progress_line;
pub mod route;
pub mod text;
pub mod timeline;

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dead_letter::DeadLetterSummary;
use crate::exit::{Facts, RunOutcome};

pub use latency::{Latency, LatencyCount};
pub use partition::PartitionReport;
pub use route::{AnswerCounts, RouteEnd, RouteReport};
pub use timeline::ProgressSample;

/// The version of the report's JSON (`docs/schemas/run-report.schema.json`). A field that is removed, renamed or
/// changes its meaning raises it; a new field does not.
pub const VERSION: u32 = 1;

/// Which run of which group on which topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The run's id, as in its log lines.
    pub run: String,
    /// The cluster's id, or the bootstrap address where the broker returns none.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// The topic's id, where the broker returns it.
    pub topic_id: Option<String>,
    /// The consumer group.
    pub group: String,
}

/// The sums over all partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the same names and meanings as in PartitionReport
pub struct Totals {
    pub planned: i64,
    pub delivered: i64,
    pub skipped: i64,
    pub dead_lettered: i64,
    pub already_completed: i64,
    pub deferred: i64,
    pub empty_offsets: i64,
}

/// The report of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// [`VERSION`].
    pub version: u32,
    /// The run's id, as in its log lines.
    pub run: String,
    /// The outcome.
    pub outcome: RunOutcome,
    /// The outcome's exit code.
    pub exit_code: u8,
    /// True for a dry run. Records with a route count as deferred, dead letters as dead-lettered, and nothing is
    /// written. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The start time (RFC 3339, UTC).
    pub started: String,
    /// The end time (RFC 3339, UTC).
    pub ended: String,
    /// The duration, in seconds.
    pub seconds: f64,
    /// The cluster's id, or the bootstrap address where the broker returns none.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// The topic's id, where the broker returns it.
    pub topic_id: Option<String>,
    /// The consumer group.
    pub group: String,
    /// The sums over all partitions.
    pub totals: Totals,
    /// True when every partition, every route and the totals balance.
    pub balanced: bool,
    /// Each partition of the window.
    pub partitions: Vec<PartitionReport>,
    /// Each route, in the order of the table of routes.
    pub routes: Vec<RouteReport>,
    /// The oldest record that this run has deferred; absent if it has deferred none, or none with a timestamp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_deferred: Option<OldestDeferred>,
    /// The longest time from the request of a commit to its acknowledgement, in seconds. Absent without an acknowledged
    /// commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_seconds: Option<f64>,
    /// The progress of the run, from its start to its end, at most 120 samples. Absent if the run ended before it read a
    /// record, as with an empty window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<ProgressSample>,
    /// The dead letters by cause, with samples.
    #[serde(default)]
    pub dead_letters: DeadLetterSummary,
    /// Further findings, one sentence each.
    pub notes: Vec<String>,
}

/// The deferred record with the lowest timestamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestDeferred {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its route; `None` for a dead letter without a route.
    pub route: Option<String>,
    /// Its timestamp in Kafka, in milliseconds since 1970.
    pub timestamp: i64,
    /// The time from its timestamp to the end of the run, in seconds.
    pub age_seconds: u64,
}

impl RunReport {
    /// Adds the counters up, checks the balance and names the outcome. The facts that follow from the counters
    /// (`balanced`, `delivered`, `dead_lettered`, `deferred`, the numbers of routes) are set here. `took` is measured with
    /// a monotonic clock.
    pub fn new(
        identity: Identity,
        started: SystemTime,
        took: Duration,
        partitions: Vec<PartitionReport>,
        routes: Vec<RouteReport>,
        notes: Vec<String>,
        facts: Facts,
    ) -> Self {
        let totals = Totals::of(&partitions);
        let balanced = balances(&totals, &partitions, &routes);
        let of_routes: i64 = routes.iter().map(|route| route.deferred).sum();
        let count = |wanted: fn(&RouteReport) -> bool| routes.iter().filter(|r| wanted(r)).count();
        let outcome = RunOutcome::of(&Facts {
            balanced,
            delivered: totals.delivered,
            dead_lettered: totals.dead_lettered,
            deferred: match facts.dry_run {
                true => totals.deferred - of_routes,
                false => totals.deferred,
            },
            routes_matched: count(|route| route.matched > 0),
            routes_deferred: count(|route| route.state == RouteEnd::Deferred),
            ..facts
        });
        Self {
            version: VERSION,
            run: identity.run,
            outcome,
            exit_code: outcome.code(),
            dry_run: facts.dry_run,
            started: rfc3339(started),
            ended: rfc3339(started + took),
            seconds: took.as_millis() as f64 / 1000.0,
            cluster: identity.cluster,
            topic: identity.topic,
            topic_id: identity.topic_id,
            group: identity.group,
            totals,
            balanced,
            partitions,
            routes,
            oldest_deferred: None,
            commit_seconds: None,
            progress: Vec::new(),
            dead_letters: DeadLetterSummary::default(),
            notes,
        }
    }

    /// True when the report's numbers balance. A reader of the JSON can check the same.
    pub fn balances(&self) -> bool {
        self.totals == Totals::of(&self.partitions)
            && balances(&self.totals, &self.partitions, &self.routes)
    }

    /// The report as one line of JSON, without a line break.
    pub fn json(&self) -> String {
        // Serialization cannot fail: map keys are integers, and non-finite numbers become null.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Writes the JSON to a file. The file is replaced atomically: a reader sees the previous report or this one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        runtime::files::replace(path, (self.json() + "\n").as_bytes())
    }
}

impl Totals {
    fn of(partitions: &[PartitionReport]) -> Self {
        let sum = |count: fn(&PartitionReport) -> i64| sum(partitions.iter().map(count));
        Self {
            planned: sum(|partition| partition.planned),
            delivered: sum(|partition| partition.delivered),
            skipped: sum(|partition| partition.skipped),
            dead_lettered: sum(|partition| partition.dead_lettered),
            already_completed: sum(|partition| partition.already_completed),
            deferred: sum(|partition| partition.deferred),
            empty_offsets: sum(|partition| partition.empty_offsets),
        }
    }
}

/// Each partition and route balances, and partitions and routes agree on the delivered records. Dead letters without a
/// route and unread offsets are counted by partitions only.
fn balances(totals: &Totals, partitions: &[PartitionReport], routes: &[RouteReport]) -> bool {
    let sum = |count: fn(&RouteReport) -> i64| sum(routes.iter().map(count));
    partitions.iter().all(PartitionReport::balances)
        && routes.iter().all(RouteReport::balances)
        && totals.delivered == sum(|route| route.delivered)
        && totals.dead_lettered >= sum(|route| route.dead_lettered)
        && totals.deferred >= sum(|route| route.deferred)
}

/// The sum of counts. A report that was read from a file may have any.
fn sum(counts: impl IntoIterator<Item = i64>) -> i64 {
    counts.into_iter().fold(0, i64::saturating_add)
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => "out of range".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
