//! One run: look, plan, join, scan, report. Cron and `--every` do it again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use crate::settings::{WINDOW_END, WINDOW_START};

use crate::config::{Config, OnDataLoss};
use crate::dead_letter::{DeadLetters, Writer, Written};
use crate::report::RunReport;
use crate::report_builder::ReportBuilder;
use crate::route_config::RouteConfig;
use crate::scan::{Deadlines, Part, Rules, Scan, Tools};
use crate::single_run::{Fenced, Joining, Membership};
use delivery::{Delivery, DeliveryConfig, DeliveryError};
use kafka::commit::Committer;
use kafka::reader::{Reader, SourceError, TopicOffsets};
use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::window::{PartitionOffsets, Window, WindowStart};
use routes::Routes;

/// What a run is made of.
pub struct Run<'r> {
    /// Every setting.
    pub config: &'r Config,
    /// The routes, checked against the schema.
    pub routes: &'r Routes,
    /// The same routes with their endpoints, in the same order.
    pub route_configs: &'r [RouteConfig],
    /// The schema's JSON text, for containers.
    pub schema: &'r str,
    /// True: nothing is delivered and nothing committed.
    pub dry_run: bool,
    /// Set by a signal: the run stops reading and settles what is under way.
    pub shutdown: &'r AtomicBool,
}

