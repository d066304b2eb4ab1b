//! What a pipeline has done, as values: the report is made of them.

use std::time::{Duration, Instant};

use delivery::RouteStatistics;
use offsets::counters::{PartitionCounters, RouteCounters};
use offsets::offset_map::OffsetMap;
use offsets::progress::Class;
use serde::{Deserialize, Serialize};

use super::{DeferredRecord, Pipeline, StopReason, WrittenAnswers};
use crate::dead_letter::DeadLetterSummary;

/// What a pipeline has done in its window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct WindowOutcome {
    /// The partitions in order.
    pub partitions: Vec<PartitionOutcome>,
    /// The routes in order.
    pub routes: Vec<RouteOutcome>,
    /// The record with the lowest timestamp among those that were deferred.
    pub oldest_deferred: Option<DeferredRecord>,
    /// The longest time from the request of a commit to its acknowledgement; `None` without an acknowledged commit.
    pub commit_latency: Option<Duration>,
    /// The dead letters by cause, with samples.
    pub dead_letters: DeadLetterSummary,
    /// The number of dead letters that the broker did not acknowledge.
    pub failed_dead_letters: u64,
    /// The number of answers that the broker did not acknowledge.
    pub failed_answers: u64,
    /// The bound on bytes ended the window before its planned end.
    pub is_bounded: bool,
    /// Why the pipeline ended before its window; `None` if it did not.
    pub stop_reason: Option<StopReason>,
    /// The number of tasks of workers that failed in every attempt. Their slices stay for the next run.
    pub failed_tasks: u64,
    /// The window is one over a dead-letter topic.
    pub is_replay_of_letters: bool,
    /// Partitions and classes with completed records that the commit's metadata has no room for, each with the first
    /// offset that the next run reads again.
    pub not_encoded: Vec<(i32, Class, i64)>,
    /// What the report mentions beside the counts, the oldest first.
    pub notes: Vec<String>,
}

/// What was done in a partition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartitionOutcome {
    /// The counts, and the window.
    pub counters: PartitionCounters,
    /// The completed records at and above the first that is not.
    pub map: OffsetMap,
    /// The newest offset that the broker has.
    pub committed: Option<i64>,
    /// True if records beyond the commit are completed. Only the commit's metadata holds them.
    pub has_gaps: bool,
}

/// What was done for a route.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RouteOutcome {
    /// The counts.
    pub counters: RouteCounters,
    /// The answers that the broker has acknowledged.
    pub answers: WrittenAnswers,
    /// The requests; `None` if nothing is delivered, as in a dry run.
    pub requests: Option<RouteStatistics>,
    /// Why the route was deferred; `None` if it was not.
    pub deferred: Option<String>,
    /// True if records of the route stay for the next run although their partition is assigned to this one.
    pub has_deferred: bool,
    /// How long the endpoint has to be left alone; `None` if it works.
    pub pause: Option<Duration>,
}

impl Pipeline<'_> {
    /// What this pipeline has done.
    pub fn outcome(&self) -> WindowOutcome {
        let partitions = self.partitions.iter().map(|(_, state)| PartitionOutcome {
            counters: state.counters().clone(),
            map: state.offset_map(),
            committed: state.committed(),
            has_gaps: state.has_gaps(),
        });
        let routes = 0..self.partitions.routes().len();
        WindowOutcome {
            partitions: partitions.collect(),
            routes: routes.map(|route| self.route_outcome(route)).collect(),
            oldest_deferred: self.partitions.oldest_deferred().copied(),
            commit_latency: Some(self.commits.latency()).filter(|latency| !latency.is_zero()),
            dead_letters: self.dead_letters.summary().clone(),
            failed_dead_letters: self.writes.failed_dead_letters(),
            failed_answers: self.writes.failed_answers(),
            is_bounded: self.partitions.is_bounded(),
            stop_reason: self.shutdown.reason().cloned(),
            failed_tasks: 0,
            is_replay_of_letters: self.letters.is_some(),
            not_encoded: self.commits.not_encoded(&self.partitions),
            notes: self.notes.clone(),
        }
    }

    fn route_outcome(&self, route: Class) -> RouteOutcome {
        let mut states = self.partitions.iter();
        let delivery = self.delivery();
        let pause_end = delivery.and_then(|delivery| delivery.not_before(route));
        RouteOutcome {
            counters: (self.partitions.routes().get(route).cloned()).unwrap_or_default(),
            answers: self.answers.get(route).copied().unwrap_or_default(),
            requests: delivery.map(|delivery| delivery.statistics(route)),
            deferred: self.deliveries.deferred_reason(route).map(str::to_owned),
            has_deferred: states.any(|(_, state)| state.has_deferred(route)),
            pause: pause_end.map(|end| end.saturating_duration_since(Instant::now())),
        }
    }
}
