//! Collects what the report of a run says, whatever ends the run.
//!
//! - `partitions`: the outcome of each partition
//! - `end`: what ended the run, and what the next one repeats

mod end;
mod partitions;

use std::time::{Duration, SystemTime};

use kafka::list_offsets::TopicOffsets;
use kafka::reader::Reader;
use kafka::topic_record::RecordError;
use offsets::counters::PartitionCounters;
use offsets::window::Window;

use crate::config::Config;
use crate::dead_letter::DeadLetterSummary;
use crate::exit::Facts;
use crate::pipeline::{DeferredRecord, WindowOutcome, age};
use crate::report::latency;
use crate::report::timeline::Timeline;
use crate::report::{
    self, AnswerCounts, Identity, Latency, LatencyCount, OldestDeferred, PartitionReport,
    ProgressSample, RouteReport, RunReport,
};
use crate::route_config::RouteConfig;

/// How long the broker may take to answer after the pipeline. The report is complete enough without the answers.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// What the report says so far.
pub(crate) struct ReportBuilder {
    identity: Identity,
    notes: Vec<String>,
    partitions: Vec<PartitionReport>,
    routes: Vec<RouteReport>,
    oldest_deferred: Option<DeferredRecord>,
    commit_latency: Option<Duration>,
    dead_letters: DeadLetterSummary,
    timeline: Timeline,
    progress: Vec<ProgressSample>,
    facts: Facts,
}

impl ReportBuilder {
    /// A report without partitions.
    pub(crate) fn new(run: &str, config: &Config, routes: &[RouteConfig], dry_run: bool) -> Self {
        let idle = |route: &RouteConfig| RouteReport {
            route: route.name.clone(),
            url: route.printed_url(),
            answers: route.answers.as_ref().map(|answers| AnswerCounts {
                success: answers.success_topic.as_ref().map(|_| 0),
                error: answers.error_topic.as_ref().map(|_| 0),
            }),
            ..RouteReport::default()
        };
        Self {
            identity: Identity {
                run: run.to_owned(),
                cluster: config.kafka.bootstrap.clone(),
                topic: config.kafka.topic.clone(),
                topic_id: None,
                group: config.group.clone(),
            },
            notes: Vec::new(),
            partitions: Vec::new(),
            routes: routes.iter().map(idle).collect(),
            oldest_deferred: None,
            commit_latency: None,
            dead_letters: DeadLetterSummary::default(),
            timeline: Timeline::default(),
            progress: Vec::new(),
            facts: Facts {
                dry_run,
                ..Facts::default()
            },
        }
    }

    /// The run's id.
    pub(crate) fn run_id(&self) -> &str {
        &self.identity.run
    }

    /// The cluster and the topic have these ids.
    pub(crate) fn set_topic(&mut self, topic: &TopicOffsets) {
        self.identity.cluster.clone_from(&topic.stream.cluster);
        self.identity.topic_id.clone_from(&topic.topic_id);
    }

    /// Records were deleted before they were read, and the run goes on without them.
    pub(crate) fn add_data_loss(&mut self, loss: Option<String>) {
        if let Some(loss) = loss {
            tracing::error!(
                loss,
                "records are lost; continuing, by ON_DATA_LOSS=continue"
            );
            self.notes.push(loss);
        }
    }

    /// The topic record was written, or not.
    pub(crate) fn add_topic_record(&mut self, result: &Result<(), RecordError>) {
        if let Err(error) = result {
            tracing::debug!(%error, "the topic record was not written");
            self.notes
                .push(format!("a re-created topic would not be noticed: {error}"));
        }
    }

    /// These are the ends of the routes' pauses.
    pub(crate) fn add_pauses(&mut self, ends: &[Option<SystemTime>]) {
        let now = SystemTime::now();
        for (route, end) in self.routes.iter_mut().zip(ends) {
            let end = end.filter(|end| *end > now);
            route.retry_at = end.map(report::rfc3339);
        }
    }

    /// The pauses were recorded for the next run, or not.
    pub(crate) fn add_pause_record(&mut self, result: &Result<(), RecordError>) {
        if let Err(error) = result {
            tracing::debug!(%error, "the pauses of endpoints were not recorded");
            self.notes.push(format!(
                "the next run does not take the pauses of endpoints into account: {error}"
            ));
        }
    }

    /// The log ends before `WINDOW_END`.
    pub(crate) fn add_early_end(&mut self, early_end: Option<String>) {
        if let Some(early_end) = early_end {
            tracing::warn!(run = self.identity.run, "{early_end}");
            self.notes.push(early_end);
        }
    }

    /// The window has no records.
    pub(crate) fn add_empty_window(&mut self, topic: &TopicOffsets, window: &Window) {
        for range in &window.ranges {
            if let Some(offsets) = partitions::offsets_of(topic, range.partition) {
                self.partitions.push(partitions::empty(offsets, range));
            }
        }
    }

