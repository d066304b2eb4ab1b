//! Traces: spans of the programs, which continue those of callers and records.

mod context;
mod sampler;
mod span;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer as _, TracerProvider};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanLimits,
};
use settings::SettingError;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

pub use context::TraceContext;
pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::SpanKind;
pub use span::{Span, SpanStart};

use crate::exporter::{Exporter, Variables, ignored};

/// The most links of a span.
pub const MAX_LINKS: u32 = 128;
/// How long a call waits until its spans are exported.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long calls do not wait after a flush took too long.
const FLUSH_PAUSE: Duration = Duration::from_secs(30);
/// How long the end of the program waits until all spans are exported.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Makes spans. It is cheap to clone. A program without traces has none.
#[derive(Clone, Debug)]
pub struct Tracer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// A span was recorded since the last flush.
    has_spans: AtomicBool,
    /// Until when calls do not wait for a flush.
    paused_until: Mutex<Option<Instant>>,
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
            paused_until: Mutex::default(),
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
        let mut builder = inner
            .tracer
            .span_builder(name)
            .with_kind(kind)
            .with_links(start.links())
            .with_attributes(std::mem::take(&mut start.attributes));
        if let Some(at) = start.at {
            builder = builder.with_start_time(at);
        }
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

    /// Waits until the ended spans are exported, for a host that freezes the program between calls: at most a second, and not
    /// at all for half a minute after it took longer.
    pub async fn flush(&self) {
        let Self(inner) = self;
        if !inner.has_spans.swap(false, Ordering::Relaxed) || self.is_paused(Instant::now()) {
            return;
        }
        let provider = inner.provider.clone();
        let flush = spawn_blocking(move || provider.force_flush());
        if timeout(FLUSH_TIMEOUT, flush).await.is_err() {
            *self.paused_until() = Some(Instant::now() + FLUSH_PAUSE);
        }
    }

    /// Exports the ended spans at the end of the program, and waits three seconds at most.
    pub async fn shutdown(&self) {
        let tracer = self.clone();
        // A thread that cannot be started exports nothing.
        let _ = spawn_blocking(move || tracer.shutdown_blocking()).await;
    }

    /// The same for a program that may block.
    pub fn shutdown_blocking(&self) {
        // A failure was logged by the exporter.
        let _ = self.0.provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT);
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.paused_until().is_some_and(|until| now < until)
    }

    fn paused_until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let guard = self.0.paused_until.lock();
        guard.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue between the program and the exporter (`OTEL_BSP_…`).
fn batches(variables: &Variables) -> opentelemetry_sdk::trace::BatchConfig {
    let number = |name, default: usize| {
        let number = variables.number(name, 1, 65_536);
        number
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(default)
    };
    let delay = variables.milliseconds("bsp_schedule_delay");
    BatchConfigBuilder::default()
        .with_max_queue_size(number("bsp_max_queue_size", 2048))
        .with_max_export_batch_size(number("bsp_max_export_batch_size", 512))
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
