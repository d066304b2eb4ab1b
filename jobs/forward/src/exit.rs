//! How a run can end: a code for scripts, a name for reports, a sentence for people. Pure.

use serde::{Deserialize, Serialize};

/// How a run ended. 64 and above are the codes of BSD's `sysexits.h` where it has one that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every record of the window is settled.
    Completed,
    /// The same, but some records went to the dead-letter topic.
    CompletedWithDeadLetters,
    /// At least one route was left for the next run.
    Partial,
    /// A bound was reached, or the run was told to stop, before the window's end.
    MoreWork,
    /// Another run is live.
    ConcurrentRun,
    /// The command line is not understood.
    Usage,
    /// Too many records are poison, or one that no route matches came along and is to stop the run.
    DeadLetterThreshold,
    /// The report does not balance, or something else that must not happen.
    Internal,
    /// The broker is away, refuses us, or does not have the topic.
    Source,
    /// No endpoint took anything.
    Endpoint,
    /// Records are gone from the log that no run has read.
    DataLoss,
    /// A setting is missing, malformed, or contradicts another.
    Configuration,
}

impl RunOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 12] = [
        Self::Completed,
        Self::CompletedWithDeadLetters,
        Self::Partial,
        Self::MoreWork,
        Self::ConcurrentRun,
        Self::Usage,
        Self::DeadLetterThreshold,
        Self::Internal,
        Self::Source,
        Self::Endpoint,
        Self::DataLoss,
        Self::Configuration,
    ];

    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Completed => 0,
            Self::CompletedWithDeadLetters => 10,
            Self::Partial => 11,
            Self::MoreWork => 12,
            Self::ConcurrentRun => 20,
            Self::Usage => runtime::exit::USAGE,
            Self::DeadLetterThreshold => runtime::exit::DATA,
            Self::Internal => runtime::exit::SOFTWARE,
            Self::Source => 74,
            Self::Endpoint => 75,
            Self::DataLoss => 76,
            Self::Configuration => runtime::exit::CONFIGURATION,
        }
    }

    /// The name in reports and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CompletedWithDeadLetters => "completed_with_dead_letters",
            Self::Partial => "partial",
            Self::MoreWork => "more_work",
            Self::ConcurrentRun => "concurrent_run",
            Self::Usage => "usage",
            Self::DeadLetterThreshold => "dead_letter_threshold",
            Self::Internal => "internal",
            Self::Source => "source",
            Self::Endpoint => "endpoint",
            Self::DataLoss => "data_loss",
            Self::Configuration => "configuration",
        }
    }

    /// What it means, in a sentence for `--help`, the README and whoever is on call.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Completed => "Every record of the window is settled.",
            Self::CompletedWithDeadLetters => {
                "Every record of the window is settled, some of them in the dead-letter topic: look at those."
            }
            Self::Partial => {
                "A route was left, because its endpoint did not take records; the next run sends only what is missing."
            }
            Self::MoreWork => {
                "A bound was reached or the run was told to stop: the next run goes on from here."
            }
            Self::ConcurrentRun => {
                "Another run is live in the same group: this one has left the records to it."
            }
            Self::Usage => "The command line is not understood.",
            Self::DeadLetterThreshold => {
                "Too many records are poison, or one has no route and is to stop the run: look at them before the next run."
            }
            Self::Internal => {
                "The report does not balance, or something happened that must not: please report it."
            }
            Self::Source => {
                "The broker is away, refuses us, or does not have the topic; what was delivered before is committed."
            }
            Self::Endpoint => "No endpoint took a single record; the next run tries again.",
            Self::DataLoss => {
                "Records are gone from the log that no run has read; nothing was delivered. ON_DATA_LOSS=continue goes on."
            }
            Self::Configuration => "A setting is missing, malformed, or contradicts another.",
        }
    }

    /// Chooses the outcome of a run that ended with a report. The gravest fact wins: what needs a person now comes
    /// before what the next run mends by itself, and that before what is merely worth knowing.
    pub fn of(facts: &Facts) -> Self {
        if !facts.balanced || facts.internal {
            Self::Internal
        } else if facts.setting {
            Self::Configuration
        } else if facts.data_loss {
            Self::DataLoss
        } else if facts.concurrent_run {
            Self::ConcurrentRun
        } else if facts.source_failed {
            Self::Source
        } else if facts.dead_letter_threshold {
            Self::DeadLetterThreshold
        } else if facts.dry_run {
            Self::Completed
        } else if facts.routes_deferred > 0 {
            if facts.delivered == 0 && facts.routes_deferred == facts.routes_matched {
                Self::Endpoint
            } else {
                Self::Partial
            }
        } else if facts.deferred > 0 || facts.bounded {
            Self::MoreWork
        } else if facts.dead_lettered > 0 {
            Self::CompletedWithDeadLetters
        } else {
            Self::Completed
        }
    }

    /// The table of codes, a line each, for `--help`.
    pub fn help() -> String {
        Self::ALL
            .iter()
            .map(|outcome| format!("  {:>2}  {}\n", outcome.code(), outcome.meaning()))
            .collect()
    }

    /// The README's table of codes.
    pub fn markdown() -> String {
        let head = "| Code | Name | Meaning |\n|---:|---|---|\n".to_owned();
        Self::ALL.iter().fold(head, |table, outcome| {
            format!(
                "{table}| {} | `{}` | {} |\n",
                outcome.code(),
                outcome.name(),
                outcome.meaning()
            )
        })
    }
}

