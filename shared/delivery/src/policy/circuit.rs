//! Circuit breaker.
//!
//! Closed until enough failures in a row open it. Open for a cool-down; then one probe decides: success closes the
//! circuit, failure doubles the cool-down. After the last failed probe the circuit stays open for the rest of the run.

use std::time::{Duration, Instant};

use crate::config::Limits;

/// The circuit of one endpoint.
#[derive(Debug)]
pub(crate) struct Circuit {
    settings: CircuitSettings,
    phase: Phase,
    /// Counts the changes of phase: the outcome of a request of an earlier phase changes nothing.
    epoch: u64,
    /// When the next probe is due, or would be if the circuit were not disabled. `None`: no failure has opened it since
    /// the last successful probe.
    reopens_at: Option<Instant>,
}

/// When a circuit opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CircuitSettings {
    /// Failures in a row that open the circuit.
    pub(crate) failure_threshold: u32,
    /// The first cool-down.
    pub(crate) cool_down: Duration,
    /// Failed probes after which the circuit stays open.
    pub(crate) max_probes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed { failures: u32 },
    Open { until: Instant, cool_down: CoolDown },
    Probing { cool_down: CoolDown },
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CoolDown {
    duration: Duration,
    failed_probes: u32,
}

/// Which requests can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CircuitState {
    /// Any number.
    Closed,
    /// None before this time.
    Open(Instant),
    /// One, as a probe.
    ProbeDue,
    /// None until the outcome of the probe.
    Probing,
    /// None in this run.
    Disabled,
}

impl From<&Limits> for CircuitSettings {
    fn from(limits: &Limits) -> Self {
        Self {
            failure_threshold: limits.circuit_failure_threshold,
            cool_down: limits.circuit_cool_down,
            max_probes: limits.circuit_max_probes,
        }
    }
}

/// Permission for one request; returned with the request's outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CircuitPermit(u64);

/// What a failure changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CircuitChange {
    /// Nothing.
    None,
    /// The circuit opened for this long.
    Opened(Duration),
    /// The last probe failed: no more requests in this run.
    Disabled,
}

impl Circuit {
    /// A closed circuit.
    pub(crate) fn new(settings: CircuitSettings) -> Self {
        Self {
            settings,
            phase: Phase::Closed { failures: 0 },
            epoch: 0,
            reopens_at: None,
        }
    }

    /// Opens the circuit until this time, because an earlier run found the endpoint failing.
    pub(crate) fn open_until(&mut self, until: Instant) {
        let cool_down = CoolDown {
            duration: self.settings.cool_down,
            failed_probes: 0,
        };
        self.reopens_at = Some(until);
        self.change(Phase::Open { until, cool_down });
    }

    /// When the next probe is due, also of a circuit that sends none in this run. `None`: the endpoint works.
    pub(crate) fn reopens_at(&self) -> Option<Instant> {
        self.reopens_at
    }

    /// Which requests can be sent now.
    pub(crate) fn state(&self, now: Instant) -> CircuitState {
        match self.phase {
            Phase::Closed { .. } => CircuitState::Closed,
            Phase::Open { until, .. } if until > now => CircuitState::Open(until),
            Phase::Open { .. } => CircuitState::ProbeDue,
            Phase::Probing { .. } => CircuitState::Probing,
            Phase::Disabled => CircuitState::Disabled,
        }
    }

    /// Starts a request; the state is [`CircuitState::Closed`] or [`CircuitState::ProbeDue`].
    pub(crate) fn acquire(&mut self) -> CircuitPermit {
        if let Phase::Open { cool_down, .. } = self.phase {
            self.change(Phase::Probing { cool_down });
        }
        CircuitPermit(self.epoch)
    }

    /// Records that the endpoint works.
    pub(crate) fn record_success(&mut self, permit: CircuitPermit) {
        if permit.0 != self.epoch {
            return;
        }
        match &mut self.phase {
            Phase::Closed { failures } => *failures = 0,
            Phase::Probing { .. } => {
                self.reopens_at = None;
                self.change(Phase::Closed { failures: 0 });
            }
            Phase::Open { .. } | Phase::Disabled => {}
        }
    }

    /// Records that the endpoint failed.
    pub(crate) fn record_failure(&mut self, permit: CircuitPermit, now: Instant) -> CircuitChange {
        if permit.0 != self.epoch {
            return CircuitChange::None;
        }
        let cool_down = match self.phase {
            Phase::Closed { failures } if failures + 1 < self.settings.failure_threshold => {
                self.phase = Phase::Closed {
                    failures: failures + 1,
                };
                return CircuitChange::None;
            }
            Phase::Closed { .. } => CoolDown {
                duration: self.settings.cool_down,
                failed_probes: 0,
            },
            Phase::Probing { cool_down } => CoolDown {
                duration: cool_down.duration.saturating_mul(2),
                failed_probes: cool_down.failed_probes + 1,
            },
            Phase::Open { .. } | Phase::Disabled => return CircuitChange::None,
        };
        let failed = cool_down.failed_probes;
        let until = now.checked_add(cool_down.duration);
        self.reopens_at = until;
        match until {
            Some(until) if failed == 0 || failed < self.settings.max_probes => {
                self.change(Phase::Open { until, cool_down });
                CircuitChange::Opened(cool_down.duration)
            }
            _ => {
                self.disable();
                CircuitChange::Disabled
            }
        }
    }

