//! The stretches of the test: a few consecutive runs with the same condition. The conditions occur in random order, each
//! once before any occurs again.

use crate::rng::Rng;

/// The condition of a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stretch {
    /// Random faults only.
    Random,
    /// One endpoint answers after 100 to 500 ms, the other at once.
    SlowEndpoint,
    /// `DEADLINE` is 2 to 5 seconds, and one endpoint answers all requests.
    Deadline,
    /// Some records have the fingerprint of another schema.
    OtherSchema,
    /// The endpoints repeat the token in their error responses.
    EchoToken,
    /// The first bootstrap server refuses connections, or accepts them and never answers.
    DeadBootstrap,
    /// After one run, the schema registry refuses connections, hangs, or fails half of the requests.
    FailingRegistry,
}

impl Stretch {
    /// All conditions.
    pub(crate) const ALL: [Self; 7] = [
        Self::Random,
        Self::SlowEndpoint,
        Self::Deadline,
        Self::OtherSchema,
        Self::EchoToken,
        Self::DeadBootstrap,
        Self::FailingRegistry,
    ];

    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Random => "only random faults",
            Self::SlowEndpoint => "one slow endpoint",
            Self::Deadline => "deadlines",
            Self::OtherSchema => "another schema",
            Self::EchoToken => "echoed tokens",
            Self::DeadBootstrap => "a dead bootstrap server",
            Self::FailingRegistry => "a failing registry",
        }
    }

    /// How many of its first runs are not interrupted. The checker verifies the progress of two consecutive runs; a killed
    /// run does not report an unreachable broker, and writes few dead letters.
    fn undisturbed_runs(self) -> u64 {
        match self {
            Self::SlowEndpoint | Self::Deadline => 2,
            // Before the two without the registry, one commits what it and killed runs have delivered.
            Self::FailingRegistry => 3,
            Self::EchoToken | Self::DeadBootstrap => 1,
            Self::Random | Self::OtherSchema => 0,
        }
    }
}

/// A sequence of stretches.
#[derive(Debug)]
pub(crate) struct Stretches {
    current: Stretch,
    /// Runs of the current stretch so far, and in total.
    done: u64,
    runs: u64,
    upcoming: Vec<Stretch>,
    /// Complete stretches.
    complete: usize,
}

impl Stretches {
    /// The first stretch has random faults only.
    pub(crate) fn new() -> Self {
        Self {
            current: Stretch::Random,
            done: 0,
            runs: 1,
            upcoming: Vec::new(),
            complete: 0,
        }
    }

    /// The condition of the next run.
    pub(crate) fn current(&self) -> Stretch {
        self.current
    }

    /// Whether the next run is the first of its stretch.
    pub(crate) fn is_first_run(&self) -> bool {
        self.done == 0
    }

    /// The number of runs of the current stretch so far.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// Whether the next run must not be interrupted. After each condition has occurred, every other stretch has only runs
    /// that may be killed.
    pub(crate) fn is_undisturbed(&self) -> bool {
        let is_exempt = self.have_all_occurred() && self.complete.is_multiple_of(2);
        !is_exempt && self.done < self.current.undisturbed_runs()
    }

    /// Whether each condition has occurred.
    pub(crate) fn have_all_occurred(&self) -> bool {
        self.complete > Stretch::ALL.len()
    }

    /// Counts a run, and begins another stretch if the current one has had its runs.
    pub(crate) fn advance(&mut self, rng: &mut Rng) {
        self.done += 1;
        if self.done < self.runs {
            return;
        }
        self.complete += 1;
        if self.upcoming.is_empty() {
            self.upcoming = Stretch::ALL.to_vec();
            for index in (1..self.upcoming.len()).rev() {
                self.upcoming
                    .swap(index, rng.below(index as u64 + 1) as usize);
            }
        }
        if let Some(next) = self.upcoming.pop() {
            self.current = next;
            self.done = 0;
            self.runs = 2.max(next.undisturbed_runs() + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_condition_occurs_before_any_occurs_again() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut stretches = Stretches::new();
            let mut seen = BTreeSet::new();
            while !stretches.have_all_occurred() {
                stretches.advance(&mut rng);
                seen.insert(stretches.current());
            }
            assert_eq!(seen, Stretch::ALL.into());
        }
    }
}
