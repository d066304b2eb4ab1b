//! Decides when the next request of a route can be sent: circuit breaker, rate limit, and pauses that the endpoint
//! requests.

use std::time::Instant;

use super::circuit::{Circuit, CircuitChange, CircuitSettings, CircuitState, Permit};
use super::rate::RateLimiter;

/// The limits on the requests of one route.
#[derive(Debug)]
pub(crate) struct Limiter {
    circuit: Circuit,
    rate: Option<RateLimiter>,
    /// The endpoint requested that no request is sent before this time.
    paused_until: Option<Instant>,
    /// The end of the pause that the endpoint requested, which can be later than that of the pause in this run.
    requested_until: Option<Instant>,
}

/// Whether a request can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Now.
    Now,
    /// Now, as a probe of the circuit breaker.
    Probe,
    /// At this time: the circuit is open, or the endpoint requested a pause.
    Paused(Instant),
    /// At this time: the rate limit is reached.
    RateLimited(Instant),
    /// Not before the outcome of a probe, or not in this run.
    Blocked,
}

impl Limiter {
    /// A limiter that admits requests; `rate` is in requests a second.
    pub(crate) fn new(circuit: CircuitSettings, rate: Option<f64>, now: Instant) -> Self {
        Self {
            circuit: Circuit::new(circuit),
            rate: rate.map(|rate| RateLimiter::new(rate, now)),
            paused_until: None,
            requested_until: None,
        }
    }

    /// Admits no request before `until`, and one as a probe then: an earlier run ended in a pause.
    pub(crate) fn resume(&mut self, until: Instant) {
        self.circuit.open_until(until);
    }

    /// Before when the next run should send no request: the end of the requested pause, or the next probe of the circuit.
    /// `None`: the endpoint works.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.requested_until.max(self.circuit.reopens_at())
    }

    /// Whether a request can be sent now.
    pub(crate) fn admission(&mut self, now: Instant) -> Admission {
        if let Some(until) = self.pause(now) {
            return Admission::Paused(until);
        }
        let admission = match self.circuit.state(now) {
            CircuitState::Closed => Admission::Now,
            CircuitState::ProbeDue => Admission::Probe,
            CircuitState::Open(until) => return Admission::Paused(until),
            CircuitState::Probing | CircuitState::Disabled => return Admission::Blocked,
        };
        match self.rate.as_mut().and_then(|rate| rate.next_token(now)) {
            Some(at) => Admission::RateLimited(at),
            None => admission,
        }
    }

    /// Starts a request that [`Limiter::admission`] has admitted.
    pub(crate) fn acquire(&mut self) -> Permit {
        if let Some(rate) = &mut self.rate {
            rate.take();
        }
        self.circuit.acquire()
    }

    /// Records that the endpoint works. `sent`: when the request was sent. A success ends a requested pause if the request
    /// was sent after the pause of this run.
    pub(crate) fn record_success(&mut self, permit: Permit, sent: Instant) {
        self.circuit.record_success(permit);
        if self.paused_until.is_none_or(|until| sent >= until) {
            self.requested_until = None;
        }
    }

    /// Records that the endpoint failed.
    pub(crate) fn record_failure(&mut self, permit: Permit, now: Instant) -> CircuitChange {
        self.circuit.record_failure(permit, now)
    }

    /// Admits no request before `until`, or before the end of an earlier, longer pause. `requested`: what the endpoint
    /// requested, for [`Limiter::not_before`].
    pub(crate) fn pause_until(&mut self, until: Instant, requested: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
        self.requested_until = self.requested_until.max(Some(requested));
    }

    /// Admits no more requests in this run.
    pub(crate) fn disable(&mut self) {
        self.circuit.disable();
    }

    /// Whether the circuit is closed and no pause is in effect.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.pause(now).is_none() && self.circuit.state(now) == CircuitState::Closed
    }

    /// When the present pause ends, if there is one: the circuit's cool-down, or what the endpoint requested.
    pub(crate) fn pause_end(&self, now: Instant) -> Option<Instant> {
        match self.circuit.state(now) {
            CircuitState::Open(until) => Some(until),
            _ => self.pause(now),
        }
    }

    fn pause(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(rate: Option<f64>, now: Instant) -> Limiter {
        let circuit = CircuitSettings {
            failure_threshold: 1,
            cool_down: SECOND,
            max_probes: 1,
        };
        Limiter::new(circuit, rate, now)
    }

    #[test]
    fn a_pause_applies_even_if_the_circuit_is_closed() {
        let now = Instant::now();
        let mut limiter = limiter(None, now);
        limiter.pause_until(now + 2 * SECOND, now + 2 * SECOND);
        limiter.pause_until(now + SECOND, now + SECOND);
        assert_eq!(limiter.admission(now), Admission::Paused(now + 2 * SECOND));
        assert_eq!(limiter.pause_end(now), Some(now + 2 * SECOND));
        assert!(!limiter.is_open(now));
        assert_eq!(limiter.admission(now + 2 * SECOND), Admission::Now);
        assert!(limiter.is_open(now + 2 * SECOND));
    }

    #[test]
    fn an_open_circuit_admits_one_probe_after_the_cool_down() {
        let now = Instant::now();
        let mut limiter = limiter(None, now);
        let permit = limiter.acquire();
        assert_eq!(
            limiter.record_failure(permit, now),
            CircuitChange::Opened(SECOND)
        );
        assert_eq!(limiter.admission(now), Admission::Paused(now + SECOND));
        assert_eq!(limiter.admission(now + SECOND), Admission::Probe);
        let probe = limiter.acquire();
        assert_eq!(limiter.admission(now + SECOND), Admission::Blocked);
        limiter.record_success(probe, now + SECOND);
        assert_eq!(limiter.admission(now + SECOND), Admission::Now);
    }

    #[test]
    fn a_request_waits_for_the_rate_limit() {
        let now = Instant::now();
        let mut limiter = limiter(Some(1.0), now);
        limiter.acquire();
        assert_eq!(limiter.admission(now), Admission::RateLimited(now + SECOND));
        assert_eq!(limiter.admission(now + SECOND), Admission::Now);
    }

    #[test]
    fn a_requested_pause_lasts_until_a_later_request_succeeds() {
        let now = Instant::now();
        let mut limiter = limiter(None, now);
        let (first, second) = (limiter.acquire(), limiter.acquire());
        assert_eq!(limiter.not_before(), None);
        limiter.pause_until(now + SECOND, now + 900 * SECOND);
        // It was in flight when the endpoint requested the pause.
        limiter.record_success(first, now);
        assert_eq!(limiter.not_before(), Some(now + 900 * SECOND));
        limiter.record_success(second, now + SECOND);
        assert_eq!(limiter.not_before(), None);
    }
}
