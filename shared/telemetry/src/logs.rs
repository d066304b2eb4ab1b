//! The log over OTLP, in addition to the lines on standard error.

use std::time::Duration;

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::{BatchConfig, BatchConfigBuilder, BatchLogProcessor};
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use settings::SettingError;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::exporter::{Exporter, Variables};

/// The targets of events about an export. Exporting them would cause further ones.
const OWN: [&str; 7] = [
    "h2",
    "hyper",
    "opentelemetry",
    "reqwest",
    "telemetry",
    "tonic",
    "tower",
];

/// The export of the log. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Logs(SdkLoggerProvider);

impl Logs {
    /// Starts the export. `None`: the log is not exported.
    ///
    /// # Errors
    /// As for [`Exporter::spans`].
    pub fn start(exporter: &Exporter) -> Result<Option<Self>, SettingError> {
        let Some(logs) = exporter.logs()? else {
            return Ok(None);
        };
        let processor = BatchLogProcessor::builder(logs);
        let processor = processor.with_batch_config(batches(exporter.variables()));
        let provider = SdkLoggerProvider::builder()
            .with_resource(exporter.resource())
            .with_log_processor(processor.build())
            .build();
        Ok(Some(Self(provider)))
    }

    /// The layer of the log's subscriber. It has no filter of its own but for events about the export.
    pub fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        Box::new(ExportLayer(OpenTelemetryTracingBridge::new(&self.0)))
    }

    pub(crate) fn flush(&self) {
        // A failure was logged by the exporter.
        let _ = self.0.force_flush();
    }

    pub(crate) fn shutdown(&self, timeout: Duration) {
        // The same.
        let _ = self.0.shutdown_with_timeout(timeout);
    }
}

struct ExportLayer(OpenTelemetryTracingBridge<SdkLoggerProvider, SdkLogger>);

impl<S> Layer<S> for ExportLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if !is_own(event.metadata().target()) {
            self.0.on_event(event, context);
        }
    }
}

/// Whether an event is about an export, by the crate in its target.
fn is_own(target: &str) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    OWN.iter().any(|own| {
        let rest = name.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['_', '-', '.']))
    })
}

/// The queue between the program and the exporter (`OTEL_BLRP_…`).
fn batches(variables: &Variables) -> BatchConfig {
    let delay = variables.milliseconds("blrp_schedule_delay");
    BatchConfigBuilder::default()
        .with_max_queue_size(variables.size("blrp_max_queue_size", 2048))
        .with_max_export_batch_size(variables.size("blrp_max_export_batch_size", 512))
        .with_scheduled_delay(delay.unwrap_or(Duration::from_secs(1)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_about_an_export_are_not_exported() {
        for own in [
            "telemetry::exporter::logged",
            "opentelemetry_sdk",
            "hyper_util::client",
            "h2",
            "opentelemetry-otlp",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in ["fn_recep_avro::ingest", "telemetryx", "forward", "hyperion"] {
            assert!(!is_own(other), "{other}");
        }
    }
}
