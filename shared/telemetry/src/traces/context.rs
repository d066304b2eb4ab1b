//! The trace context that requests and records carry.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use record::{traceparent, tracestate};

/// The position in a trace: a span of this program, or the one of a caller or record (W3C Trace Context).
#[derive(Clone, Debug, PartialEq)]
pub struct TraceContext(pub(super) SpanContext);

impl TraceContext {
    /// The context of these headers. `None`: `traceparent` is invalid. An invalid `tracestate` is ignored (section 3.3.1.5).
    pub fn parse(parent: &[u8], state: Option<&[u8]>) -> Option<Self> {
        if !traceparent::is_valid(parent) {
            return None;
        }
        let parent = std::str::from_utf8(parent).ok()?;
        let mut parts = parent.split('-').skip(1);
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let state = state.filter(|state| tracestate::is_valid(state));
        let state = state.and_then(|state| std::str::from_utf8(state).ok());
        let state = state.and_then(|state| TraceState::from_str(state).ok());
        Some(Self(SpanContext::new(
            TraceId::from_hex(trace).ok()?,
            SpanId::from_hex(span).ok()?,
            // Other flags have no meaning yet (section 3.2.2.5.2).
            TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
            true,
            state.unwrap_or_default(),
        )))
    }

    /// The ID of the trace: 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.0.trace_id().to_string()
    }

    /// The ID of the span: 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        self.0.span_id().to_string()
    }

    /// Calls `log`. What it logs belongs to this span where the log is exported.
    pub fn in_scope(&self, log: impl FnOnce()) {
        let context = Context::new().with_remote_span_context(self.0.clone());
        let _attached = context.attach();
        log();
    }

    /// The value of the header `traceparent`.
    pub fn traceparent(&self) -> String {
        let Self(context) = self;
        format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn parses_what_it_prints_and_keeps_the_state() {
        let context = TraceContext::parse(SAMPLED.as_bytes(), Some(b"a=1,b=2")).unwrap();
        assert_eq!(context.traceparent(), SAMPLED);
        assert!(context.0.is_sampled());
        assert_eq!(context.0.trace_state().header(), "a=1,b=2");
        let unsampled = SAMPLED.replace("-01", "-02");
        let context = TraceContext::parse(unsampled.as_bytes(), Some(b"\xff")).unwrap();
        assert!(!context.0.is_sampled());
        assert_eq!(context.0.trace_state().header(), "");
        assert_eq!(TraceContext::parse(b"00-0-0-01", None), None);
    }
}