    /// Adds the counters of the partitions, now and then. `elapsed` is the time since the start of the run.
    pub(crate) fn add_progress<'c>(
        &mut self,
        elapsed: Duration,
        counters: impl Iterator<Item = &'c PartitionCounters>,
    ) {
        self.timeline.sample(elapsed, || progress(counters));
    }

    /// Adds what was done in the window, which has ended after this time.
    pub(crate) fn add_outcome(
        &mut self,
        elapsed: Duration,
        reader: &Reader,
        topic: &TopicOffsets,
        window: &Window,
        outcome: &WindowOutcome,
    ) {
        let assigned = outcome.partitions.iter();
        let assigned: Vec<i32> = assigned.map(|one| one.counters.range.partition).collect();
        let ends = reader.end_offsets(&assigned, BROKER_TIMEOUT);
        let is_broker_reachable = ends.is_ok();
        let ends = ends.unwrap_or_default();
        for (partition, one) in assigned.iter().copied().zip(&outcome.partitions) {
            if let Some(offsets) = partitions::offsets_of(topic, partition) {
                let end = ends.iter().find(|(known, _)| *known == partition);
                let end = end.map_or(offsets.high, |(_, end)| *end);
                self.partitions.push(partitions::report(offsets, end, one));
            }
        }
        self.add_routes(outcome);
        let timeline = std::mem::take(&mut self.timeline);
        let counters = outcome.partitions.iter().map(|one| &one.counters);
        self.progress = timeline.end(elapsed, progress(counters));
        self.oldest_deferred = outcome.oldest_deferred;
        self.commit_latency = outcome.commit_latency;
        self.dead_letters = outcome.dead_letters.clone();
        self.add_end(window, outcome);
        // An unreachable broker is not asked a second time: the run may have a deadline.
        if is_broker_reachable {
            self.check_metadata(reader, outcome, &assigned);
        }
    }

    fn add_routes(&mut self, outcome: &WindowOutcome) {
        for (route, done) in self.routes.iter_mut().zip(&outcome.routes) {
            let counters = &done.counters;
            route.matched = counters.matched;
            route.delivered = counters.delivered;
            route.dead_lettered = counters.dead_lettered;
            route.deferred = counters.open;
            if let Some(answers) = &mut route.answers {
                answers.success = answers.success.map(|_| done.answers.success);
                answers.error = answers.error.map(|_| done.answers.error);
            }
            let Some(requests) = &done.requests else {
                continue;
            };
            route.attempts = requests.attempts;
            route.timeouts = requests.timeouts;
            route.connection_errors = requests.connection_errors;
            route.latency_ms = Latency::new(requests.p50(), requests.p99(), requests.max());
            route.latency_sum_ms = (!requests.statuses.is_empty())
                .then(|| latency::milliseconds(requests.total_latency()));
            let ranges = requests.latencies().into_iter();
            route.latency_ranges_ms = ranges.map(LatencyCount::from).collect();
            route.statuses.clone_from(&requests.statuses);
            if let Some(reason) = &done.deferred {
                self.notes
                    .push(format!("route {} was deferred: {reason}", route.route));
            }
            // A dead letter that is rejected again stays for the next run, and is counted as a dead letter.
            let has_deferred =
                done.has_deferred && (counters.open > 0 || !outcome.is_replay_of_letters);
            if has_deferred && (outcome.stop_reason.is_none() || done.deferred.is_some()) {
                route.state = report::RouteEnd::Deferred;
                self.facts.delivered_before |= counters.already_completed > 0;
            }
        }
    }

    /// The report.
    pub(crate) fn build(self, started: SystemTime, took: Duration) -> RunReport {
        let report = RunReport::new(
            self.identity,
            started,
            took,
            self.partitions,
            self.routes,
            self.notes,
            self.facts,
        );
        RunReport {
            oldest_deferred: self
                .oldest_deferred
                .map(|record| oldest_deferred(&record, &report.routes, started + took)),
            commit_seconds: self
                .commit_latency
                .map(|latency| latency.as_micros() as f64 / 1e6),
            progress: self.progress,
            dead_letters: self.dead_letters,
            ..report
        }
    }
}

fn progress<'c>(counters: impl Iterator<Item = &'c PartitionCounters>) -> ProgressSample {
    counters.fold(ProgressSample::default(), |sum, one| ProgressSample {
        delivered: sum.delivered + one.delivered,
        skipped: sum.skipped + one.skipped,
        dead_lettered: sum.dead_lettered + one.dead_lettered,
        ..sum
    })
}

fn oldest_deferred(
    record: &DeferredRecord,
    routes: &[RouteReport],
    ended: SystemTime,
) -> OldestDeferred {
    OldestDeferred {
        partition: record.partition,
        offset: record.offset,
        route: routes.get(record.class).map(|route| route.route.clone()),
        timestamp: record.timestamp,
        age_seconds: age(record.timestamp, ended).as_secs(),
    }
}
