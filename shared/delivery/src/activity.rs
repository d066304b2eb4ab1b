//! What a route does at a moment, for displays and metrics.

use std::time::Instant;

/// What a route does at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteActivity {
    /// The state of its circuit breaker, or of the one that it shares with other routes, if that is further from closed.
    pub circuit: CircuitPhase,
    /// Before when no request is sent: the circuit is open, or the endpoint requested a pause.
    pub paused_until: Option<Instant>,
    /// Requests without an outcome.
    pub requests_in_flight: usize,
}

/// The state of a circuit breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CircuitPhase {
    /// Requests are sent.
    #[default]
    Closed,
    /// One request is sent as a probe; its outcome closes or opens the circuit.
    HalfOpen,
    /// No request is sent.
    Open,
}

impl CircuitPhase {
    /// The name in metrics: `closed`, `half_open` or `open`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
        }
    }
}
