//! The spans of a run: the run itself, and each request to an endpoint, which continues the trace of its record.

use bytes::Bytes;
use delivery::{ObservedRequest, RequestEnd, RequestObservation, RequestObserver};
use http::HeaderValue;
use record::{Message, traceparent, tracestate};
use telemetry::Program;
use telemetry::traces::{KeyValue, MAX_LINKS, Span, SpanKind, SpanStart, TraceContext, Tracer};

use crate::config::Config;
use crate::report::RunReport;

/// Exit codes from here on need an operator (`sysexits.h`).
const FIRST_FAILURE: u8 = 64;

/// The program in its telemetry.
pub const PROGRAM: Program = Program {
    name: "forward",
    version: env!("CARGO_PKG_VERSION"),
};

/// The span of a run.
pub(crate) struct RunTrace {
    tracer: Tracer,
    span: Span,
}

impl RunTrace {
    /// Starts the span. The run is the beginning of a trace.
    pub(crate) fn start(tracer: &Tracer, id: &str, config: &Config) -> Self {
        let topic = &config.kafka.topic;
        let attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.destination.name", topic.clone()),
            KeyValue::new("messaging.consumer.group.name", config.group.clone()),
            KeyValue::new("frontdoor.run.id", id.to_owned()),
        ];
        let start = SpanStart {
            attributes,
            ..SpanStart::default()
        };
        Self {
            tracer: tracer.clone(),
            span: tracer.span(format!("run {topic}"), SpanKind::Internal, start),
        }
    }

    /// The observer of the run's requests.
    pub(crate) fn observer(&self) -> RequestTracer {
        RequestTracer {
            tracer: self.tracer.clone(),
            run: self.span.context().clone(),
        }
    }

    /// Ends the span with the counts of the report.
    pub(crate) fn end(mut self, report: &RunReport) {
        if !self.span.is_recording() {
            return;
        }
        let totals = &report.totals;
        for (key, count) in [
            ("frontdoor.records.planned", totals.planned),
            ("frontdoor.records.delivered", totals.delivered),
            ("frontdoor.records.skipped", totals.skipped),
            ("frontdoor.records.dead_lettered", totals.dead_lettered),
            ("frontdoor.records.deferred", totals.deferred),
        ] {
            self.span.set(key, count);
        }
        self.span
            .set("frontdoor.run.outcome", report.outcome.name());
        self.span
            .set("process.exit.code", i64::from(report.exit_code));
        if report.exit_code >= FIRST_FAILURE {
            self.span.fail();
        }
    }
}

/// Starts a client span for each request.
#[derive(Debug)]
pub(crate) struct RequestTracer {
    tracer: Tracer,
    run: TraceContext,
}

impl RequestObserver for RequestTracer {
    fn on_request(&self, request: &ObservedRequest<'_>) -> Option<Box<dyn RequestObservation>> {
        let record = match request.messages {
            [message] if !request.is_batch => context(message),
            _ => None,
        };
        // A request for one record continues its trace; one for several belongs to the run.
        let links = match request.is_batch {
            true => {
                let contexts = request.messages.iter().filter_map(context);
                contexts.take(MAX_LINKS as usize).collect()
            }
            false if record.is_some() => vec![self.run.clone()],
            false => Vec::new(),
        };
        let start = SpanStart {
            parent: Some(record.as_ref().unwrap_or(&self.run)),
            links,
            attributes: attributes(request),
        };
        let method = request.method.as_str().to_owned();
        let span = self.tracer.span(method, SpanKind::Client, start);
        let is_recording = span.is_recording();
        is_recording.then(|| Box::new(RequestSpan(span)) as Box<dyn RequestObservation>)
    }
}

/// The span of a request.
struct RequestSpan(Span);

impl RequestObservation for RequestSpan {
    fn traceparent(&self) -> Option<HeaderValue> {
        HeaderValue::from_maybe_shared(Bytes::from(self.0.context().traceparent())).ok()
    }

    fn on_end(self: Box<Self>, end: RequestEnd) {
        let Self(mut span) = *self;
        let error = match end {
            RequestEnd::Response(status) => {
                span.set("http.response.status_code", i64::from(status));
                (status >= 400).then(|| status.to_string())
            }
            RequestEnd::Timeout => Some("timeout".to_owned()),
            RequestEnd::ConnectionError => Some("connection_error".to_owned()),
        };
        if let Some(error) = error {
            span.set("error.type", error);
            span.fail();
        }
    }
}

/// The attributes of a request. Path and query are not among them: they can hold secrets.
fn attributes(request: &ObservedRequest<'_>) -> Vec<KeyValue> {
    let url = request.url;
    let mut attributes = vec![
        KeyValue::new("http.request.method", request.method.as_str().to_owned()),
        KeyValue::new("url.scheme", if url.tls { "https" } else { "http" }),
        KeyValue::new("server.address", url.host.clone()),
        KeyValue::new("server.port", i64::from(url.port)),
        KeyValue::new("frontdoor.route", request.route.to_owned()),
    ];
    if request.resends > 0 {
        let resends = i64::from(request.resends);
        attributes.push(KeyValue::new("http.request.resend_count", resends));
    }
    if let Some(first) = request.messages.first() {
        let at = first.coordinates();
        attributes.extend([
            KeyValue::new("messaging.destination.name", at.topic.to_string()),
            KeyValue::new(
                "messaging.destination.partition.id",
                at.partition.to_string(),
            ),
            KeyValue::new("messaging.kafka.offset", at.offset),
        ]);
    }
    if request.is_batch {
        let records = i64::try_from(request.messages.len()).unwrap_or(i64::MAX);
        attributes.push(KeyValue::new("messaging.batch.message_count", records));
    }
    attributes
}

/// The trace context of a record.
fn context(message: &Message) -> Option<TraceContext> {
    let header = |name: &str| {
        let mut headers = message.headers.iter();
        let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        value.as_deref()
    };
    TraceContext::parse(header(traceparent::HEADER)?, header(tracestate::HEADER))
}
