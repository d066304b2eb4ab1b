//! The outcomes of a run: an exit code for scripts, a name for reports, a sentence for people. Pure.

use serde::{Deserialize, Serialize};

/// How a run ended. Codes from 64 follow BSD's `sysexits.h` where it has a matching one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every record of the window is completed.
    Completed,
    /// Every record of the window is completed; some went to the dead-letter topic.
    CompletedWithDeadLetters,
    /// The records of at least one route are deferred to the next run.
    Partial,
    /// A limit, the deadline or a shutdown request ended the run before the end of the window.
    MoreWork,
    /// Another run of the consumer group is active.
    ConcurrentRun,
    /// The plan is of another cluster.
    PlanCluster,
    /// The topic was deleted and created again after the plan was made.
    PlanTopic,
    /// Records of the plan are gone from the log.
    PlanTruncated,
    /// The topic has more partitions than when the plan was made.
    PlanPartitions,
    /// The routes or schemas were changed after the plan was made.
    PlanRoutes,
    /// The group's commits were moved back below the plan's start.
    PlanGroup,
    /// The command line is invalid.
    Usage,
    /// The dead-letter threshold was reached, or an unmatched record stopped the run (`UNMATCHED=stop`).
    DeadLetterThreshold,
    /// The report does not balance, or another internal error.
    Internal,
    /// The broker or the schema registry is unreachable or rejected the request, or there is no such topic.
    Source,
    /// No endpoint accepted a record.
    Endpoint,
    /// Records were deleted from the log before any run read them, or the topic was deleted and created again.
    DataLoss,
    /// A setting is missing, malformed, or contradicts another.
    Configuration,
}

impl RunOutcome {
    /// All of them, in the order of their codes.
    pub const ALL: [Self; 18] = [
        Self::Completed,
        Self::CompletedWithDeadLetters,
        Self::Partial,
        Self::MoreWork,
        Self::ConcurrentRun,
        Self::PlanCluster,
        Self::PlanTopic,
        Self::PlanTruncated,
        Self::PlanPartitions,
        Self::PlanRoutes,
        Self::PlanGroup,
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
            Self::PlanCluster => 40,
            Self::PlanTopic => 41,
            Self::PlanTruncated => 42,
            Self::PlanPartitions => 43,
            Self::PlanRoutes => 44,
            Self::PlanGroup => 45,
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
            Self::PlanCluster => "plan_cluster",
            Self::PlanTopic => "plan_topic",
            Self::PlanTruncated => "plan_truncated",
            Self::PlanPartitions => "plan_partitions",
            Self::PlanRoutes => "plan_routes",
            Self::PlanGroup => "plan_group",
            Self::Usage => "usage",
            Self::DeadLetterThreshold => "dead_letter_threshold",
            Self::Internal => "internal",
            Self::Source => "source",
            Self::Endpoint => "endpoint",
            Self::DataLoss => "data_loss",
            Self::Configuration => "configuration",
        }
    }

    /// What it means, in a sentence for `--help`, the documents and the report.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Completed => "Every record of the window is completed.",
            Self::CompletedWithDeadLetters => {
                "Every record of the window is completed. Some are in the dead-letter topic: inspect those."
            }
            Self::Partial => {
                "An endpoint did not accept its records. They are deferred: the next run sends only those that are missing."
            }
            Self::MoreWork => {
                "A limit, the deadline or a shutdown request ended the run early. The next run continues from there."
            }
            Self::ConcurrentRun => {
                "Another run of the same consumer group is active. This run exited without reading."
            }
            Self::PlanCluster => "The plan (--plan) is of another cluster. Nothing was delivered.",
            Self::PlanTopic => {
                "The topic was deleted and created again after the plan was made. Nothing was delivered."
            }
            Self::PlanTruncated => {
                "Records of the plan were deleted from the log, or the log was truncated. Nothing was delivered."
            }
            Self::PlanPartitions => {
                "The topic has more partitions than when the plan was made. Nothing was delivered."
            }
            Self::PlanRoutes => {
                "The routes or schemas were changed after the plan was made. Nothing was delivered."
            }
            Self::PlanGroup => {
                "The commits of the group were moved back below the plan's start. Nothing was delivered."
            }
            Self::Usage => "The command line is invalid.",
            Self::DeadLetterThreshold => {
                "Too many records are dead letters, or a record matches no route and UNMATCHED is stop. Inspect them before the next run."
            }
            Self::Internal => {
                "The report does not balance, a worker (on Spark) failed in every attempt, or another internal error occurred. Please report it."
            }
            Self::Source => {
                "The broker or the schema registry is unreachable or rejected the request, or there is no such topic. Records delivered before that are committed."
            }
            Self::Endpoint => "No endpoint accepted a record. The next run tries again.",
            Self::DataLoss => {
                "Records were deleted from the log before any run read them, or the topic was deleted and created again. Nothing was delivered. ON_DATA_LOSS=continue goes on without them."
            }
            Self::Configuration => "A setting is missing, malformed, or contradicts another.",
        }
    }

    /// The outcome of a run that ended with a report. The most severe fact wins: first what needs an operator, then what
    /// the next run repairs, then what is only informative.
    pub fn of(facts: &Facts) -> Self {
        if !facts.balanced || facts.internal {
            Self::Internal
        } else if facts.setting {
            Self::Configuration
        } else if let Some(outcome) = facts.plan_mismatch {
            outcome
        } else if facts.data_loss {
            Self::DataLoss
        } else if facts.concurrent_run {
            Self::ConcurrentRun
        } else if facts.source_failed {
            Self::Source
        } else if facts.dead_letter_threshold {
            Self::DeadLetterThreshold
        } else if facts.routes_deferred > 0 {
            let accepts_none = facts.delivered == 0 && !facts.delivered_before;
            if accepts_none && facts.routes_deferred == facts.routes_matched {
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

    /// The codes and their meanings, one per line, for `--help`.
    pub fn help() -> String {
        help(
            Self::ALL
                .iter()
                .map(|outcome| (outcome.code(), outcome.meaning())),
        )
    }

    /// The documentation's table of codes, in Markdown.
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

/// Defines how a command can end: each outcome with its meaning as the documentation and its exit code, in the order of the
/// codes.
macro_rules! outcomes {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[doc = $meaning:literal])+ $outcome:ident = $code:expr,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $meaning])+ $outcome,)+
        }

        impl $name {
            /// All of them, in the order of their codes.
            pub const ALL: &'static [Self] = &[$(Self::$outcome,)+];

            /// The process's exit code.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$outcome => $code,)+
                }
            }

            /// What it means, in a sentence for `--help` and the documents.
            pub fn meaning(self) -> &'static str {
                match self {
                    // A line of documentation begins with a space.
                    $(Self::$outcome => concat!($($meaning),+).trim_start(),)+
                }
            }

            /// The codes and their meanings, one per line, for `--help`.
            pub fn help() -> String {
                let all = Self::ALL.iter();
                $crate::exit::help(all.map(|outcome| (outcome.code(), outcome.meaning())))
            }
        }
    };
}

