//! Metrics of the job: of the last run, all computed from its report, and of the process.
//!
//! [`JobMetrics`] has the values, [`publish`] writes them after each window to a file and to a Pushgateway.
//! [`definitions`] has the names.

mod config;
mod counters;
pub mod definitions;
mod last_success;
pub mod latency;
mod live;
pub mod markdown;
mod process;
mod publish;
mod report;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry::KeyValue;
use telemetry::metrics::{Metrics, MetricsError, MetricsPush};

use crate::pipeline::Pipeline;
use crate::report::RunReport;
use crate::traces::PROGRAM;
use counters::Counters;
use definitions::{Metric, Sample};
use latency::{Latencies, LatencyCollector};
use live::LiveRoute;

pub use config::MetricsConfig;
pub use publish::{publish, publish_failure};
pub use report::samples;

/// The maximum number of series of a metric: those of 3,333 partitions.
pub const MAX_SERIES: usize = 20_000;

/// The metrics of the process. Clones share them.
///
/// All of them have the labels `topic` and `group`. When a reload of the settings changes one of these, all metrics start
/// again.
#[derive(Clone)]
pub struct JobMetrics {
    environment: Arc<Environment>,
    is_long_lived: bool,
    current: Arc<Mutex<Option<Current>>>,
    failures: publish::Failures,
    exporter: Option<MetricsPush>,
}

/// Looks up a variable.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The metrics of one topic and group.
struct Current {
    topic: String,
    group: String,
    metrics: Metrics,
    values: Arc<Mutex<Values>>,
    latencies: Arc<Mutex<Latencies>>,
}

#[derive(Default)]
struct Values {
    last_run: Vec<Sample>,
    last_success: Option<f64>,
    /// Only in a process with more than one run: with cron, each run would start them again at 0.
    counters: Option<Counters>,
    routes: Vec<LiveRoute>,
}

