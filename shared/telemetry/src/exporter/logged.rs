//! Exporters that log their failures, seldom: the SDK drops what could not be exported.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{self, LogBatch};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{self, SpanData};
use runtime::log_limit::LogLimiter;
use runtime::redact;
use tracing::warn;

use super::http_client::LastFailure;
use super::signal::{Signal, SignalConfig};
use super::thread::ExportThread;

/// How often a failing exporter logs a line.
const LOG_INTERVAL: Duration = Duration::from_secs(300);

/// The exporter of a signal.
pub struct LoggedExporter<E> {
    exporter: E,
    signal: Signal,
    /// Scheme, host and port: the path can be a secret of the collector's operator.
    endpoint: String,
    failure: LastFailure,
    limiter: Mutex<LogLimiter<Signal>>,
    /// The thread of the requests runs as long as there is an exporter.
    _thread: ExportThread,
}

impl<E> LoggedExporter<E> {
    pub(super) fn new(
        exporter: E,
        config: &SignalConfig,
        failure: LastFailure,
        thread: ExportThread,
    ) -> Self {
        let scheme = config.endpoint.scheme_str().unwrap_or_default();
        let authority = config.endpoint.authority();
        let authority = authority.map_or("", |authority| authority.as_str());
        Self {
            exporter,
            signal: config.signal,
            endpoint: format!("{scheme}://{authority}"),
            failure,
            limiter: Mutex::new(LogLimiter::new(1, LOG_INTERVAL)),
            _thread: thread,
        }
    }

    fn logged(&self, result: OTelSdkResult) -> OTelSdkResult {
        let Err(error) = &result else {
            return result;
        };
        let mut limiter = self.limiter.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(not_logged) = limiter.admit(self.signal, Instant::now()) {
            let reason = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            let reason = reason.clone().unwrap_or_else(|| error.to_string());
            warn!(
                signal = self.signal.name(),
                endpoint = self.endpoint,
                error = redact::line(&reason, 300),
                not_logged,
                "exporting telemetry failed: it is dropped"
            );
        }
        result
    }
}

impl<E> fmt::Debug for LoggedExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.signal.name(), self.endpoint)
    }
}

impl trace::SpanExporter for LoggedExporter<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.logged(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl PushMetricExporter for LoggedExporter<MetricExporter> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.logged(self.exporter.export(metrics).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}

impl logs::LogExporter for LoggedExporter<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.logged(self.exporter.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