/// Why a run has no window to report on.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The broker.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Another run.
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// Records that are gone.
    #[error("{0}")]
    DataLoss(String),
    /// A setting that does not fit the topic.
    #[error("{0}")]
    Setting(String),
    /// The engine that delivers.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// A signal, before there was anything to settle.
    #[error("a signal ended the run before it began: nothing was read, and nothing delivered")]
    Cancelled,
    /// The system.
    #[error("starting a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl Run<'_> {
    /// Runs one window and reports on it. `watch` is called several times a second.
    ///
    /// Nothing is lost whatever way it ends: what was not delivered or set aside is not committed.
    pub fn window(&self, id: &str, watch: impl FnMut(&Scan<'_>)) -> RunReport {
        let (started, clock) = (SystemTime::now(), Instant::now());
        let mut report_builder =
            ReportBuilder::new(id, self.config, self.route_configs, self.dry_run);
        if let Err(failure) = self.relay(clock, &mut report_builder, watch) {
            match &failure {
                Failure::Cancelled => tracing::warn!(run = id, "{failure}"),
                failure => tracing::error!(run = id, "{failure}"),
            }
            report_builder.blame(&failure);
        }
        report_builder.report(started, clock.elapsed())
    }

    fn relay(
        &self,
        clock: Instant,
        report_builder: &mut ReportBuilder,
        watch: impl FnMut(&Scan<'_>),
    ) -> Result<(), Failure> {
        let config = self.config;
        let reader = Reader::new(&config.kafka.reader(&config.group), &config.kafka.topic)
            .map_err(|error| SourceError::client(&config.kafka, error))?;
        let list_offsets = reader
            .list_offsets(
                &config.window_start,
                &config.window_end,
                self.patience(clock),
                self.shutdown,
            )
            .map_err(|error| self.unless_asked(error))?;
        report_builder
            .identity
            .cluster
            .clone_from(&list_offsets.stream.cluster);
        report_builder
            .identity
            .topic_id
            .clone_from(&list_offsets.topic_id);
        let scope = self.scope(&list_offsets);
        self.check_partitions(&list_offsets.partition_offsets)?;
        let mut window = Window::plan(
            &list_offsets.partition_offsets,
            &self.known(&list_offsets.partition_offsets, &scope),
            &config.window_start,
            &config.window_end,
            config.records,
        );
        self.find_losses(&list_offsets, &scope, &mut window, report_builder)?;
        if window.length() == 0 {
            report_builder.nothing_to_do(&list_offsets, &window);
            return Ok(());
        }

        // Only work is worth a place in the group; a replay and a dry run move no commit and need none.
        let membership = if self.moves_commits() {
            let joined = self.joining(clock).join(&reader, &config.kafka);
            Some(joined.map_err(|fenced| self.unless_asked(fenced))?)
        } else {
            None
        };
        let parts = self.parts(
            &reader,
            &window,
            &scope,
            membership.as_ref(),
            self.patience(clock),
        )?;
        let (member, group) = match membership {
            Some(Membership { member, events, .. }) => (Some(Arc::new(member)), Some(events)),
            None => (None, None),
        };
        let (settled, completions) = channel();
        let (written, letters) = channel();
        let tools = Tools {
            topic: Arc::from(config.kafka.topic.as_str()),
            reader: &reader,
            routes: self.routes,
            delivery: if self.dry_run {
                None
            } else {
                Some(Delivery::start(self.delivery(&list_offsets), settled)?)
            },
            settled: completions,
            dead_letters: (!self.dry_run)
                .then(|| self.dead_letters(&report_builder.identity.run, written)),
            written: letters,
            committer: member.as_ref().map(Committer::start).transpose()?,
            group,
            window: &window,
            shutdown: self.shutdown,
        };
        let mut scan = Scan::new(tools, self.rules(scope), parts, self.deadlines(clock));
        let scanned = scan.run(watch);
        report_builder.take(&reader, &list_offsets, &window, &scan);
        Ok(scanned?)
    }

    /// True unless the window is a replay or nothing is to be done.
    fn moves_commits(&self) -> bool {
        self.config.window_start == WindowStart::Committed && !self.dry_run
    }

    fn scope(&self, list_offsets: &TopicOffsets) -> Scope {
        Scope {
            topic: list_offsets.topic_id.clone().unwrap_or_default(),
            routes: self.routes.fingerprint(),
        }
    }

    /// A window of partitions that the topic does not have would be empty, and look like success.
    fn check_partitions(&self, partition_offsets: &[PartitionOffsets]) -> Result<(), Failure> {
        for (setting, partitions) in [
            (&WINDOW_START, self.config.window_start.partitions()),
            (&WINDOW_END, self.config.window_end.partitions()),
        ] {
            let is_there = |partition: &i32| {
                partition_offsets
                    .iter()
                    .any(|at| at.partition == *partition)
            };
            if let Some(partition) = partitions.into_iter().find(|named| !is_there(named)) {
                return Err(Failure::Setting(format!(
                    "{} names partition {partition}, and {} has partitions 0 to {}",
                    setting.variable(),
                    self.config.kafka.topic,
                    partition_offsets.len().saturating_sub(1)
                )));
            }
        }
        Ok(())
    }

    /// What earlier runs have noted beyond the commits of each partition, as far as it can be believed.
    fn known(
        &self,
        partition_offsets: &[PartitionOffsets],
        scope: &Scope,
    ) -> BTreeMap<i32, OffsetMap> {
        if self.config.window_start != WindowStart::Committed {
            return BTreeMap::new();
        }
        let known = partition_offsets.iter().filter_map(|at| {
            let done = offset_map::decode(&at.metadata, at.committed?, scope).ok()?;
            Some((at.partition, done))
        });
        known.collect()
    }

    /// Records that are gone before anyone read them end the run, unless it is set to go on.
    fn find_losses(
        &self,
        list_offsets: &TopicOffsets,
        scope: &Scope,
        window: &mut Window,
        report_builder: &mut ReportBuilder,
    ) -> Result<(), Failure> {
        let mut losses: Vec<String> = window
            .data_losses
            .iter()
            .map(|loss| format!("partition {}: {}", loss.partition, loss.what))
            .collect();
        for offsets in list_offsets
            .partition_offsets
            .iter()
            .filter(|_| self.config.window_start == WindowStart::Committed)
        {
            let Some(committed) = offsets.committed else {
                continue;
            };
            if offset_map::decode(&offsets.metadata, committed, scope)
                == Err(InvalidMetadata::TopicMismatch)
            {
                losses.push(format!(
                    "partition {}: the commit at {committed} was made for another topic of this name, which was deleted; \
                     what was not read of it is gone, and {} offsets of the new one lie below the commit",
                    offsets.partition,
                    committed.min(offsets.high) - offsets.low,
                ));
                window.restart(offsets.partition, committed, offsets.low, offsets.high);
            }
        }
        if losses.is_empty() {
            return Ok(());
        }
        let records: i64 = window.data_losses.iter().map(|loss| loss.records).sum();
        let told = format!(
            "{records} records were lost before this run read them: {}",
            losses.join("; ")
        );
        match self.config.on_data_loss {
            OnDataLoss::Stop => Err(Failure::DataLoss(format!(
                "{told}. ON_DATA_LOSS=continue goes on without them"
            ))),
            OnDataLoss::Continue => {
                tracing::error!("{told}; going on, as ON_DATA_LOSS says");
                report_builder.notes.push(told);
                Ok(())
            }
        }
    }

    /// How long the broker may take before there is anything to do: a deadline is one from the start.
    fn patience(&self, clock: Instant) -> Duration {
        let left = |deadlines: Deadlines| {
            let left = deadlines.drained.saturating_duration_since(Instant::now());
            left.max(Duration::from_millis(1))
        };
        let patience = self.config.start_timeout;
        self.deadlines(clock)
            .map_or(patience, |deadlines| patience.min(left(deadlines)))
    }

    /// Who is asked to stop waits for nothing, and so has met nothing that is worth a word.
    fn unless_asked(&self, failure: impl Into<Failure>) -> Failure {
        if self.shutdown.load(Ordering::Relaxed) {
            Failure::Cancelled
        } else {
            failure.into()
        }
    }

    fn joining(&self, clock: Instant) -> Joining<'_> {
        Joining {
            group: self.config.group.clone(),
            protocol: self.config.group_protocol,
            concurrent_runs: self.config.concurrent_runs,
            patience: self.patience(clock),
            settling: self.config.settling(),
            shutdown: self.shutdown,
        }
    }

    /// Our partitions, each from where the group's commit is at this moment: now that they are ours, nobody moves it.
    fn parts(
        &self,
        reader: &Reader,
        window: &Window,
        scope: &Scope,
        membership: Option<&Membership>,
        patience: Duration,
    ) -> Result<BTreeMap<i32, Part>, SourceError> {
        let routes = self.routes.names().len();
        let Some(membership) = membership else {
            return Ok(window
                .ranges
                .iter()
                .map(|range| (range.partition, Part::replay(range, routes)))
                .collect());
        };
        let committed = reader.committed(&membership.partitions, patience)?;
        let parts = committed
            .into_iter()
            .filter_map(|(partition, offset, metadata)| {
                Some((
                    partition,
                    Part::of_group(window, partition, routes, scope, offset, &metadata)?,
                ))
            });
        Ok(parts.collect())
    }

    fn rules(&self, scope: Scope) -> Rules {
        Rules {
            unmatched: self.config.unmatched,
            tombstones_are_dead_letters: self.config.tombstones_are_dead_letters,
            bytes: self.config.bytes,
            dead_letter_max_ratio: self.config.dead_letter_max_ratio,
            dead_letter_min_count: self.config.dead_letter_min_count,
            max_uncommitted: self.uncommitted().unwrap_or(usize::MAX),
            silence: self.config.start_timeout.max(Duration::from_secs(10)) * 3,
            shutdown_timeout: self.config.shutdown_timeout,
            handover: self.config.handover(),
            scope,
        }
    }

    /// The deadline, with the time before it that draining and committing need.
    fn deadlines(&self, clock: Instant) -> Option<Deadlines> {
        let deadline = self.config.deadline?;
        let drained = deadline - (deadline / 10).min(Duration::from_secs(2));
        let reading = drained - self.config.shutdown_timeout.min(drained / 3);
        Some(Deadlines {
            reading: clock + reading,
            drained: clock + drained,
            exit: clock + deadline,
        })
    }

    fn delivery(&self, list_offsets: &TopicOffsets) -> DeliveryConfig {
        // The standard library's own randomness: two runs must not retry in step.
        let seed = RandomState::new().build_hasher().finish();
        let stream = list_offsets.stream.clone();
        let mut config = self
            .config
            .delivery(self.route_configs, stream, self.schema, seed);
        config.limits.max_uncommitted = self.uncommitted();
        config
    }

    /// The bound on what is uncommitted, where anything is committed.
    fn uncommitted(&self) -> Option<usize> {
        let bound = self.config.limits.max_uncommitted;
        bound.filter(|_| self.moves_commits())
    }

    fn dead_letters(&self, run: &str, outcomes: Sender<Written>) -> DeadLetters {
        let writer = Writer {
            topic: self.config.dead_letter_topic.clone(),
            group: self.config.group.clone(),
            run: run.to_owned(),
            envelope: self.config.dead_letter_envelope,
        };
        DeadLetters::new(self.config.dead_letter_producer(), writer, outcomes)
    }
}
