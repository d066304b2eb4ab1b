//! The metrics of a program: a meter for its instruments, Prometheus' text format, and a client of a Pushgateway.

mod memory;
pub(crate) mod periodic;
mod push;
mod pushgateway;

use std::sync::Arc;

use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{
    Instrument, InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Stream, Temporality,
};
use prometheus::core::Collector;
use prometheus::{Registry, TextEncoder};

pub use memory::{ProcessMemory, observe_resident_memory};
pub use push::MetricsPush;
pub use pushgateway::{PushError, Pushgateway, PushgatewayUrl};

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of a program.
///
/// Instruments are made with [`Metrics::meter`], once each: they are cheap to use and to clone, and expensive to make.
/// Their names have OpenTelemetry's form, with dots; the text has Prometheus' form, with the unit and `_total` at the end.
#[derive(Clone, Debug)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: Registry,
    pushed: Option<Arc<ManualReader>>,
}

/// The metrics cannot be registered or encoded.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("the metrics are inconsistent: {0}")]
pub struct MetricsError(String);

impl Metrics {
    /// Metrics for the text format only. Each instrument has at most `max_series` sets of attributes; measurements with
    /// further ones are in one series with the attribute `otel.metric.overflow`.
    ///
    /// # Errors
    /// `max_series` is 0 or [`usize::MAX`].
    pub fn new(resource: Resource, max_series: usize) -> Result<Self, MetricsError> {
        Self::build(resource, max_series, true, None)
    }

    /// The same, and [`Metrics::collect`]. Each measurement costs twice as much.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn with_push(resource: Resource, max_series: usize) -> Result<Self, MetricsError> {
        Self::build(resource, max_series, true, Some(Arc::default()))
    }

    /// Metrics for [`Metrics::collect`] only: the text is empty.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn push_only(resource: Resource, max_series: usize) -> Result<Self, MetricsError> {
        Self::build(resource, max_series, false, Some(Arc::default()))
    }

    fn build(
        resource: Resource,
        max_series: usize,
        has_text: bool,
        pushed: Option<Arc<ManualReader>>,
    ) -> Result<Self, MetricsError> {
        let limited = move || Stream::builder().with_cardinality_limit(max_series).build();
        // A view that fails is ignored, and with it the limit.
        limited().map_err(|error| MetricsError(error.to_string()))?;
        let registry = Registry::new();
        let mut provider = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_view(move |_: &Instrument| limited().ok());
        if has_text {
            let text = opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()
                .map_err(|error| MetricsError(error.to_string()))?;
            provider = provider.with_reader(text);
        }
        if let Some(reader) = &pushed {
            provider = provider.with_reader(SharedReader(Arc::clone(reader)));
        }
        Ok(Self {
            provider: provider.build(),
            registry,
            pushed,
        })
    }

    /// The meter for the program's instruments.
    pub fn meter(&self) -> Meter {
        self.provider.meter("frontdoor")
    }

    /// Adds metrics to the text that no instrument can measure, such as a histogram that was counted elsewhere. They are
    /// not in [`Metrics::collect`].
    ///
    /// # Errors
    /// The collector is invalid, or another one has a metric of the same name.
    pub fn register(
        &self,
        collector: prometheus::Result<Box<dyn Collector>>,
    ) -> Result<(), MetricsError> {
        let registered = collector.and_then(|collector| self.registry.register(collector));
        registered.map_err(|error| MetricsError(error.to_string()))
    }

    /// All metrics in Prometheus' text format 0.0.4
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>), with the resource as `target_info`.
    ///
    /// # Errors
    /// A collector returns a metric without a value.
    pub fn text(&self) -> Result<String, MetricsError> {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.map_err(|error| MetricsError(error.to_string()))
    }

    /// All metrics of the instruments, for an exporter that pushes them; `None` without [`Metrics::with_push`].
    ///
    /// # Errors
    /// A callback of an instrument fails.
    pub fn collect(&self) -> Result<Option<ResourceMetrics>, MetricsError> {
        let Some(reader) = &self.pushed else {
            return Ok(None);
        };
        let mut metrics = ResourceMetrics::default();
        let collected = reader.collect(&mut metrics);
        collected.map_err(|error| MetricsError(error.to_string()))?;
        Ok(Some(metrics))
    }
}

/// A reader that the provider and [`Metrics`] share.
#[derive(Debug)]
struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: std::sync::Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests;
