//! The report of a run: the planned window and the outcome of every record in it.
//!
//! A [`RunReport`] is made once, at the end, from the run's counters. It adds them up, checks that they balance, and
//! names the [`RunOutcome`]. [`text`] renders it for people; JSON is for machines.

pub mod progress_line;
pub mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dead_letter::DeadLetterSummary;
use crate::exit::{Facts, RunOutcome};

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

/// The outcome of one partition's offsets. Every count is in offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionReport {
    /// Partition.
    pub partition: i32,
    /// The first offset of the window.
    pub start: i64,
    /// The offset after the last one of the window.
    pub end: i64,
    /// `end - start`.
    pub planned: i64,
    /// Accepted by an endpoint in this run.
    pub delivered: i64,
    /// Skipped, since no route matches or there is no value (`UNMATCHED`, `TOMBSTONES`).
    pub skipped: i64,
    /// Acknowledged by the dead-letter topic in this run.
    pub dead_lettered: i64,
    /// Above the committed offset and completed by an earlier run.
    pub already_completed: i64,
    /// Deferred to the next run.
    pub deferred: i64,
    /// Offsets without a record: control records, aborted transactions, compaction.
    pub empty_offsets: i64,
    /// The committed offset after the run.
    pub committed: i64,
    /// Offsets between the committed one and the end of the log before the run.
    pub lag_before: i64,
    /// The same after the run.
    pub lag_after: i64,
}

impl PartitionReport {
    /// True when every planned offset is counted exactly once.
    pub fn balances(&self) -> bool {
        let counts = [
            self.delivered,
            self.skipped,
            self.dead_lettered,
            self.already_completed,
            self.deferred,
            self.empty_offsets,
        ];
        self.planned == self.end - self.start
            && counts.iter().all(|count| *count >= 0)
            && self.planned == counts.iter().sum::<i64>()
    }
}

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

/// The latency of the endpoint's responses, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

