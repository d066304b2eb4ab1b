//! Traces: spans of the programs, which continue those of callers and records.

mod context;
mod sampler;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanLimits,
};
use settings::SettingError;

pub use context::TraceContext;
pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;
pub use span::{Span, SpanStart};

use crate::exporter::{Exporter, Variables, ignored};

/// The most links of a span.
pub const MAX_LINKS: u32 = 128;

/// Makes spans. It is cheap to clone. A program without traces has none.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// A span was recorded since the last flush.
    has_spans: AtomicBool,
}

impl Tracer {
    /// Starts the traces. `None`: they are not exported.
    ///
    /// # Errors
    /// As for [`Exporter::spans`].
    pub fn start(exporter: &Exporter) -> Result<Option<Self>, SettingError> {
        let Some(spans) = exporter.spans()? else {
            return Ok(None);
        };
        let variables = exporter.variables();
        check_propagators(variables);
        let processor = BatchSpanProcessor::builder(spans).with_batch_config(batches(variables));
        let limits = SpanLimits {
            max_links_per_span: MAX_LINKS,
            ..SpanLimits::default()
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(exporter.resource())
            .with_sampler(sampler::sampler(variables))
            .with_span_limits(limits)
            .with_span_processor(processor.build())
            .build();
        let tracer = provider.tracer("frontdoor");
        Ok(Some(Self(Arc::new(Inner {
            provider,
            tracer,
            has_spans: AtomicBool::new(false),
        }))))
    }

    /// Starts a span. If the parent's trace is not sampled, nothing is recorded, and the context is the parent's.
    pub fn span(
        &self,
        name: impl Into<std::borrow::Cow<'static, str>>,
        kind: SpanKind,
        mut start: SpanStart<'_>,
    ) -> Span {
        let Self(inner) = self;
        let parent = match start.parent {
            Some(TraceContext(parent)) => Context::new().with_remote_span_context(parent.clone()),
            None => Context::new(),
        };
        let builder = inner
            .tracer
            .span_builder(name)
            .with_kind(kind)
            .with_links(start.links())
            .with_attributes(std::mem::take(&mut start.attributes));
        let span = inner.tracer.build_with_context(builder, &parent);
        let context = match start.parent {
            Some(parent) if !span.is_recording() => parent.clone(),
            _ => TraceContext(span.span_context().clone()),
        };
        if span.is_recording() {
            inner.has_spans.store(true, Ordering::Relaxed);
        }
        Span { span, context }
    }

    /// Whether a span was recorded since the last call of this function.
    pub(crate) fn take_has_spans(&self) -> bool {
        self.0.has_spans.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn flush(&self) {
        // A failure was logged by the exporter.
        let _ = self.0.provider.force_flush();
    }

    pub(crate) fn shutdown(&self, timeout: Duration) {
        // The same.
        let _ = self.0.provider.shutdown_with_timeout(timeout);
    }
}

/// The queue between the program and the exporter (`OTEL_BSP_…`).
fn batches(variables: &Variables) -> opentelemetry_sdk::trace::BatchConfig {
    let delay = variables.milliseconds("bsp_schedule_delay");
    BatchConfigBuilder::default()
        .with_max_queue_size(variables.size("bsp_max_queue_size", 2048))
        .with_max_export_batch_size(variables.size("bsp_max_export_batch_size", 512))
        .with_scheduled_delay(delay.unwrap_or(Duration::from_secs(5)))
        .build()
}

/// The programs read and write the formats of W3C, and the function reads B3 too. Others are not supported.
fn check_propagators(variables: &Variables) {
    const SUPPORTED: [&str; 4] = ["tracecontext", "baggage", "b3", "b3multi"];
    let Some(text) = variables.text("propagators") else {
        return;
    };
    let mut words = text.split(',').map(str::trim);
    if !words.all(|word| SUPPORTED.contains(&word)) {
        ignored("propagators", text, "tracecontext, baggage, b3 or b3multi");
    }
}
