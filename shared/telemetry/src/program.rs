//! The telemetry of a program: what its settings ask for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use settings::{SettingError, Settings};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::Program;
use crate::exporter::{self, Exporter, Variables};
use crate::logs::Logs;
use crate::metrics::periodic::PeriodicPush;
use crate::metrics::{Metrics, MetricsPush};
use crate::traces::Tracer;

/// How long a call waits until its telemetry is exported.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long calls do not wait after a flush took too long.
const FLUSH_PAUSE: Duration = Duration::from_secs(30);
/// How long a push of metrics may take.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// The interval of pushes where the settings name none (OpenTelemetry's default).
const PUSH_INTERVAL: Duration = Duration::from_mins(1);
/// How long the end of a program waits until all telemetry of a signal is exported.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// The telemetry of a program. It is cheap to clone. By default there is none, and no thread.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    tracer: Option<Tracer>,
    logs: Option<Logs>,
    metrics: Option<MetricsPush>,
    /// The metrics that are pushed at an interval.
    pushed: Option<PeriodicPush>,
    /// Until when calls do not wait for a flush.
    paused_until: Arc<Mutex<Option<Instant>>>,
}

impl Telemetry {
    /// Starts what the settings ask for. The log is exported from now on.
    ///
    /// # Errors
    /// A setting of telemetry is malformed.
    pub fn start(settings: &Settings, program: Program) -> Result<Self, SettingError> {
        let Some(exporter) = Exporter::from_settings(settings, program)? else {
            return Ok(Self::default());
        };
        let logs = Logs::start(&exporter)?;
        if let Some(logs) = &logs {
            runtime::telemetry::export(logs.layer());
        }
        Ok(Self {
            tracer: Tracer::start(&exporter)?,
            logs,
            metrics: exporter
                .metrics()?
                .map(|exporter| MetricsPush::new(exporter, PUSH_TIMEOUT)),
            pushed: None,
            paused_until: Arc::default(),
        })
    }

    /// Makes spans; `None`: there are no traces.
    pub fn tracer(&self) -> Option<&Tracer> {
        self.tracer.as_ref()
    }

    /// Exports metrics; `None`: they are not exported.
    pub fn metrics(&self) -> Option<MetricsPush> {
        self.metrics.clone()
    }

    /// The resource of the metrics of one of several instances of a program: a random `service.instance.id`, and what the
    /// `OTEL_…` variables say. Without it, the counters of instances would overwrite each other.
    pub fn instance(settings: &Settings, program: Program) -> Resource {
        let id = RandomIdGenerator::default().new_trace_id().to_string();
        let attributes = [("service.instance.id", id)];
        exporter::resource(program, attributes, &Variables::from_settings(settings))
    }

    /// Exports these metrics from now on: the first time at the first flush, later at the interval
    /// `OTEL_METRIC_EXPORT_INTERVAL`, and at the end of the program. Without an exporter of metrics it does nothing.
    pub fn push_metrics(&mut self, metrics: &Metrics, settings: &Settings) {
        let interval = Variables::from_settings(settings).milliseconds("metric_export_interval");
        let interval = interval.unwrap_or(PUSH_INTERVAL);
        let push = self.metrics.clone();
        self.pushed = push.map(|push| PeriodicPush::new(push, metrics.clone(), interval));
    }

    /// Exports the metrics of [`Telemetry::push_metrics`] at their interval. It never completes.
    pub async fn keep_pushing(&self) {
        match &self.pushed {
            Some(pushed) => pushed.run().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until the ended spans, the log, and the metrics of an interval that has ended are exported, for a host that
    /// freezes the program between calls: at most a second, not after the deadline, and not at all for half a minute after it
    /// took longer.
    pub async fn flush(&self, deadline: Option<Instant>) {
        let now = Instant::now();
        let has_spans = self.tracer.as_ref().is_some_and(Tracer::take_has_spans);
        let has_telemetry =
            has_spans || self.logs.is_some() || self.pushed.as_ref().is_some_and(|p| p.is_due(now));
        if !has_telemetry || self.is_paused(now) {
            return;
        }
        let remaining = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let wait = remaining.map_or(FLUSH_TIMEOUT, |remaining| remaining.min(FLUSH_TIMEOUT));
        let telemetry = self.clone();
        let flush = spawn_blocking(move || {
            telemetry.tracer.iter().for_each(Tracer::flush);
            telemetry.logs.iter().for_each(Logs::flush);
            let pushed = telemetry.pushed.iter();
            pushed.for_each(|pushed| pushed.push_if_due(Instant::now()));
        });
        if timeout(wait, flush).await.is_err() && wait == FLUSH_TIMEOUT {
            *self.paused_until() = Some(Instant::now() + FLUSH_PAUSE);
        }
    }

    /// Exports the rest at the end of the program. Each signal may take three seconds.
    pub async fn shutdown(&self) {
        if self.tracer.is_none() && self.logs.is_none() && self.pushed.is_none() {
            return;
        }
        let telemetry = self.clone();
        // A thread that cannot be started exports nothing.
        let _ = spawn_blocking(move || telemetry.shutdown_blocking()).await;
    }

    /// The same for a program that may block.
    pub fn shutdown_blocking(&self) {
        if let Some(tracer) = &self.tracer {
            tracer.shutdown(SHUTDOWN_TIMEOUT);
        }
        if let Some(logs) = &self.logs {
            logs.shutdown(SHUTDOWN_TIMEOUT);
        }
        if let Some(pushed) = &self.pushed {
            pushed.push();
        }
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until().is_some_and(|until| now < until)
    }

    fn paused_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let guard = self.paused_until.lock();
        guard.unwrap_or_else(PoisonError::into_inner)
    }
}
