//! A span: one operation of a trace.

use opentelemetry::trace::{Link, Span as _, Status};
use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::trace;

use super::context::TraceContext;

/// An operation of a trace. It ends when it is dropped.
///
/// If the trace is not sampled, nothing is recorded, and the context is the caller's.
#[derive(Debug)]
pub struct Span {
    pub(super) span: trace::Span,
    pub(super) context: TraceContext,
}

impl Span {
    /// Whether attributes are recorded.
    pub fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    /// The context for what follows from this operation.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// Sets an attribute.
    pub fn set(&mut self, key: &'static str, value: impl Into<Value>) {
        self.span
            .set_attribute(KeyValue::new(Key::from_static_str(key), value));
    }

    /// Marks the operation as failed.
    pub fn fail(&mut self) {
        self.span.set_status(Status::error(""));
    }
}

/// How a span begins.
#[derive(Debug, Default)]
pub struct SpanStart<'a> {
    /// The parent; `None`: a new trace.
    pub parent: Option<&'a TraceContext>,
    /// Other traces that the operation is about.
    pub links: Vec<TraceContext>,
    /// The attributes, which are set before the sampler decides.
    pub attributes: Vec<KeyValue>,
}

impl SpanStart<'_> {
    pub(super) fn links(&mut self) -> Vec<Link> {
        let links = std::mem::take(&mut self.links).into_iter();
        links
            .map(|TraceContext(context)| Link::new(context, Vec::new(), 0))
            .collect()
    }
}
