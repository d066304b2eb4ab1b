//! What the page shows: values at a moment. Pure.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use delivery::RouteActivity;

use super::history::History;
use crate::pipeline::Pipeline;

/// The state of the job at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The consumer group and its topic.
    pub(super) job: Arc<JobName>,
    /// The present phase of the schedule.
    pub(super) phase: Phase,
    /// The windows that have ended.
    pub(super) history: Arc<History>,
}

/// Which job it is.
#[derive(Clone, Debug)]
pub(super) struct JobName {
    pub(super) topic: String,
    pub(super) group: String,
    pub(super) every: Duration,
    /// The start of the process.
    pub(super) started: SystemTime,
}

/// The phase of the schedule.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Before the first window.
    Starting,
    /// Between two windows.
    Waiting {
        /// When the next window is due.
        due: SystemTime,
    },
    /// A window runs.
    Running(Arc<LiveWindow>),
}

/// The progress of a window.
#[derive(Clone, Debug)]
pub(super) struct LiveWindow {
    /// The id of the run.
    pub(super) run: String,
    pub(super) started: SystemTime,
    /// `None` until records are read: the run lists offsets and joins the group.
    pub(super) progress: Option<LiveProgress>,
}

/// The counts of a running window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LiveProgress {
    /// Offsets of the window, and how many of them are read.
    pub(super) planned: i64,
    pub(super) read: i64,
    pub(super) partitions: Vec<LivePartition>,
    pub(super) routes: Vec<LiveRoute>,
}

/// A partition of a running window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LivePartition {
    pub(super) partition: i32,
    /// The end of the window.
    pub(super) end: i64,
    pub(super) committed: i64,
    /// Offsets that need no more work, with or without a record.
    pub(super) completed: i64,
    pub(super) delivered: i64,
    pub(super) skipped: i64,
    pub(super) dead_lettered: i64,
}

/// A route of a running window.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LiveRoute {
    pub(super) name: String,
    /// What it does now.
    pub(super) activity: RouteActivity,
    /// The end of its pause.
    pub(super) paused_until: Option<SystemTime>,
    /// Records that its queue has accepted and that are not completed, those in flight included.
    pub(super) buffered: usize,
    pub(super) delivered: i64,
    pub(super) dead_lettered: i64,
    /// Why its records are deferred.
    pub(super) deferred: Option<String>,
}

impl LiveProgress {
    /// The counts of a pipeline. `names`: the names of the routes, in order.
    pub(super) fn of<'n>(
        pipeline: &Pipeline<'_>,
        names: impl Iterator<Item = &'n str>,
        moment: impl Fn(std::time::Instant) -> SystemTime,
    ) -> Self {
        let partitions = pipeline.partitions();
        let (planned, read) = partitions.offsets();
        let delivery = pipeline.delivery();
        let routes = names.zip(partitions.routes()).enumerate();
        let routes = routes.map(|(index, (name, counters))| {
            let activity = delivery.map(|delivery| delivery.activity(index));
            let activity = activity.unwrap_or_default();
            let state = delivery.map(|delivery| delivery.state(index));
            LiveRoute {
                name: name.to_owned(),
                activity,
                // A deferred route sends no request in this window, and none before that time in the next ones.
                paused_until: activity
                    .paused_until
                    .or_else(|| delivery?.not_before(index))
                    .map(&moment),
                buffered: delivery.map_or(0, |delivery| delivery.buffered(index)),
                delivered: counters.delivered,
                dead_lettered: counters.dead_lettered,
                deferred: match state {
                    Some(delivery::RouteState::Deferred { reason }) => Some(reason.to_string()),
                    _ => None,
                },
            }
        });
        let routes = routes.collect();
        let partitions = partitions.iter().map(|(partition, state)| {
            let counters = state.counters();
            LivePartition {
                partition,
                end: counters.range.end,
                committed: state.committed().unwrap_or(counters.range.start),
                // What is open is counted at the end of the run.
                completed: [
                    counters.delivered,
                    counters.skipped,
                    counters.dead_lettered,
                    counters.already_completed,
                    counters.empty_offsets,
                ]
                .iter()
                .sum(),
                delivered: counters.delivered,
                skipped: counters.skipped,
                dead_lettered: counters.dead_lettered,
            }
        });
        Self {
            planned,
            read,
            partitions: partitions.collect(),
            routes,
        }
    }
}
