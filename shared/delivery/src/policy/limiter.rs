//! Decides when the next request of a route can be sent: circuit breaker, rate limit, and pauses that the endpoint
//! requests.

use std::sync::Arc;
use std::time::Instant;

use super::circuit::{Circuit, CircuitChange, CircuitPermit, CircuitSettings, CircuitState};
use super::endpoint_group::{EndpointGroup, Reachability};
use super::pause::RequestedPause;
use super::rate::RateLimiter;
use crate::activity::CircuitPhase;

/// The limits on the requests of one route.
#[derive(Debug)]
pub(crate) struct Limiter {
    circuit: Circuit,
    rate: Option<RateLimiter>,
    pause: RequestedPause,
    /// What the route shares with other routes to the same endpoint.
    group: Option<Arc<EndpointGroup>>,
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
    /// Not in this run: the last probe of a route to the same endpoint has failed.
    GroupFailed,
}

/// Permission for one request; returned with the request's outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permit {
    circuit: CircuitPermit,
    group: Option<CircuitPermit>,
}

impl Limiter {
    /// A limiter that admits requests; `rate` is in requests a second.
    pub(crate) fn new(
        circuit: CircuitSettings,
        rate: Option<f64>,
        group: Option<Arc<EndpointGroup>>,
        now: Instant,
    ) -> Self {
        Self {
            circuit: Circuit::new(circuit),
            rate: rate.map(|rate| RateLimiter::new(rate, now)),
            pause: RequestedPause::default(),
            group,
        }
    }

    /// Admits no request before `until`, and one as a probe then: an earlier run ended in a pause.
    pub(crate) fn resume(&mut self, until: Instant) {
        self.circuit.open_until(until);
    }

