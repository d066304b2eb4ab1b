//! The trace of a request: the context that its messages carry, and its spans if there is a tracer.

mod headers;

use http::{HeaderMap, Request, Response, StatusCode};
use http_server::problem::Problem;
use kafka::producer::{PublishError, PublishStatus};
use telemetry::traces::{KeyValue, Span, SpanKind, SpanStart, TraceContext, Tracer};

pub(super) use headers::TraceHeaders;

use super::call::Call;
use crate::metrics::method_name;

/// The most bytes of a path in a span.
const MAX_PATH: usize = 256;

/// The spans of one request. Without a tracer it has none.
pub(super) struct RequestTrace<'a> {
    spans: Option<Spans<'a>>,
}

struct Spans<'a> {
    tracer: &'a Tracer,
    server: Span,
    /// The context of the request's headers, if it has one.
    has_parent: bool,
}

/// The sending of a request's messages.
pub(super) struct ProducerTrace {
    headers: TraceHeaders,
    span: Option<Span>,
}

impl<'a> RequestTrace<'a> {
    /// Starts the span of the request.
    pub(super) fn start<B>(tracer: Option<&'a Tracer>, request: &Request<B>, call: &Call) -> Self {
        let spans = tracer.map(|tracer| {
            let headers = TraceHeaders::of(request.headers());
            let parent = headers.context();
            let method = method_name(request.method());
            let attributes = vec![
                KeyValue::new("http.request.method", method),
                KeyValue::new("url.path", cut(request.uri().path()).to_owned()),
            ];
            let name = if method == "_OTHER" { "HTTP" } else { method };
            let start = SpanStart {
                parent: parent.as_ref(),
                attributes,
                ..SpanStart::default()
            };
            let mut server = tracer.span(name, SpanKind::Server, start);
            if let Some(id) = call.id.clone().filter(|_| server.is_recording()) {
                server.set("faas.invocation_id", id);
            }
            Spans {
                tracer,
                server,
                has_parent: parent.is_some(),
            }
        });
        Self { spans }
    }

    /// Starts the sending of messages to a topic. `records` is the number of messages, if the request has a list of them.
    pub(super) fn producer(
        &self,
        topic: &str,
        records: Option<usize>,
        headers: &HeaderMap,
    ) -> ProducerTrace {
        let mut headers = TraceHeaders::of(headers);
        let Some(spans) = &self.spans else {
            return ProducerTrace {
                headers,
                span: None,
            };
        };
        let is_recording = spans.server.is_recording();
        if !is_recording {
            if !spans.has_parent {
                headers.set_context(spans.server.context());
            }
            return ProducerTrace {
                headers,
                span: None,
            };
        }
        let mut attributes = vec![
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("messaging.destination.name", topic.to_owned()),
        ];
        let records = records.and_then(|records| i64::try_from(records).ok());
        attributes.extend(records.map(|n| KeyValue::new("messaging.batch.message_count", n)));
        let start = SpanStart {
            parent: Some(spans.server.context()),
            attributes,
            ..SpanStart::default()
        };
        let name = format!("send {topic}");
        let span = spans.tracer.span(name, SpanKind::Producer, start);
        headers.set_context(span.context());
        ProducerTrace {
            headers,
            span: Some(span),
        }
    }

    /// The context of the request's span.
    pub(super) fn context(&self) -> Option<TraceContext> {
        self.spans
            .as_ref()
            .map(|spans| spans.server.context().clone())
    }

    /// Ends the span of the request.
    pub(super) fn end<T>(self, result: &Result<Response<T>, Problem>) {
        let Some(Spans { mut server, .. }) = self.spans else {
            return;
        };
        if !server.is_recording() {
            return;
        }
        let status = match result {
            Ok(response) => response.status(),
            Err(problem) => {
                server.set("error.type", problem.kind().name);
                problem.kind().status
            }
        };
        server.set("http.response.status_code", i64::from(status.as_u16()));
        if status >= StatusCode::INTERNAL_SERVER_ERROR {
            server.fail();
        }
    }
}

impl ProducerTrace {
    /// The headers of the messages.
    pub(super) fn headers(&self) -> &TraceHeaders {
        &self.headers
    }

    /// Ends the sending before it began: a message is invalid, or there is no memory for it.
    pub(super) fn cancel(self) {
        if let Some(mut span) = self.span {
            span.set("error.type", "not_sent");
            span.fail();
        }
    }

    /// Ends the span of the sending.
    pub(super) fn end(self, statuses: &[PublishStatus]) {
        let Some(mut span) = self.span else {
            return;
        };
        if let [status] = statuses
            && let Some(receipt) = status.receipt()
        {
            span.set(
                "messaging.destination.partition.id",
                receipt.partition.to_string(),
            );
            span.set("messaging.kafka.offset", receipt.offset);
        }
        if let Some(error) = statuses.iter().filter_map(PublishStatus::error).max() {
            span.set("error.type", error_type(error));
            span.fail();
        }
    }
}

impl TraceHeaders {
    /// The position in the caller's trace, if the request has one.
    fn context(&self) -> Option<TraceContext> {
        let state = self.tracestate.as_deref().map(str::as_bytes);
        TraceContext::parse(self.traceparent.as_deref()?.as_bytes(), state)
    }

    /// Continues the trace at another span. The state stays: it belongs to the trace.
    fn set_context(&mut self, context: &TraceContext) {
        self.traceparent = Some(context.traceparent());
    }
}

/// The trace and the span of a log line.
pub(super) fn ids(context: Option<&TraceContext>) -> (Option<String>, Option<String>) {
    (
        context.map(TraceContext::trace_id),
        context.map(TraceContext::span_id),
    )
}

fn cut(path: &str) -> &str {
    let mut end = path.len().min(MAX_PATH);
    while !path.is_char_boundary(end) {
        end -= 1;
    }
    &path[..end]
}

fn error_type(error: PublishError) -> &'static str {
    match error {
        PublishError::NotAcknowledged => "not_acknowledged",
        PublishError::Rejected => "rejected",
        PublishError::Unauthorized => "unauthorized",
        PublishError::UnknownTopic => "unknown_topic",
        PublishError::InvalidTimestamp => "invalid_timestamp",
        PublishError::TooLarge => "too_large",
    }
}
