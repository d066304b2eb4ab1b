//! A window that workers share: the part of the run that shares it, and the part of a worker.

use std::collections::BTreeMap;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime};

use delivery::{EndpointConfig, EndpointPause, Order};
use kafka::commit::Committer;
use kafka::list_offsets::TopicOffsets;
use kafka::member::GroupEvent;
use offsets::offset_map::OffsetMap;
use offsets::window::{OffsetRange, Window};

use super::Run;
use super::parts::OpenWindow;
use crate::error::RunError;
use crate::pipeline::{Deadlines, PartitionState, PipelineConfig, WindowOutcome};
use crate::route_config::RouteConfig;
use crate::scope;
use crate::traces::RunTrace;
use crate::workers::{Driver, Task, WorkerPool};

/// How long a route is paused that another task has deferred: longer than the task waits for an endpoint.
const DEFERRED: Duration = Duration::from_secs(24 * 3600);

/// What a run that shares its window has of Kafka.
pub(super) struct SharedWindow<'w> {
    pub(super) topic: &'w TopicOffsets,
    pub(super) committer: Option<Committer>,
    pub(super) group: Option<Receiver<GroupEvent>>,
    pub(super) config: PipelineConfig,
    pub(super) pause_ends: &'w [Option<SystemTime>],
}

impl Run<'_> {
    /// The driver of a window that these workers share.
    ///
    /// # Errors
    /// The platform of the workers cannot be started.
    pub(super) fn driver<'d>(
        &'d self,
        pool: &'d WorkerPool<'d>,
        id: &str,
        window: SharedWindow<'_>,
    ) -> Result<Driver<'d>, RunError> {
        let limits = self.route_configs.iter();
        let limits = limits.map(|route| self.config.limits_of(route).max_in_flight);
        let tasks = pool.workers.tasks().map_err(RunError::Workers)?;
        let tasks = limits.fold(tasks, usize::min).max(1);
        let has_order =
            |route: &RouteConfig| route.order.unwrap_or(self.config.order) != Order::None;
        let left = |at: Deadlines| at.exit.saturating_duration_since(Instant::now());
        Ok(Driver {
            workers: pool.workers,
            tasks,
            slice_offsets: pool.workers.slice_offsets().map_err(RunError::Workers)?,
            task: Task {
                version: crate::workers::VERSION.to_owned(),
                settings: pool.settings.clone(),
                run: id.to_owned(),
                group: self.config.group.clone(),
                give_up_after: self.config.give_up_after,
                cluster: window.topic.stream.cluster.clone(),
                topic: window.topic.stream.topic.clone(),
                topic_id: window.topic.topic_id.clone(),
                routes: window.config.scope.routes,
                slice: OffsetRange {
                    partition: 0,
                    start: 0,
                    end: 0,
                },
                completed: OffsetMap::without_gaps(0, 0),
                tasks,
                deadline: window
                    .config
                    .deadlines
                    .map(|at| SystemTime::now() + left(at)),
                pauses: window.pause_ends.to_vec(),
                deferred: vec![None; self.route_configs.len()],
            },
            is_ordered: self.route_configs.iter().any(has_order),
            config: window.config,
            committer: window.committer,
            group: window.group,
            shutdown: self.shutdown,
        })
    }

    /// Works on a slice of a window that another process has planned and commits.
    ///
    /// # Errors
    /// The routes or schemas are not those of the task; a thread or a client cannot be started. Nothing was delivered.
    pub(crate) fn slice(&self, task: &Task) -> Result<WindowOutcome, RunError> {
        let clock = Instant::now();
        let topic = TopicOffsets {
            stream: task.stream(),
            topic_id: task.topic_id.clone(),
            partition_offsets: Vec::new(),
            leader_epochs: BTreeMap::new(),
        };
        let scope = scope::scope(self.routes, self.schemas, self.route_configs, &topic);
        if scope.routes != task.routes {
            return Err(RunError::OtherRoutes);
        }
        let reader = self.reader()?;
        let trace = self.tracer;
        let trace = trace.map(|tracer| RunTrace::start(tracer, &task.run, self.config));
        let mut delivery = self.delivery_config(&topic, &task.pauses, trace.as_ref())?;
        for (endpoint, deferred) in delivery.endpoints.iter_mut().zip(&task.deferred) {
            share(endpoint, task.tasks);
            if let Some(reason) = deferred {
                endpoint.pause = Some(EndpointPause {
                    until: clock + DEFERRED,
                    reason: reason.clone(),
                });
            }
        }
        let deadlines = task.deadline.map(|end| {
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            Deadlines::new(clock, left, self.config.shutdown_timeout)
        });
        let config = PipelineConfig {
            max_uncommitted_dead_letters: usize::MAX,
            deadlines,
            ..self.pipeline_config(scope, clock)
        };
        let range = &task.slice;
        let routes = self.routes.names().len();
        let state = PartitionState::slice(range, routes, task.completed.clone());
        let window = Window {
            ranges: vec![range.clone()],
            ..Window::default()
        };
        let open = OpenWindow {
            reader: &reader,
            stream: &topic.stream,
            window: &window,
            partitions: BTreeMap::from([(range.partition, state)]),
            committer: None,
            group: None,
            config,
            delivery: Some(delivery),
        };
        let (outcome, error) = self.work(open, &task.run, |_| {})?;
        error.map_or(Ok(outcome), |error| Err(error.into()))
    }
}

/// Gives a task its share of the limits of an endpoint. What it has completed is committed by the run: here it has no bound.
fn share(endpoint: &mut EndpointConfig, tasks: usize) {
    let limits = &mut endpoint.limits;
    limits.max_in_flight = (limits.max_in_flight / tasks.max(1)).max(1);
    limits.rate_limit = limits.rate_limit.map(|rate| rate / tasks.max(1) as f64);
    limits.max_uncommitted = None;
}