    /// Before when the next run should send no request: the end of the requested pause, or the next probe of the circuit.
    /// `None`: the endpoint works.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        let own = self.pause.requested_until().max(self.circuit.reopens_at());
        let shared = self.group.as_ref().and_then(|group| {
            let health = group.lock();
            health
                .pause
                .requested_until()
                .max(health.circuit.reopens_at())
        });
        own.max(shared)
    }

    /// Whether a request can be sent now.
    pub(crate) fn admission(&mut self, now: Instant) -> Admission {
        let shared = self.group_state(now);
        let own = self.circuit.state(now);
        if shared == Some(CircuitState::Disabled) && own != CircuitState::Disabled {
            return Admission::GroupFailed;
        }
        if let Some(until) = self.pause(now) {
            return Admission::Paused(until);
        }
        let mut admission = Admission::Now;
        for state in [Some(own), shared].into_iter().flatten() {
            match state {
                CircuitState::Closed => {}
                CircuitState::ProbeDue => admission = Admission::Probe,
                CircuitState::Open(until) => return Admission::Paused(until),
                CircuitState::Probing | CircuitState::Disabled => return Admission::Blocked,
            }
        }
        match self.rate.as_mut().and_then(|rate| rate.next_token(now)) {
            Some(at) => Admission::RateLimited(at),
            None => admission,
        }
    }

    /// Starts a request that [`Limiter::admission`] has admitted. Two routes of a group can start a probe at the same time;
    /// the first outcome decides.
    pub(crate) fn acquire(&mut self) -> Permit {
        if let Some(rate) = &mut self.rate {
            rate.take();
        }
        Permit {
            circuit: self.circuit.acquire(),
            group: (self.group.as_ref()).map(|group| group.lock().circuit.acquire()),
        }
    }

    /// Records that the endpoint works. `sent`: when the request was sent. A success ends a requested pause if the request
    /// was sent after the pause of this run.
    pub(crate) fn record_success(&mut self, permit: Permit, sent: Instant, now: Instant) {
        self.circuit.record_success(permit.circuit);
        self.pause.record_success(sent);
        if let Some(group) = &self.group {
            group.lock().pause.record_success(sent);
        }
        self.record_for_group(permit, Reachability::Responds, now);
    }

    /// Records that the endpoint failed.
    pub(crate) fn record_failure(
        &mut self,
        permit: Permit,
        reachability: Reachability,
        now: Instant,
    ) -> CircuitChange {
        self.record_for_group(permit, reachability, now);
        self.circuit.record_failure(permit.circuit, now)
    }

    /// Admits no request before `until`, or before the end of an earlier, longer pause. `requested`: what the endpoint
    /// requested, for [`Limiter::not_before`]. `is_shared`: the pause applies to all routes of the group.
    pub(crate) fn pause_until(&mut self, until: Instant, requested: Instant, is_shared: bool) {
        match self.group.as_ref().filter(|_| is_shared) {
            Some(group) => group.lock().pause.extend(until, requested),
            None => self.pause.extend(until, requested),
        }
    }

    /// Admits no more requests in this run.
    pub(crate) fn disable(&mut self) {
        self.circuit.disable();
    }

    /// Whether the circuits are closed and no pause is in effect.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        let closed = CircuitState::Closed;
        self.pause(now).is_none()
            && self.circuit.state(now) == closed
            && self.group_state(now).is_none_or(|state| state == closed)
    }

    /// The phase of the route's circuit, or of the group's, if that is further from closed.
    pub(crate) fn circuit_phase(&self, now: Instant) -> CircuitPhase {
        let phase = |state| match state {
            CircuitState::Closed => CircuitPhase::Closed,
            CircuitState::ProbeDue | CircuitState::Probing => CircuitPhase::HalfOpen,
            CircuitState::Open(_) | CircuitState::Disabled => CircuitPhase::Open,
        };
        let shared = self.group_state(now).map(phase);
        phase(self.circuit.state(now)).max(shared.unwrap_or_default())
    }

    /// When the present pause ends, if there is one: the circuit's cool-down, or what the endpoint requested.
    pub(crate) fn pause_end(&self, now: Instant) -> Option<Instant> {
        match (self.circuit.state(now), self.group_state(now)) {
            (CircuitState::Open(until), _) | (_, Some(CircuitState::Open(until))) => Some(until),
            _ => self.pause(now),
        }
    }

    fn pause(&self, now: Instant) -> Option<Instant> {
        let group = self.group.as_ref();
        let shared = group.and_then(|group| group.lock().pause.end(now));
        self.pause.end(now).max(shared)
    }

    fn group_state(&self, now: Instant) -> Option<CircuitState> {
        let group = self.group.as_ref()?;
        Some(group.lock().circuit.state(now))
    }

    fn record_for_group(&self, permit: Permit, reachability: Reachability, now: Instant) {
        if let (Some(group), Some(permit)) = (&self.group, permit.group) {
            group.record(permit, reachability, now);
        }
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
        Limiter::new(circuit, rate, None, now)
    }

    #[test]
    fn a_pause_applies_even_if_the_circuit_is_closed() {
        let now = Instant::now();
        let mut limiter = limiter(None, now);
        limiter.pause_until(now + 2 * SECOND, now + 2 * SECOND, false);
        limiter.pause_until(now + SECOND, now + SECOND, false);
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
            limiter.record_failure(permit, Reachability::Responds, now),
            CircuitChange::Opened(SECOND)
        );
        assert_eq!(limiter.admission(now), Admission::Paused(now + SECOND));
        assert_eq!(limiter.circuit_phase(now), CircuitPhase::Open);
        assert_eq!(limiter.admission(now + SECOND), Admission::Probe);
        assert_eq!(limiter.circuit_phase(now + SECOND), CircuitPhase::HalfOpen);
        let probe = limiter.acquire();
        assert_eq!(limiter.admission(now + SECOND), Admission::Blocked);
        assert_eq!(limiter.circuit_phase(now + SECOND), CircuitPhase::HalfOpen);
        limiter.record_success(probe, now + SECOND, now);
        assert_eq!(limiter.admission(now + SECOND), Admission::Now);
        assert_eq!(limiter.circuit_phase(now + SECOND), CircuitPhase::Closed);
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
        limiter.pause_until(now + SECOND, now + 900 * SECOND, false);
        // It was in flight when the endpoint requested the pause.
        limiter.record_success(first, now, now);
        assert_eq!(limiter.not_before(), Some(now + 900 * SECOND));
        limiter.record_success(second, now + SECOND, now);
        assert_eq!(limiter.not_before(), None);
    }

    #[test]
    fn routes_of_a_group_share_pauses_and_lost_connections_only() {
        let now = Instant::now();
        let settings = CircuitSettings {
            failure_threshold: 2,
            cool_down: SECOND,
            max_probes: 1,
        };
        let group = Arc::new(EndpointGroup::new(settings, Vec::new()));
        let route = || Limiter::new(settings, None, Some(Arc::clone(&group)), now);
        let (mut a, mut b) = (route(), route());
        let fail = |limiter: &mut Limiter, reachability, at| {
            let permit = limiter.acquire();
            limiter.record_failure(permit, reachability, at);
        };
        // Failing responses and timeouts of one path are its own.
        for reachability in [Reachability::Responds, Reachability::Unknown] {
            fail(&mut a, reachability, now);
        }
        assert_eq!(a.admission(now), Admission::Paused(now + SECOND));
        assert_eq!(b.admission(now), Admission::Now);
        b.pause_until(now + SECOND, now + 9 * SECOND, true);
        let mut c = route();
        assert_eq!(c.admission(now), Admission::Paused(now + SECOND));
        assert_eq!(c.not_before(), Some(now + 9 * SECOND));
        // Lost connections of any route open the circuit of all.
        let later = now + SECOND;
        fail(&mut b, Reachability::Unreachable, later);
        fail(&mut c, Reachability::Unreachable, later);
        let mut d = route();
        assert_eq!(d.admission(later), Admission::Paused(later + SECOND));
        let due = later + SECOND;
        assert_eq!(d.admission(due), Admission::Probe);
        fail(&mut d, Reachability::Unknown, due);
        assert_eq!(route().admission(due), Admission::GroupFailed);
    }
}
