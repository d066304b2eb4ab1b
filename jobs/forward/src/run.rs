//! One run: list offsets, plan the window, join the group, run the pipeline, report.

mod kept_reader;
mod parts;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use delivery::RouteStatistics;
use http_proxy::Proxies;
use kafka::commit::{Committer, RecordRequest};
use kafka::list_offsets::{TopicOffsets, Wait};
use kafka::reader::{Reader, SourceError};
use kafka::topic_record::StoredTopicRecord;
use oci::OciConfig;
use offsets::counters::PartitionCounters;
use offsets::offset_map::Scope;
use offsets::pauses::Pause;
use offsets::topic_record::TopicRecord;
use offsets::window::{Window, WindowStart};
use routes::Routes;
use telemetry::traces::Tracer;
use writer_schemas::WriterSchemas;

use crate::answer_topics::{self, UnusableTopic};
use crate::config::Config;
use crate::error::RunError;
use crate::metrics::JobMetrics;
use crate::pauses::{self, PauseEnds};
use crate::pipeline::{self, Deadlines, LetterFilter, PartitionState, Pipeline, WindowOutcome};
use crate::plan::{self, PlanError, PlannedWindow};
use crate::recreation;
use crate::report::RunReport;
use crate::report_builder::ReportBuilder;
use crate::route_config::RouteConfig;
use crate::schema_fetcher::SchemaFetcher;
use crate::scope;
use crate::single_run::{self, GroupJoin, Membership};
use crate::traces::RunTrace;
use crate::window_plan::AppliedPlan;
use crate::workers::WorkerPool;
pub use kept_reader::KeptReader;
use parts::OpenWindow;
use shared::SharedWindow;

/// The progress of a window.
#[derive(Clone, Copy)]
pub enum Progress<'p> {
    /// This process does the work.
    Local(&'p Pipeline<'p>),
    /// Workers share the window: the counters of each partition.
    Shared(&'p [&'p PartitionCounters]),
}

/// What a run needs.
pub struct Run<'r> {
    /// Every setting.
    pub config: &'r Config,
    /// The plan whose window the run has; `config` is that of the plan's execution.
    pub plan: Option<&'r AppliedPlan>,
    /// The routes, checked against the schema.
    pub routes: &'r Routes,
    /// The same routes with their endpoints, in the same order.
    pub route_configs: &'r [RouteConfig],
    /// The proxies of the endpoints.
    pub proxies: &'r Proxies,
    /// The schema of the routes, and those that records may have been written with.
    pub schemas: &'r WriterSchemas,
    /// The schema registry, if there is one.
    pub registry: Option<&'r SchemaFetcher>,
    /// The original records, if the topic is a dead-letter topic whose records are replayed; `None` for any other topic.
    pub letters: Option<&'r LetterFilter<'r>>,
    /// How to reach Object Storage, if the report is written there.
    pub oracle_cloud: Option<&'r OciConfig>,
    /// The metrics of the process; `None` if the run is not part of them.
    pub metrics: Option<&'r JobMetrics>,
    /// The reader of the last window of this process, if that had no records.
    pub kept_reader: &'r KeptReader,
    /// The traces, if they are exported.
    pub tracer: Option<&'r Tracer>,
    /// The workers that share the window; `None`: this process does the work. A dry run has none.
    pub workers: Option<&'r WorkerPool<'r>>,
    /// True: nothing is delivered, written or committed.
    pub dry_run: bool,
    /// Set by a signal: the run stops reading, and completes what is in flight.
    pub shutdown: &'r AtomicBool,
}

