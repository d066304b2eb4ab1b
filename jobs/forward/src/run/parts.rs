//! The parts of a run: its pipeline, with the configuration and the clients.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use delivery::{Delivery, DeliveryConfig, EndpointPause};
use kafka::commit::Committer;
use kafka::list_offsets::TopicOffsets;
use kafka::member::GroupEvent;
use kafka::reader::{Reader, SourceError};
use offsets::offset_map::Scope;
use offsets::window::Window;
use record::StreamId;

use super::Run;
use crate::dead_letter::DeadLetterConfig;
use crate::error::RunError;
use crate::pipeline::{
    Deadlines, PartitionState, Pipeline, PipelineConfig, PipelineIo, WindowOutcome,
};
use crate::plan::PlanError;
use crate::producer::RecordProducer;
use crate::report;
use crate::route_config::RouteConfig;
use crate::traces::RunTrace;
use crate::writer::{AnswerTopics, RecordWriter, WriteResult};

/// A window that is planned, with everything that its pipeline needs.
pub(super) struct OpenWindow<'w> {
    pub(super) reader: &'w Reader,
    pub(super) stream: &'w StreamId,
    pub(super) window: &'w Window,
    pub(super) partitions: BTreeMap<i32, PartitionState>,
    /// `None`: nothing is committed.
    pub(super) committer: Option<Committer>,
    /// `None`: the partitions do not come from the group.
    pub(super) group: Option<Receiver<GroupEvent>>,
    pub(super) config: PipelineConfig,
    /// `None`: nothing is delivered.
    pub(super) delivery: Option<DeliveryConfig>,
}

impl Run<'_> {
    /// Reads, delivers and commits in this process. Returns what was done, and the error if nothing could be read.
    ///
    /// # Errors
    /// A thread or a client cannot be started; nothing was done.
    pub(super) fn work(
        &self,
        open: OpenWindow<'_>,
        id: &str,
        watch: impl FnMut(&Pipeline<'_>),
    ) -> Result<(WindowOutcome, Option<SourceError>), RunError> {
        let (completed, completions) = channel();
        let (acknowledged, acknowledgements) = channel();
        let delivery = open
            .delivery
            .map(|config| Delivery::start(config, completed));
        let io = PipelineIo {
            topic: Arc::from(self.config.kafka.topic.as_str()),
            reader: open.reader,
            letters: self.letters,
            routes: self.routes,
            schemas: self.schemas.clone(),
            registry: self.registry.cloned(),
            delivery: delivery.transpose()?,
            completions,
            writer: (!self.dry_run).then(|| self.writer(id, open.stream, acknowledged)),
            acknowledgements,
            committer: open.committer,
            group: open.group,
            window: open.window,
            shutdown: self.shutdown,
        };
        let mut pipeline = Pipeline::new(io, &open.config, open.partitions)?;
        let result = pipeline.run(watch);
        Ok((pipeline.outcome(), result.err()))
    }

    /// The configuration of the pipeline of a run that started at `clock`.
    pub(super) fn pipeline_config(&self, scope: Scope, clock: Instant) -> PipelineConfig {
        /// A log or a coordinator that fails over may be silent for this long.
        const MIN_SILENCE_TIMEOUT: Duration = Duration::from_secs(30);
        PipelineConfig {
            unmatched: self.config.unmatched,
            tombstones_are_dead_letters: self.config.tombstones_are_dead_letters,
            tombstone_route: RouteConfig::tombstone_route(self.route_configs),
            delivery_schema: self.config.delivery_schema,
            max_bytes: self.config.bytes,
            dead_letter_max_ratio: self.config.dead_letter_max_ratio,
            dead_letter_min_count: self.config.dead_letter_min_count,
            max_uncommitted_dead_letters: (self.config.max_uncommitted_dead_letters())
                .filter(|_| self.moves_commits())
                .unwrap_or(usize::MAX),
            silence_timeout: MIN_SILENCE_TIMEOUT.max(self.config.start_timeout.saturating_mul(3)),
            shutdown_timeout: self.config.shutdown_timeout,
            handover_timeout: self.config.handover(self.route_configs),
            give_up_after: self.config.give_up_after,
            deadlines: self.deadlines(clock),
            scope,
        }
    }

    /// The deadline, with the time before it that draining and committing need.
    pub(super) fn deadlines(&self, clock: Instant) -> Option<Deadlines> {
        let deadline = self.config.deadline?;
        Some(Deadlines::new(
            clock,
            deadline,
            self.config.shutdown_timeout,
        ))
    }

    /// The configuration of delivery. `pause_ends`: the ends of the pauses that an earlier run has recorded.
    pub(super) fn delivery_config(
        &self,
        topic: &TopicOffsets,
        pause_ends: &[Option<SystemTime>],
        trace: Option<&RunTrace>,
    ) -> Result<DeliveryConfig, PlanError> {
        // The standard library's random keys: two runs must not retry at the same moments.
        let seed = RandomState::new().build_hasher().finish();
        let stream = topic.stream.clone();
        let reader = self.schemas.reader();
        let config = self
            .config
            .delivery(self.route_configs, stream, reader, seed);
        let mut config = config.map_err(|error| PlanError::Setting(error.to_string()))?;
        config.observer = trace.map(|trace| Arc::new(trace.observer()) as Arc<_>);
        for endpoint in &mut config.endpoints {
            endpoint.proxies = self.proxies.clone();
        }
        let (now, clock) = (SystemTime::now(), Instant::now());
        for (endpoint, end) in config.endpoints.iter_mut().zip(pause_ends) {
            endpoint.pause = end.map(|end| EndpointPause {
                until: clock + end.duration_since(now).unwrap_or_default(),
                reason: format!(
                    "an earlier run found the endpoint paused until {}",
                    report::rfc3339(end)
                ),
            });
        }
        if !self.moves_commits() {
            // A run that commits nothing has no bound.
            for endpoint in &mut config.endpoints {
                endpoint.limits.max_uncommitted = None;
            }
        }
        Ok(config)
    }

    fn writer(
        &self,
        run: &str,
        stream: &StreamId,
        acknowledged: Sender<WriteResult>,
    ) -> RecordWriter {
        let dead_letters = DeadLetterConfig {
            topic: self.config.dead_letter_topic.clone(),
            group: self.config.group.clone(),
            run: run.to_owned(),
            stream: stream.clone(),
            envelope: self.config.dead_letter_envelope,
        };
        let producer = RecordProducer::new(self.config.dead_letter_producer(), acknowledged);
        let topics = |route: &RouteConfig| {
            let answers = route.answers.as_ref();
            let topic = |text: &Option<String>| text.as_deref().map(Arc::from);
            AnswerTopics {
                route: route.name.clone(),
                success: answers.and_then(|answers| topic(&answers.success_topic)),
                error: answers.and_then(|answers| topic(&answers.error_topic)),
            }
        };
        let answers = self.route_configs.iter().map(topics).collect();
        RecordWriter::new(producer, dead_letters, answers)
    }
}