/// What is known when a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Every planned offset is accounted for, in every partition and route.
    pub balanced: bool,
    /// Something happened that must not.
    pub internal: bool,
    /// A setting does not fit the topic.
    pub setting: bool,
    /// Records were lost before the run, and it is not to go on.
    pub data_loss: bool,
    /// Another run is live, or has taken our place.
    pub concurrent_run: bool,
    /// The broker failed us, or the dead-letter topic or a commit did.
    pub source_failed: bool,
    /// The poison brake was pulled.
    pub dead_letter_threshold: bool,
    /// A bound ended the window before the end of the log.
    pub bounded: bool,
    /// Nothing was to be delivered.
    pub dry_run: bool,
    /// Routes that had records.
    pub routes_matched: usize,
    /// Routes that were left for the next run.
    pub routes_deferred: usize,
    /// Records delivered.
    pub delivered: i64,
    /// Records in the dead-letter topic.
    pub dead_lettered: i64,
    /// Offsets of the window that the next run finds.
    pub deferred: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_fact_wins() {
        let none = Facts {
            balanced: true,
            ..Facts::default()
        };
        let minor = Facts {
            delivered: 5,
            dead_lettered: 1,
            deferred: 3,
            routes_matched: 2,
            routes_deferred: 1,
            ..none
        };
        // Each row holds everything that the rows above it hold, and one fact more.
        let rows = [
            (none, RunOutcome::Completed),
            (
                Facts {
                    dead_lettered: 1,
                    ..none
                },
                RunOutcome::CompletedWithDeadLetters,
            ),
            (
                Facts {
                    dead_lettered: 1,
                    deferred: 3,
                    ..none
                },
                RunOutcome::MoreWork,
            ),
            (
                Facts {
                    dead_lettered: 1,
                    bounded: true,
                    ..none
                },
                RunOutcome::MoreWork,
            ),
            (minor, RunOutcome::Partial),
            (
                Facts {
                    delivered: 0,
                    routes_deferred: 2,
                    ..minor
                },
                RunOutcome::Endpoint,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    ..minor
                },
                RunOutcome::DeadLetterThreshold,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    source_failed: true,
                    ..minor
                },
                RunOutcome::Source,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    source_failed: true,
                    concurrent_run: true,
                    ..minor
                },
                RunOutcome::ConcurrentRun,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    source_failed: true,
                    concurrent_run: true,
                    data_loss: true,
                    ..minor
                },
                RunOutcome::DataLoss,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    source_failed: true,
                    concurrent_run: true,
                    data_loss: true,
                    setting: true,
                    ..minor
                },
                RunOutcome::Configuration,
            ),
            (
                Facts {
                    dead_letter_threshold: true,
                    source_failed: true,
                    concurrent_run: true,
                    data_loss: true,
                    setting: true,
                    balanced: false,
                    ..minor
                },
                RunOutcome::Internal,
            ),
            (
                Facts {
                    internal: true,
                    ..none
                },
                RunOutcome::Internal,
            ),
        ];
        for (facts, expected) in rows {
            assert_eq!(RunOutcome::of(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn one_endpoint_that_is_down_is_partial_if_another_delivered() {
        let facts = Facts {
            balanced: true,
            routes_matched: 1,
            routes_deferred: 1,
            deferred: 4,
            ..Facts::default()
        };
        assert_eq!(RunOutcome::of(&facts), RunOutcome::Endpoint);
        assert_eq!(
            RunOutcome::of(&Facts {
                delivered: 1,
                ..facts
            }),
            RunOutcome::Partial
        );
        assert_eq!(
            RunOutcome::of(&Facts {
                routes_matched: 2,
                ..facts
            }),
            RunOutcome::Partial
        );
    }

    #[test]
    fn a_dry_run_that_saw_everything_is_done() {
        let facts = Facts {
            balanced: true,
            dry_run: true,
            deferred: 10,
            ..Facts::default()
        };
        assert_eq!(RunOutcome::of(&facts), RunOutcome::Completed);
        assert_eq!(
            RunOutcome::of(&Facts {
                source_failed: true,
                ..facts
            }),
            RunOutcome::Source
        );
    }

    #[test]
    fn codes_and_names_are_distinct_and_documented() {
        for (index, outcome) in RunOutcome::ALL.iter().enumerate() {
            let earlier = &RunOutcome::ALL[..index];
            assert!(earlier.iter().all(|other| other.code() < outcome.code()));
            assert!(earlier.iter().all(|other| other.name() != outcome.name()));
            assert_eq!(
                serde_json::to_value(outcome).unwrap(),
                serde_json::Value::from(outcome.name())
            );
            let row = format!("| {} | `{}` |", outcome.code(), outcome.name());
            assert!(RunOutcome::markdown().contains(&row));
            assert!(RunOutcome::help().contains(outcome.meaning()));
        }
    }
}