    /// Records that the outcome of a request says nothing about the endpoint, unless the request was a probe: then as a
    /// failure.
    pub(crate) fn record_unknown(&mut self, permit: CircuitPermit, now: Instant) {
        if matches!(self.phase, Phase::Probing { .. }) {
            self.record_failure(permit, now);
        }
    }

    /// Keeps the circuit open for the rest of the run.
    pub(crate) fn disable(&mut self) {
        self.change(Phase::Disabled);
    }

    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn circuit() -> Circuit {
        Circuit::new(CircuitSettings {
            failure_threshold: 3,
            cool_down: SECOND,
            max_probes: 2,
        })
    }

    fn opened(now: Instant) -> Circuit {
        let mut circuit = circuit();
        for _ in 0..2 {
            let permit = circuit.acquire();
            assert_eq!(circuit.record_failure(permit, now), CircuitChange::None);
        }
        let permit = circuit.acquire();
        assert_eq!(
            circuit.record_failure(permit, now),
            CircuitChange::Opened(SECOND)
        );
        circuit
    }

    #[test]
    fn only_failures_in_a_row_open_the_circuit() {
        let now = Instant::now();
        let mut circuit = circuit();
        for _ in 0..9 {
            for _ in 0..2 {
                let permit = circuit.acquire();
                circuit.record_failure(permit, now);
            }
            let permit = circuit.acquire();
            circuit.record_success(permit);
            assert_eq!(circuit.state(now), CircuitState::Closed);
        }
    }

    #[test]
    fn one_probe_per_cool_down_and_success_closes_the_circuit() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.state(now), CircuitState::Open(now + SECOND));
        assert_eq!(circuit.state(now + SECOND), CircuitState::ProbeDue);
        let probe = circuit.acquire();
        assert_eq!(circuit.state(now + 9 * SECOND), CircuitState::Probing);
        circuit.record_success(probe);
        assert_eq!(circuit.state(now), CircuitState::Closed);
    }

    #[test]
    fn the_cool_down_doubles_until_the_last_probe_fails() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let probe = circuit.acquire();
        assert_eq!(
            circuit.record_failure(probe, now + SECOND),
            CircuitChange::Opened(2 * SECOND)
        );
        assert_eq!(
            circuit.state(now + 2 * SECOND),
            CircuitState::Open(now + 3 * SECOND)
        );
        let probe = circuit.acquire();
        assert_eq!(
            circuit.record_failure(probe, now + 3 * SECOND),
            CircuitChange::Disabled
        );
        assert_eq!(circuit.state(now + 999 * SECOND), CircuitState::Disabled);
    }

    #[test]
    fn the_outcome_of_an_earlier_phase_changes_nothing() {
        let now = Instant::now();
        let mut circuit = circuit();
        let old = circuit.acquire();
        for _ in 0..3 {
            let permit = circuit.acquire();
            circuit.record_failure(permit, now);
        }
        circuit.record_success(old);
        assert_eq!(circuit.record_failure(old, now), CircuitChange::None);
        assert_eq!(circuit.state(now), CircuitState::Open(now + SECOND));
        let probe = circuit.acquire();
        circuit.record_success(old);
        assert_eq!(circuit.record_failure(old, now), CircuitChange::None);
        assert_eq!(circuit.state(now), CircuitState::Probing);
        circuit.record_success(probe);
        assert_eq!(circuit.state(now), CircuitState::Closed);
    }

    #[test]
    fn the_next_probe_is_known_after_the_circuit_is_disabled() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.reopens_at(), Some(now + SECOND));
        for _ in 0..2 {
            let probe = circuit.acquire();
            circuit.record_failure(probe, now);
        }
        circuit.disable();
        assert_eq!(circuit.state(now), CircuitState::Disabled);
        assert_eq!(circuit.reopens_at(), Some(now + 4 * SECOND));
    }

    #[test]
    fn a_circuit_that_an_earlier_run_opened_admits_one_probe_first() {
        let now = Instant::now();
        let mut circuit = circuit();
        circuit.open_until(now + SECOND);
        assert_eq!(circuit.state(now), CircuitState::Open(now + SECOND));
        let probe = circuit.acquire();
        assert_eq!(circuit.state(now + SECOND), CircuitState::Probing);
        circuit.record_success(probe);
        assert_eq!(circuit.state(now), CircuitState::Closed);
        assert_eq!(circuit.reopens_at(), None);
    }
}
