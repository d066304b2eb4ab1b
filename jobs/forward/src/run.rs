//! One run: look, plan, join, scan, report. Cron and `--every` do it again.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use settings::catalog::{WINDOW_END, WINDOW_START};

use crate::config::{Config, OnDataLoss};
use crate::dead_letter::{DeadLetters, Writer, Written};
use crate::fence::{Fenced, Joining, Membership};
use crate::findings::Findings;
use crate::report::RunReport;
use crate::route_config::RouteConfig;
use crate::scan::{Deadlines, Part, Rules, Scan, Tools};
use delivery::{Delivery, DeliveryConfig, DeliveryError};
use kafka::commit::Committer;
use kafka::reader::{Reader, SourceError, Survey};
use offsets::donemap::{self, DoneMap, Stamp, Unbelieved};
use offsets::window::{From, Situation, Window};
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
    pub asked_to_stop: &'r AtomicBool,
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
    Asked,
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
        let mut findings = Findings::new(id, self.config, self.route_configs, self.dry_run);
        if let Err(failure) = self.relay(clock, &mut findings, watch) {
            match &failure {
                Failure::Asked => tracing::warn!(run = id, "{failure}"),
                failure => tracing::error!(run = id, "{failure}"),
            }
            findings.blame(&failure);
        }
        findings.report(started, clock.elapsed())
    }

    fn relay(
        &self,
        clock: Instant,
        findings: &mut Findings,
        watch: impl FnMut(&Scan<'_>),
    ) -> Result<(), Failure> {
        let config = self.config;
        let reader = Reader::new(&config.kafka.reader(&config.group), &config.kafka.topic)
            .map_err(|error| SourceError::client(&config.kafka, error))?;
        let survey = reader
            .survey(
                &config.from,
                &config.until,
                self.patience(clock),
                self.asked_to_stop,
            )
            .map_err(|error| self.unless_asked(error))?;
        findings.identity.cluster.clone_from(&survey.stream.cluster);
        findings.identity.topic_id.clone_from(&survey.topic_id);
        let stamp = self.stamp(&survey);
        self.check_partitions(&survey.situations)?;
        let mut window = Window::plan(
            &survey.situations,
            &self.known(&survey.situations, &stamp),
            &config.from,
            &config.until,
            config.records,
        );
        self.find_losses(&survey, &stamp, &mut window, findings)?;
        if window.length() == 0 {
            findings.nothing_to_do(&survey, &window);
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
            &stamp,
            membership.as_ref(),
            self.patience(clock),
        )?;
        let (member, group) = match membership {
            Some(Membership { member, events, .. }) => (Some(Arc::new(member)), Some(events)),
            None => (None, None),
        };
        let (settled, settlements) = channel();
        let (written, letters) = channel();
        let tools = Tools {
            topic: Arc::from(config.kafka.topic.as_str()),
            reader: &reader,
            routes: self.routes,
            delivery: if self.dry_run {
                None
            } else {
                Some(Delivery::start(self.delivery(&survey), settled)?)
            },
            settled: settlements,
            dead_letters: (!self.dry_run)
                .then(|| self.dead_letters(&findings.identity.run, written)),
            written: letters,
            committer: member.as_ref().map(Committer::start).transpose()?,
            group,
            window: &window,
            asked_to_stop: self.asked_to_stop,
        };
        let mut scan = Scan::new(tools, self.rules(stamp), parts, self.deadlines(clock));
        let scanned = scan.run(watch);
        findings.take(&reader, &survey, &window, &scan);
        Ok(scanned?)
    }

    /// True unless the window is a replay or nothing is to be done.
    fn moves_commits(&self) -> bool {
        self.config.from == From::Committed && !self.dry_run
    }

    fn stamp(&self, survey: &Survey) -> Stamp {
        Stamp {
            topic: survey.topic_id.clone().unwrap_or_default(),
            routes: self.routes.fingerprint(),
        }
    }

    /// A window of partitions that the topic does not have would be empty, and look like success.
    fn check_partitions(&self, situations: &[Situation]) -> Result<(), Failure> {
        for (setting, partitions) in [
            (&WINDOW_START, self.config.from.partitions()),
            (&WINDOW_END, self.config.until.partitions()),
        ] {
            let is_there = |partition: &i32| situations.iter().any(|at| at.partition == *partition);
            if let Some(partition) = partitions.into_iter().find(|named| !is_there(named)) {
                return Err(Failure::Setting(format!(
                    "{} names partition {partition}, and {} has partitions 0 to {}",
                    setting.variable(),
                    self.config.kafka.topic,
                    situations.len().saturating_sub(1)
                )));
            }
        }
        Ok(())
    }

    /// What earlier runs have noted beyond the commits of each partition, as far as it can be believed.
    fn known(&self, situations: &[Situation], stamp: &Stamp) -> BTreeMap<i32, DoneMap> {
        if self.config.from != From::Committed {
            return BTreeMap::new();
        }
        let known = situations.iter().filter_map(|at| {
            let done = donemap::decode(&at.metadata, at.committed?, stamp).ok()?;
            Some((at.partition, done))
        });
        known.collect()
    }

    /// Records that are gone before anyone read them end the run, unless it is set to go on.
    fn find_losses(
        &self,
        survey: &Survey,
        stamp: &Stamp,
        window: &mut Window,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let mut losses: Vec<String> = window
            .losses
            .iter()
            .map(|loss| format!("partition {}: {}", loss.partition, loss.what))
            .collect();
        for situation in survey
            .situations
            .iter()
            .filter(|_| self.config.from == From::Committed)
        {
            let Some(committed) = situation.committed else {
                continue;
            };
            if donemap::decode(&situation.metadata, committed, stamp) == Err(Unbelieved::OtherTopic)
            {
                losses.push(format!(
                    "partition {}: the commit at {committed} was made for another topic of this name, which was deleted; \
                     what was not read of it is gone, and {} offsets of the new one lie below the commit",
                    situation.partition,
                    committed.min(situation.high) - situation.low,
                ));
                window.restart(
                    situation.partition,
                    committed,
                    situation.low,
                    situation.high,
                );
            }
        }
        if losses.is_empty() {
            return Ok(());
        }
        let records: i64 = window.losses.iter().map(|loss| loss.records).sum();
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
                findings.notes.push(told);
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
        if self.asked_to_stop.load(Ordering::Relaxed) {
            Failure::Asked
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
            asked_to_stop: self.asked_to_stop,
        }
    }

    /// Our partitions, each from where the group's commit is at this moment: now that they are ours, nobody moves it.
    fn parts(
        &self,
        reader: &Reader,
        window: &Window,
        stamp: &Stamp,
        membership: Option<&Membership>,
        patience: Duration,
    ) -> Result<BTreeMap<i32, Part>, SourceError> {
        let routes = self.routes.names().len();
        let Some(membership) = membership else {
            return Ok(window
                .spans
                .iter()
                .map(|span| (span.partition, Part::replay(span, routes)))
                .collect());
        };
        let committed = reader.committed(&membership.partitions, patience)?;
        let parts = committed
            .into_iter()
            .filter_map(|(partition, offset, metadata)| {
                Some((
                    partition,
                    Part::of_group(window, partition, routes, stamp, offset, &metadata)?,
                ))
            });
        Ok(parts.collect())
    }

    fn rules(&self, stamp: Stamp) -> Rules {
        Rules {
            unmatched: self.config.unmatched,
            tombstones_are_dead_letters: self.config.tombstones_are_dead_letters,
            bytes: self.config.bytes,
            dead_letter_max_ratio: self.config.dead_letter_max_ratio,
            dead_letter_min_count: self.config.dead_letter_min_count,
            uncommitted: self.uncommitted().unwrap_or(usize::MAX),
            silence: self.config.start_timeout.max(Duration::from_secs(10)) * 3,
            grace: self.config.grace,
            handover: self.config.handover(),
            stamp,
        }
    }

    /// The deadline, with the time before it that draining and committing need.
    fn deadlines(&self, clock: Instant) -> Option<Deadlines> {
        let deadline = self.config.deadline?;
        let drained = deadline - (deadline / 10).min(Duration::from_secs(2));
        let reading = drained - self.config.grace.min(drained / 3);
        Some(Deadlines {
            reading: clock + reading,
            drained: clock + drained,
            exit: clock + deadline,
        })
    }

    fn delivery(&self, survey: &Survey) -> DeliveryConfig {
        // The standard library's own randomness: two runs must not retry in step.
        let seed = RandomState::new().build_hasher().finish();
        let stream = survey.stream.clone();
        let mut config = self
            .config
            .delivery(self.route_configs, stream, self.schema, seed);
        config.limits.uncommitted = self.uncommitted();
        config
    }

    /// The bound on what is uncommitted, where anything is committed.
    fn uncommitted(&self) -> Option<usize> {
        let bound = self.config.limits.uncommitted;
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