pub(crate) use outcomes;

/// Codes and their meanings, one per line, for `--help`.
pub(crate) fn help(codes: impl Iterator<Item = (u8, &'static str)>) -> String {
    codes
        .map(|(code, meaning)| format!("  {code:>2}  {meaning}\n"))
        .collect()
}

/// What is known when a run ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Every planned offset is accounted for, in every partition and route.
    pub balanced: bool,
    /// An internal error occurred.
    pub internal: bool,
    /// A setting does not fit the topic.
    pub setting: bool,
    /// The outcome of a run whose plan does not fit; `None`: it fits, or the run has no plan.
    pub plan_mismatch: Option<RunOutcome>,
    /// Records were lost before the run, and `ON_DATA_LOSS` is `stop`.
    pub data_loss: bool,
    /// Another run is active, or took over the partitions.
    pub concurrent_run: bool,
    /// Reading, committing or writing to the dead-letter topic failed.
    pub source_failed: bool,
    /// The dead-letter threshold or `UNMATCHED=stop` ended the run.
    pub dead_letter_threshold: bool,
    /// A limit ended the window before the end of the log.
    pub bounded: bool,
    /// The run was a dry run.
    pub dry_run: bool,
    /// Routes that had records.
    pub routes_matched: usize,
    /// Routes whose records are deferred.
    pub routes_deferred: usize,
    /// Records delivered.
    pub delivered: i64,
    /// Earlier runs have delivered records of a route whose records are deferred: its endpoint is not down, or was not.
    pub delivered_before: bool,
    /// Records in the dead-letter topic.
    pub dead_lettered: i64,
    /// Offsets of the window that are deferred to the next run. In a dry run without those of routes: their endpoints may
    /// accept them.
    pub deferred: i64,
}

#[cfg(test)]
mod tests;
