//! Pushes metrics to an exporter of OpenTelemetry when the program decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;

use super::{Metrics, MetricsError};

/// An exporter, such as that of OTLP, that gets metrics when [`MetricsPush::push`] is called: a program that ends after a
/// few seconds has no interval.
#[derive(Clone)]
pub struct MetricsPush(Arc<dyn Fn(&ResourceMetrics) + Send + Sync>);

impl MetricsPush {
    /// `timeout` is the maximum duration of a push. The exporter logs its failures; the metrics are dropped then.
    pub fn new(exporter: impl PushMetricExporter, timeout: Duration) -> Self {
        Self(Arc::new(move |metrics| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                let export =
                    async { tokio::time::timeout(timeout, exporter.export(metrics)).await };
                let _ = runtime.block_on(export);
                // A name server that does not answer would delay the caller.
                runtime.shutdown_background();
            }
        }))
    }

    /// Exports all metrics of the instruments. Blocks: not for an asynchronous context.
    ///
    /// # Errors
    /// The metrics are inconsistent.
    pub fn push(&self, metrics: &Metrics) -> Result<(), MetricsError> {
        if let Some(collected) = metrics.collect()? {
            (self.0)(&collected);
        }
        Ok(())
    }
}

impl fmt::Debug for MetricsPush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetricsPush")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Instant;

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::metrics::Temporality;

    use super::*;
    use crate::Program;

    /// Keeps the names, and answers after a time.
    struct Names(Arc<Mutex<Vec<String>>>, Duration);

    impl PushMetricExporter for Names {
        async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
            let scopes = metrics.scope_metrics();
            let names =
                scopes.flat_map(|scope| scope.metrics().map(|metric| metric.name().to_owned()));
            self.0.lock().unwrap().extend(names);
            tokio::time::sleep(self.1).await;
            Ok(())
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }

        fn temporality(&self) -> Temporality {
            Temporality::Cumulative
        }
    }

    #[test]
    fn each_push_has_all_metrics_and_ends_in_time() {
        let names = Arc::default();
        let push = MetricsPush::new(
            Names(Arc::clone(&names), Duration::from_secs(60)),
            Duration::from_millis(50),
        );
        let program = Program {
            name: "test",
            version: "1",
        };
        let metrics = Metrics::with_push(program.resource([], |_| None), 10).unwrap();
        metrics
            .meter()
            .u64_counter("frontdoor.job.runs")
            .build()
            .add(1, &[]);
        let start = Instant::now();
        push.push(&metrics).unwrap();
        push.push(&metrics).unwrap();
        assert_eq!(*names.lock().unwrap(), ["frontdoor.job.runs"; 2]);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