impl Run<'_> {
    /// Runs one window and reports on it. `watch` is called several times a second.
    ///
    /// No record is lost, whatever ends the run: only records that were delivered, dead-lettered or skipped by the
    /// settings are committed.
    pub fn window(&self, id: &str, watch: impl FnMut(Progress<'_>)) -> RunReport {
        let (started, clock) = (SystemTime::now(), Instant::now());
        let mut report = ReportBuilder::new(id, self.config, self.route_configs, self.dry_run);
        let trace = self.tracer;
        let trace = trace.map(|tracer| RunTrace::start(tracer, id, self.config));
        if let Err(error) = self.run(clock, &mut report, trace.as_ref(), watch) {
            match &error {
                RunError::Cancelled => tracing::warn!(run = id, "{error}"),
                error => tracing::error!(run = id, "{error}"),
            }
            report.attribute(&error);
        }
        let report = report.build(started, clock.elapsed());
        if let Some(trace) = trace {
            trace.end(&report);
        }
        report
    }

    fn run(
        &self,
        clock: Instant,
        report: &mut ReportBuilder,
        trace: Option<&RunTrace>,
        mut watch: impl FnMut(Progress<'_>),
    ) -> Result<(), RunError> {
        let reader = self.kept_reader.take().map_or_else(|| self.reader(), Ok)?;
        let mut topic = self.list_offsets(&reader, clock)?;
        report.set_topic(&topic);
        let scope = scope::scope(self.routes, self.schemas, self.route_configs, &topic);
        let listed = topic.partition_offsets.clone();
        if let Some(plan) = self.plan {
            plan.check(&topic, &scope).map_err(PlanError::from)?;
            plan.set_starts(&mut topic);
        }
        let known = self.known_record(&reader, &topic, clock)?;
        let needs_record = self.needs_record(&topic);
        let PlannedWindow {
            window,
            data_loss,
            early_end,
        } = plan::plan_window(
            self.config,
            &topic,
            known.as_ref().filter(|_| needs_record),
            &scope,
        )?;
        report.add_data_loss(data_loss);
        report.add_early_end(early_end);
        let recorded = known.as_ref().map(|record| record.pauses.clone());
        let recorded = recorded.filter(|_| self.keeps_record()).unwrap_or_default();
        let pause_ends = pauses::ends(&recorded, self.route_configs, SystemTime::now());
        if window.length() == 0 {
            report.add_empty_window(&topic, &window);
            report.add_pauses(&pause_ends);
            let new = self.new_record(&topic, &recorded).filter(|_| needs_record);
            let new = new.filter(|new| known.as_ref() != Some(&new.record));
            let written = new.map(|new| reader.write_topic_record(&new));
            if let Some(written) = &written {
                report.add_topic_record(written);
            }
            // The drop of a reader waits for the acknowledgement.
            if !matches!(written, Some(Ok(()))) {
                self.kept_reader.keep(reader);
            }
            return Ok(());
        }
        self.check_answer_topics(&reader, clock)?;
        let membership = self.join(&reader, clock)?;
        let partitions = self.partitions(&reader, &window, &scope, membership.as_ref(), clock)?;
        // `forward reset` may have moved them until this run was a member of the group.
        single_run::check_commits(&listed, |partition| partitions.get(&partition)?.committed())?;
        let (member, group) = match membership {
            Some(Membership { member, events, .. }) => (Some(Arc::new(member)), Some(events)),
            None => (None, None),
        };
        let (results, record_results) = channel();
        let record = self.new_record(&topic, &recorded);
        let record = record.map(|record| RecordRequest { record, results });
        let committer = member
            .as_ref()
            .map(|member| Committer::start(member, record));
        let committer = committer.transpose()?;
        let config = self.pipeline_config(scope, clock);
        let run = report.run_id().to_owned();
        let workers = self.workers.filter(|_| !self.dry_run);
        let (outcome, error) = match workers {
            Some(pool) => {
                let shared = SharedWindow {
                    topic: &topic,
                    committer,
                    group,
                    config,
                    pause_ends: &pause_ends,
                };
                let driver = self.driver(pool, &run, shared)?;
                let outcome = driver.run(&partitions, |counters| {
                    let counters: Vec<_> = counters.collect();
                    report.add_progress(clock.elapsed(), counters.iter().copied());
                    watch(Progress::Shared(&counters));
                });
                (outcome, None)
            }
            None => {
                let delivers =
                    !self.dry_run && !self.letters.is_some_and(LetterFilter::is_to_topic);
                let delivery = delivers.then(|| self.delivery_config(&topic, &pause_ends, trace));
                let open = OpenWindow {
                    reader: &reader,
                    stream: &topic.stream,
                    window: &window,
                    partitions,
                    committer,
                    group,
                    config,
                    delivery: delivery.transpose()?,
                };
                self.work(open, &run, |pipeline| {
                    let states = pipeline.partitions().iter();
                    let counters = states.map(|(_, state)| state.counters());
                    report.add_progress(clock.elapsed(), counters);
                    watch(Progress::Local(pipeline));
                })?
            }
        };
        report.add_outcome(clock.elapsed(), &reader, &topic, &window, &outcome);
        if let Some(result) = record_results.try_iter().last() {
            report.add_topic_record(&result);
        }
        if let Some(member) = &member
            && self.keeps_record()
        {
            let ends = pauses_after(&outcome, pause_ends);
            report.add_pauses(&ends);
            let new = pauses::record(&ends, self.route_configs);
            if new != recorded {
                let record = recreation::record(self.config, &topic, new);
                report.add_pause_record(&member.write_topic_record(&record));
            }
        }
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    fn reader(&self) -> Result<Reader, SourceError> {
        let kafka = &self.config.kafka;
        Reader::new(&kafka.reader(&self.config.group), &kafka.topic)
            .map_err(|error| SourceError::client(kafka, error))
    }

    fn list_offsets(&self, reader: &Reader, clock: Instant) -> Result<TopicOffsets, RunError> {
        let (start, end) = (&self.config.window_start, &self.config.window_end);
        reader
            .list_offsets(start, end, &self.start_wait(clock))
            .map_err(|error| self.unless_cancelled(error))
    }

    /// The group's topic record; `None` if there is none. A run that neither needs it to recognise the topic nor moves
    /// commits does not read it.
    fn known_record(
        &self,
        reader: &Reader,
        topic: &TopicOffsets,
        clock: Instant,
    ) -> Result<Option<TopicRecord>, RunError> {
        let is_needed = self.needs_record(topic);
        if !is_needed && !self.keeps_record() {
            return Ok(None);
        }
        let found = reader.topic_record(&self.config.dead_letter_topic, &self.start_wait(clock));
        match found {
            // Only for the pauses: the run goes on without them.
            Err(error) if !is_needed => {
                tracing::debug!(%error, "reading the topic record failed");
                Ok(None)
            }
            found => found.map_err(|error| self.unless_cancelled(error)),
        }
    }

    /// The topic record that this run writes at its start; `None` if it moves no commits or the topic has no id.
    fn new_record(&self, topic: &TopicOffsets, pauses: &[Pause]) -> Option<StoredTopicRecord> {
        let has_id = topic.topic_id.is_some();
        (has_id && self.keeps_record())
            .then(|| recreation::record(self.config, topic, pauses.to_vec()))
    }

    fn start_wait(&self, clock: Instant) -> Wait<'_> {
        /// A shorter shutdown timeout is meant for endpoints and not for the broker.
        const MIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
        Wait {
            timeout: self.start_timeout(clock),
            request_timeout: self.config.shutdown_timeout.max(MIN_REQUEST_TIMEOUT),
            shutdown: self.shutdown,
        }
    }

    /// Checks the topics of answers before a record is delivered: without them it would be delivered in each run again.
    fn check_answer_topics(&self, reader: &Reader, clock: Instant) -> Result<(), RunError> {
        for topic in answer_topics::all(self.route_configs) {
            let timeout = self.start_timeout(clock);
            let checked = answer_topics::check(reader, &topic, timeout);
            checked.map_err(|UnusableTopic { detail, advice, .. }| {
                RunError::Answers(format!("{detail}: {advice}"))
            })?;
        }
        Ok(())
    }

    /// Joins the group; `None` if this run moves no commit. A window without records needs no membership, so this comes
    /// after the plan.
    fn join(&self, reader: &Reader, clock: Instant) -> Result<Option<Membership>, RunError> {
        if !self.moves_commits() {
            return Ok(None);
        }
        let join = GroupJoin {
            group: self.config.group.clone(),
            protocol: self.config.group_protocol,
            concurrent_runs: self.config.concurrent_runs,
            timeout: self.start_timeout(clock),
            revoke_timeout: self.config.settling(self.route_configs),
            shutdown: self.shutdown,
        };
        let joined = join.join(reader, &self.config.kafka);
        joined
            .map(Some)
            .map_err(|error| self.unless_cancelled(error))
    }

    /// The assigned partitions, each from the group's commit at this moment: no other run moves it now. A run without a
    /// membership reads all partitions: a dry run from the commit too, a replay from the window's start.
    fn partitions(
        &self,
        reader: &Reader,
        window: &Window,
        scope: &Scope,
        membership: Option<&Membership>,
        clock: Instant,
    ) -> Result<BTreeMap<i32, PartitionState>, SourceError> {
        let routes = self.routes.names().len();
        let Some(assigned) = self.assigned(window, membership) else {
            let replay = |range| PartitionState::replay(range, routes);
            let ranges = window.ranges.iter();
            return Ok(ranges
                .map(|range| (range.partition, replay(range)))
                .collect());
        };
        let timeout = self.start_timeout(clock);
        let states = pipeline::partition_states(reader, &assigned, window, routes, scope, timeout)?;
        Ok(states.into_iter().collect())
    }

    /// The partitions that are read from the group's commit; `None` for a replay.
    fn assigned(&self, window: &Window, membership: Option<&Membership>) -> Option<Vec<i32>> {
        match membership {
            Some(membership) => Some(membership.partitions.clone()),
            None if self.config.window_start == WindowStart::Committed => {
                let ranges = window.ranges.iter();
                Some(ranges.map(|range| range.partition).collect())
            }
            None => None,
        }
    }

    /// True if only the topic record can show whether the topic is the same.
    fn needs_record(&self, topic: &TopicOffsets) -> bool {
        self.has_commits_of_group() && recreation::needs_record(self.config, topic)
    }

    /// False if the run has no topic record: it moves no commits, or not those of the job.
    fn keeps_record(&self) -> bool {
        self.moves_commits() && self.has_commits_of_group()
    }

    /// False if the run has a group of its own: a replay of dead letters, or of a plan that is not of the group's window.
    fn has_commits_of_group(&self) -> bool {
        self.letters.is_none() && self.plan.is_none_or(AppliedPlan::is_of_group)
    }

    /// False for a replay and for a dry run.
    fn moves_commits(&self) -> bool {
        self.config.window_start == WindowStart::Committed && !self.dry_run
    }

    /// How long the broker may take before the pipeline starts: `START_TIMEOUT`, and no longer than the deadline.
    fn start_timeout(&self, clock: Instant) -> Duration {
        let left = |deadlines: Deadlines| {
            let left = deadlines.drained.saturating_duration_since(Instant::now());
            left.max(Duration::from_millis(1))
        };
        let timeout = self.config.start_timeout;
        self.deadlines(clock)
            .map_or(timeout, |deadlines| timeout.min(left(deadlines)))
    }

    /// The error, unless a signal has ended the wait for the broker.
    fn unless_cancelled(&self, error: impl Into<RunError>) -> RunError {
        if self.shutdown.load(Ordering::Relaxed) {
            RunError::Cancelled
        } else {
            error.into()
        }
    }
}

/// The pauses after the window. One in which the endpoint received no request stays as it was.
fn pauses_after(outcome: &WindowOutcome, before: PauseEnds) -> PauseEnds {
    let now = SystemTime::now();
    let after = |(route, before): (usize, Option<SystemTime>)| {
        let done = outcome.routes.get(route)?;
        let is_untouched = |requests: &RouteStatistics| before.is_some() && requests.attempts == 0;
        if done.requests.as_ref().is_none_or(is_untouched) {
            return before;
        }
        Some(pauses::end_after(done.pause?, now))
    };
    before.into_iter().enumerate().map(after).collect()
}
