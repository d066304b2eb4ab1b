//! Keeps requests away from an endpoint that is down. Pure: answers and the clock in, permission out.
//!
//! Closed, until enough failures in a row open it; open for a cool-down, then one probe alone decides: a good answer
//! closes it, a failure doubles the cool-down. After the last probe the endpoint is given up for the run.

use std::time::{Duration, Instant};

/// The state of one endpoint.
#[derive(Debug)]
pub struct Circuit {
    settings: CircuitSettings,
    state: State,
    /// Counts the changes, so that a late answer to an old request changes nothing.
    epoch: u64,
}

/// When a circuit opens and how long it stays so.
#[derive(Clone, Copy, Debug)]
pub struct CircuitSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// The first cool-down.
    pub cool_down: Duration,
    /// Probes that may fail before the endpoint is given up.
    pub probes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant, rest: Rest },
    Probing { rest: Rest },
    GivenUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    cool_down: Duration,
    failed_probes: u32,
}

/// Whether a request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Any number.
    Open,
    /// One, as a probe.
    Probe,
    /// None before this moment.
    Until(Instant),
    /// None before the probe's answer.
    Waiting,
    /// None in this run.
    GivenUp,
}

/// Permission for one request, handed back with its outcome.
#[derive(Clone, Copy, Debug)]
pub struct Pass(u64);

/// What a failure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that anybody else would see.
    None,
    /// Requests stop for this long.
    Opened(Duration),
    /// Requests stop for the rest of the run.
    GivenUp,
}

impl Circuit {
    /// A closed circuit.
    pub fn new(settings: CircuitSettings) -> Self {
        Self {
            settings,
            state: State::Closed { failures: 0 },
            epoch: 0,
        }
    }

    /// Whether a request may go now.
    pub fn gate(&self, now: Instant) -> Gate {
        match self.state {
            State::Closed { .. } => Gate::Open,
            State::Open { until, .. } if until > now => Gate::Until(until),
            State::Open { .. } => Gate::Probe,
            State::Probing { .. } => Gate::Waiting,
            State::GivenUp => Gate::GivenUp,
        }
    }

    /// Takes note of a request that goes; the gate was [`Gate::Open`] or [`Gate::Probe`].
    pub fn pass(&mut self) -> Pass {
        if let State::Open { rest, .. } = self.state {
            self.change(State::Probing { rest });
        }
        Pass(self.epoch)
    }

    /// The endpoint answered as an endpoint that works does.
    pub fn alive(&mut self, pass: Pass) {
        if pass.0 != self.epoch {
            return;
        }
        match &mut self.state {
            State::Closed { failures } => *failures = 0,
            State::Probing { .. } => self.change(State::Closed { failures: 0 }),
            State::Open { .. } | State::GivenUp => {}
        }
    }

    /// The endpoint failed.
    pub fn failed(&mut self, pass: Pass, now: Instant) -> Change {
        if pass.0 != self.epoch {
            return Change::None;
        }
        let rest = match self.state {
            State::Closed { failures } if failures + 1 < self.settings.failures => {
                self.state = State::Closed {
                    failures: failures + 1,
                };
                return Change::None;
            }
            State::Closed { .. } => Rest {
                cool_down: self.settings.cool_down,
                failed_probes: 0,
            },
            State::Probing { rest } => Rest {
                cool_down: rest.cool_down.saturating_mul(2),
                failed_probes: rest.failed_probes + 1,
            },
            State::Open { .. } | State::GivenUp => return Change::None,
        };
        match now.checked_add(rest.cool_down) {
            Some(until) if rest.failed_probes == 0 || rest.failed_probes < self.settings.probes => {
                self.change(State::Open { until, rest });
                Change::Opened(rest.cool_down)
            }
            _ => {
                self.give_up();
                Change::GivenUp
            }
        }
    }

    /// Ends it for the run.
    pub fn give_up(&mut self) {
        self.change(State::GivenUp);
    }

    fn change(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn circuit() -> Circuit {
        Circuit::new(CircuitSettings {
            failures: 3,
            cool_down: SECOND,
            probes: 2,
        })
    }

    fn opened(now: Instant) -> Circuit {
        let mut circuit = circuit();
        for _ in 0..2 {
            let pass = circuit.pass();
            assert_eq!(circuit.failed(pass, now), Change::None);
        }
        let pass = circuit.pass();
        assert_eq!(circuit.failed(pass, now), Change::Opened(SECOND));
        circuit
    }

    #[test]
    fn only_failures_in_a_row_open_it() {
        let now = Instant::now();
        let mut circuit = circuit();
        for _ in 0..9 {
            for _ in 0..2 {
                let pass = circuit.pass();
                circuit.failed(pass, now);
            }
            let pass = circuit.pass();
            circuit.alive(pass);
            assert_eq!(circuit.gate(now), Gate::Open);
        }
    }

    #[test]
    fn one_probe_per_cool_down_and_a_good_answer_closes_it() {
        let now = Instant::now();
        let mut circuit = opened(now);
        assert_eq!(circuit.gate(now), Gate::Until(now + SECOND));
        assert_eq!(circuit.gate(now + SECOND), Gate::Probe);
        let probe = circuit.pass();
        assert_eq!(circuit.gate(now + 9 * SECOND), Gate::Waiting);
        circuit.alive(probe);
        assert_eq!(circuit.gate(now), Gate::Open);
    }

    #[test]
    fn the_cool_down_doubles_until_the_last_probe_fails() {
        let now = Instant::now();
        let mut circuit = opened(now);
        let probe = circuit.pass();
        assert_eq!(
            circuit.failed(probe, now + SECOND),
            Change::Opened(2 * SECOND)
        );
        assert_eq!(
            circuit.gate(now + 2 * SECOND),
            Gate::Until(now + 3 * SECOND)
        );
        let probe = circuit.pass();
        assert_eq!(circuit.failed(probe, now + 3 * SECOND), Change::GivenUp);
        assert_eq!(circuit.gate(now + 999 * SECOND), Gate::GivenUp);
    }

    #[test]
    fn a_late_answer_to_an_old_request_changes_nothing() {
        let now = Instant::now();
        let mut circuit = circuit();
        let old = circuit.pass();
        for _ in 0..3 {
            let pass = circuit.pass();
            circuit.failed(pass, now);
        }
        circuit.alive(old);
        assert_eq!(circuit.failed(old, now), Change::None);
        assert_eq!(circuit.gate(now), Gate::Until(now + SECOND));
        let probe = circuit.pass();
        circuit.alive(old);
        assert_eq!(circuit.failed(old, now), Change::None);
        assert_eq!(circuit.gate(now), Gate::Waiting);
        circuit.alive(probe);
        assert_eq!(circuit.gate(now), Gate::Open);
    }
}