impl JobMetrics {
    /// No metrics yet. `is_long_lived`: the process has more than one run. `environment` has the variables of
    /// OpenTelemetry's resource.
    pub fn new(
        is_long_lived: bool,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            environment: Arc::new(environment),
            is_long_lived,
            current: Arc::default(),
            failures: publish::Failures::default(),
            exporter: None,
        }
    }

    /// Each run also pushes the metrics to this exporter. Call it before the first run.
    pub fn set_exporter(&mut self, exporter: Option<MetricsPush>) {
        self.exporter = exporter;
    }

    /// Whether a run with these settings has a use for metrics: they go somewhere, or a server of this process shows them.
    pub fn is_used(&self, config: &MetricsConfig) -> bool {
        self.is_long_lived || self.exporter.is_some() || !config.is_empty()
    }

    /// A run of this group on this topic begins. A failure is logged, and there are no metrics then.
    pub fn begin(&self, topic: &str, group: &str) {
        let mut current = self.lock();
        let is_same = |current: &Current| current.topic == topic && current.group == group;
        if !current.as_ref().is_some_and(is_same) {
            let started = self.start(topic, group);
            *current = started
                .map_err(|error| self.failures.add("metrics", &error))
                .ok();
        }
    }

    /// Takes what the routes with these names do at the moment. Does nothing in a process with a single run.
    pub fn observe(&self, pipeline: &Pipeline<'_>, routes: &[&str]) {
        if self.is_long_lived
            && let Some(current) = &*self.lock()
        {
            current.values().routes = live::of_pipeline(pipeline, routes);
        }
    }

    /// Takes the report of a run that has [begun](JobMetrics::begin). `last_success` is the time of an earlier run with exit
    /// code 0, if another process had it.
    pub fn record(&self, report: &RunReport, last_success: Option<f64>) {
        let Some(current) = &*self.lock() else {
            return;
        };
        let mut values = current.values();
        values.last_success = match report.exit_code {
            0 => report::seconds(&report.ended),
            _ => values.last_success.or(last_success),
        };
        values.last_run = samples(report, values.last_success);
        if let Some(counters) = &mut values.counters {
            counters.add(report);
        }
        values.routes.iter_mut().for_each(LiveRoute::end);
        latency::add(&mut current.latencies(), report);
    }

    /// Takes the end of a run without a report, in seconds since 1970.
    pub fn record_failure(&self, exit_code: u8, ended: f64, last_success: Option<f64>) {
        if let Some(current) = &*self.lock() {
            let mut values = current.values();
            values.last_success = values.last_success.or(last_success);
            values.last_run = report::end(Some(ended), exit_code, values.last_success);
        }
    }

    /// All metrics in Prometheus' text format; empty before the first run.
    ///
    /// # Errors
    /// The metrics are inconsistent.
    pub fn text(&self) -> Result<String, MetricsError> {
        match &*self.lock() {
            Some(current) => current.metrics.text(),
            None => Ok(String::new()),
        }
    }

    /// Pushes all metrics but the histogram to the exporter, if there is one.
    fn export(&self) -> Result<(), MetricsError> {
        // The lock is not held while the exporter waits.
        let current = self.lock();
        let metrics = current.as_ref().map(|current| current.metrics.clone());
        drop(current);
        match (&self.exporter, metrics) {
            (Some(exporter), Some(metrics)) => exporter.push(&metrics),
            _ => Ok(()),
        }
    }

    fn start(&self, topic: &str, group: &str) -> Result<Current, MetricsError> {
        let attributes = [
            ("messaging.destination.name", topic.to_owned()),
            ("messaging.consumer.group.name", group.to_owned()),
        ];
        let resource = PROGRAM.resource(attributes, &*self.environment);
        let metrics = match self.exporter {
            Some(_) => Metrics::with_push(resource, MAX_SERIES),
            None => Metrics::new(resource, MAX_SERIES),
        }?;
        let values = Arc::new(Mutex::new(Values {
            counters: self.is_long_lived.then(Counters::default),
            ..Values::default()
        }));
        let labels = [("group", group.to_owned()), ("topic", topic.to_owned())];
        for metric in definitions::ALL {
            register(&metrics, metric, &labels, &values);
        }
        let latencies = Arc::default();
        metrics.register(LatencyCollector::collector(Arc::clone(&latencies), labels))?;
        Ok(Current {
            topic: topic.to_owned(),
            group: group.to_owned(),
            metrics,
            values,
            latencies,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Values {
    /// The values of one metric.
    fn samples(&self, metric: &'static Metric) -> Vec<Sample> {
        let is_of_metric = |sample: &&Sample| std::ptr::eq(sample.metric, metric);
        let last_run = self.last_run.iter().filter(is_of_metric).cloned();
        let counters = self.counters.iter().flat_map(Counters::samples);
        let routes = self.routes.iter().flat_map(LiveRoute::samples);
        let others = counters.chain(routes).chain(process::samples(metric));
        last_run
            .chain(others.filter(|sample| is_of_metric(&sample)))
            .collect()
    }
}

/// Adds an instrument that observes the values of the metric.
fn register(
    metrics: &Metrics,
    metric: &'static Metric,
    labels: &[(&'static str, String); 2],
    values: &Arc<Mutex<Values>>,
) {
    let (values, labels) = (Arc::clone(values), labels.clone());
    let observe = move |observe: &dyn Fn(f64, &[KeyValue])| {
        let values = values.lock().unwrap_or_else(PoisonError::into_inner);
        for sample in values.samples(metric) {
            let own = metric.labels.iter().copied().zip(sample.labels);
            let attributes = labels.iter().cloned().chain(own);
            let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
            observe(sample.value, &attributes.collect::<Vec<_>>());
        }
    };
    let meter = metrics.meter();
    match metric.is_counter {
        true => drop(
            meter
                .f64_observable_counter(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.help)
                .with_callback(move |observer| {
                    observe(&|v, attributes| observer.observe(v, attributes))
                })
                .build(),
        ),
        // Not a gauge: the SDK's observable gauge keeps series that are not observed any more. Prometheus' text has both
        // as a gauge.
        false => drop(
            meter
                .f64_observable_up_down_counter(metric.name)
                .with_unit(metric.unit)
                .with_description(metric.help)
                .with_callback(move |observer| {
                    observe(&|v, attributes| observer.observe(v, attributes))
                })
                .build(),
        ),
    }
}

#[cfg(test)]
mod tests;
