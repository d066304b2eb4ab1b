//! Writes the metrics after a run. A failure is one line in the log: it changes neither the run nor its exit code.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kafka::settings::KAFKA_TOPIC;
use runtime::log_limit::LogLimiter;
use settings::Settings;
use telemetry::metrics::{PushError, Pushgateway};

use super::definitions::SUCCESS;
use super::{JobMetrics, MetricsConfig, last_success};
use crate::report::RunReport;
use crate::settings::KAFKA_GROUP_ID;

/// How often a failure of each destination is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(5);

/// Limits the lines about failures.
#[derive(Clone)]
pub(super) struct Failures(Arc<Mutex<LogLimiter<&'static str>>>);

impl Default for Failures {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LogLimiter::new(1, LOG_INTERVAL))))
    }
}

impl Failures {
    pub(super) fn add(&self, destination: &'static str, error: &dyn Display) {
        let mut limiter = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = limiter.admit(destination, Instant::now()) {
            tracing::warn!(destination, %error, suppressed, "the metrics were not written");
        }
    }
}

/// Takes the report of a run and writes the metrics. Nothing is written after a dry run.
pub fn publish(metrics: &JobMetrics, config: &MetricsConfig, report: &RunReport) {
    if report.dry_run {
        return;
    }
    let (topic, group) = (report.topic.as_str(), report.group.as_str());
    metrics.begin(topic, group);
    metrics.record(report, earlier_success(config, topic, group));
    write(metrics, config, topic, group);
}

/// Writes the metrics of a run that has ended without a report.
pub fn publish_failure(metrics: &JobMetrics, settings: &Settings, exit_code: u8, now: SystemTime) {
    let Ok(config) = MetricsConfig::from_settings(settings) else {
        return;
    };
    if !metrics.is_used(&config) {
        return;
    }
    let topic = settings.optional(&KAFKA_TOPIC).unwrap_or_default();
    let group = settings.optional(&KAFKA_GROUP_ID).unwrap_or_default();
    metrics.begin(topic, group);
    let ended = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let ended = ended.as_millis() as f64 / 1000.0;
    metrics.record_failure(exit_code, ended, earlier_success(&config, topic, group));
    write(metrics, &config, topic, group);
}

fn earlier_success(config: &MetricsConfig, topic: &str, group: &str) -> Option<f64> {
    last_success::read(config.file.as_deref()?, topic, group)
}

fn write(metrics: &JobMetrics, config: &MetricsConfig, topic: &str, group: &str) {
    if let Err(error) = metrics.export() {
        metrics.failures.add("metrics", &error);
    }
    if config.is_empty() {
        return;
    }
    let text = match metrics.text() {
        Ok(text) => text,
        Err(error) => return metrics.failures.add("metrics", &error),
    };
    if let Some(path) = &config.file
        && let Err(error) = write_file(path, &text)
    {
        metrics
            .failures
            .add("METRICS_FILE", &format!("{}: {error}", path.display()));
    }
    if let Some(gateway) = &config.pushgateway
        && let Err(error) = push(gateway, &text, topic, group)
    {
        metrics.failures.add("METRICS_PUSHGATEWAY", &error);
    }
}

fn write_file(path: &Path, text: &str) -> std::io::Result<()> {
    runtime::files::replace(path, text.as_bytes())
}

/// Replaces the group of the last run, and after a success the one of the last success, which outlives it.
fn push(gateway: &Pushgateway, text: &str, topic: &str, group: &str) -> Result<(), PushError> {
    let (success, last_run) = split(text);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| PushError::Client(error.to_string()))?;
    let start = Instant::now();
    let grouping = [("job", "forward"), ("topic", topic), ("group", group)];
    // An empty label is no label for Prometheus, but makes another group of the Pushgateway.
    let of_success = [grouping[0], grouping[1], grouping[2], ("last_success", "")];
    let pushed = runtime.block_on(async {
        gateway.replace(&grouping, last_run).await?;
        if success.is_empty() {
            return Ok(());
        }
        let gateway = Pushgateway {
            timeout: gateway.timeout.saturating_sub(start.elapsed()),
            ..gateway.clone()
        };
        gateway.replace(&of_success, success).await
    });
    // A name server that does not answer would delay the end.
    runtime.shutdown_background();
    pushed
}

/// The lines about the last success, and the others.
fn split(text: &str) -> (String, String) {
    let name = SUCCESS.prometheus_name();
    let is_success = |line: &&str| {
        let rest = line
            .strip_prefix("# HELP ")
            .or(line.strip_prefix("# TYPE "));
        rest.unwrap_or(line).starts_with(&name)
    };
    let (success, others): (Vec<_>, Vec<_>) = text.split_inclusive('\n').partition(is_success);
    (success.concat(), others.concat())
}