impl Latency {
    /// From durations, in steps of a microsecond.
    pub fn new(p50: Duration, p99: Duration, max: Duration) -> Self {
        let milliseconds = |duration: Duration| duration.as_micros() as f64 / 1000.0;
        Self {
            p50: milliseconds(p50),
            p99: milliseconds(p99),
            max: milliseconds(max),
        }
    }
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
            && self.matched == counts.iter().sum::<i64>()
            && answers.success.is_none_or(|count| count == self.delivered)
            && answers
                .error
                .is_none_or(|count| count <= self.dead_lettered)
    }
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
        let sum = |count: fn(&PartitionReport) -> i64| partitions.iter().map(count).sum();
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
    let sum = |count: fn(&RouteReport) -> i64| routes.iter().map(count).sum::<i64>();
    partitions.iter().all(PartitionReport::balances)
        && routes.iter().all(RouteReport::balances)
        && totals.delivered == sum(|route| route.delivered)
        && totals.dead_lettered >= sum(|route| route.dead_lettered)
        && totals.deferred >= sum(|route| route.deferred)
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    match Timestamp::try_from(time) {
        Ok(timestamp) => format!("{timestamp:.3}"),
        Err(_) => "out of range".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn partition(partition: i32) -> PartitionReport {
        PartitionReport {
            partition,
            start: 100,
            end: 1_300,
            planned: 1_200,
            delivered: 1_000,
            skipped: 190,
            dead_lettered: 2,
            already_completed: 3,
            deferred: 4,
            empty_offsets: 1,
            committed: 1_296,
            lag_before: 1_200,
            lag_after: 4,
        }
    }

    pub(crate) fn route(name: &str, delivered: i64) -> RouteReport {
        RouteReport {
            route: name.to_owned(),
            url: format!("http://{name}/"),
            matched: delivered + 1,
            delivered,
            dead_lettered: 1,
            deferred: 0,
            attempts: 15,
            statuses: BTreeMap::from([(200, 10), (503, 2)]),
            timeouts: 3,
            connection_errors: 0,
            latency_ms: Latency::new(
                Duration::from_micros(1_500),
                Duration::from_millis(20),
                Duration::from_secs(2),
            ),
            state: RouteEnd::Open,
            retry_at: None,
            answers: None,
        }
    }

    pub(crate) fn report() -> RunReport {
        let identity = Identity {
            run: "r1".to_owned(),
            cluster: "c".to_owned(),
            topic: "orders".to_owned(),
            topic_id: None,
            group: "frontdoor".to_owned(),
        };
        RunReport::new(
            identity,
            SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
            Duration::from_millis(410),
            vec![partition(0), partition(1)],
            vec![route("A", 1_200), route("B", 800)],
            vec!["the broker keeps no commit metadata".to_owned()],
            Facts::default(),
        )
    }

    #[test]
    fn adds_up_and_names_the_outcome() {
        let report = report();
        assert_eq!(report.totals.planned, 2_400);
        assert_eq!(report.totals.delivered, 2_000);
        assert!(report.balanced && report.balances());
        assert_eq!(report.outcome, RunOutcome::MoreWork);
        assert_eq!(report.exit_code, 12);
        assert_eq!(report.started, "1970-01-01T00:00:01.500Z");
        assert_eq!(report.ended, "1970-01-01T00:00:01.910Z");
    }

    #[test]
    fn a_dry_run_ends_like_a_run_whose_endpoints_accept_every_record() {
        let outcome = |dead_lettered, deferred_by_route, unread| {
            let partition = PartitionReport {
                end: 10,
                planned: 10,
                skipped: 10 - dead_lettered - deferred_by_route - unread,
                dead_lettered,
                deferred: deferred_by_route + unread,
                ..PartitionReport::default()
            };
            let route = RouteReport {
                matched: deferred_by_route,
                deferred: deferred_by_route,
                ..RouteReport::default()
            };
            let facts = Facts {
                dry_run: true,
                ..Facts::default()
            };
            let (started, took) = (SystemTime::UNIX_EPOCH, Duration::ZERO);
            let (partitions, routes) = (vec![partition], vec![route]);
            let identity = Identity::default();
            RunReport::new(identity, started, took, partitions, routes, vec![], facts).outcome
        };
        assert_eq!(outcome(0, 4, 0), RunOutcome::Completed);
        assert_eq!(outcome(2, 4, 0), RunOutcome::CompletedWithDeadLetters);
        assert_eq!(outcome(2, 4, 1), RunOutcome::MoreWork);
    }

    #[test]
    fn one_offset_that_is_not_accounted_for_is_an_internal_error() {
        for tilt in [
            |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| {
                partitions[0].empty_offsets += 1
            },
            |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| {
                partitions[0].empty_offsets -= 2;
                partitions[0].deferred += 2;
            },
            |partitions: &mut Vec<PartitionReport>, _: &mut Vec<RouteReport>| {
                partitions[1].end += 1
            },
            |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| routes[0].matched += 1,
            |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| {
                routes[0].matched -= 1;
                routes[0].delivered -= 1;
            },
            |_: &mut Vec<PartitionReport>, routes: &mut Vec<RouteReport>| {
                let success = Some(routes[0].delivered - 1);
                routes[0].answers = Some(AnswerCounts {
                    success,
                    ..AnswerCounts::default()
                });
            },
        ] {
            let mut partitions = vec![partition(0), partition(1)];
            let mut routes = vec![route("A", 1_200), route("B", 800)];
            tilt(&mut partitions, &mut routes);
            let report = RunReport::new(
                Identity::default(),
                SystemTime::now(),
                Duration::ZERO,
                partitions,
                routes,
                Vec::new(),
                Facts::default(),
            );
            assert!(!report.balanced);
            assert_eq!(report.outcome, RunOutcome::Internal);
        }
    }

    #[test]
    fn the_json_has_the_documented_names_in_the_documented_order() {
        let json: serde_json::Value = serde_json::from_str(&report().json()).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "version",
                "run",
                "outcome",
                "exit_code",
                "started",
                "ended",
                "seconds",
                "cluster",
                "topic",
                "topic_id",
                "group",
                "totals",
                "balanced",
                "partitions",
                "routes",
                "dead_letters",
                "notes"
            ]
        );
        assert_eq!(json["outcome"], "more_work");
        assert_eq!(json["topic_id"], serde_json::Value::Null);
        assert_eq!(json["routes"][0]["statuses"]["503"], 2);
        assert_eq!(json["routes"][0]["latency_ms"]["p50"], 1.5);
        assert_eq!(json["routes"][0]["state"], "open");
        let read: RunReport = serde_json::from_value(json).unwrap();
        assert_eq!(read, report());
    }

    #[test]
    fn a_saved_report_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        std::fs::write(&path, "old").unwrap();
        report().save(&path).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            report().json() + "\n"
        );
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        assert!(
            report()
                .save(&directory.path().join("none/report.json"))
                .is_err()
        );
        assert!(report().save(Path::new("/dev/null")).is_ok());
        assert!(!Path::new("/dev/null").is_file());
    }
}
