//! What a worker gets, as JSON. It returns a [`WindowOutcome`](crate::pipeline::WindowOutcome). Driver and workers are the same
//! version of the program.

use std::time::{Duration, SystemTime};

use offsets::offset_map::OffsetMap;
use offsets::window::OffsetRange;
use record::StreamId;
use serde::{Deserialize, Serialize};
use settings::TransferredSettings;

/// The version of the program. A task of another one is refused.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A slice, and everything that a worker needs to work on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// [`VERSION`].
    pub(crate) version: String,
    /// The settings of the run.
    pub(crate) settings: TransferredSettings,
    /// The id of the run.
    pub(crate) run: String,
    /// The consumer group, which dead letters name.
    pub(crate) group: String,
    /// How old a record may be before it is given up; `None`: never.
    pub(crate) give_up_after: Option<Duration>,
    /// The identity of the stream, which idempotency keys contain: the cluster's id and the topic's id, or their names.
    pub(crate) cluster: String,
    pub(crate) topic: String,
    /// The topic's id, if it has one.
    pub(crate) topic_id: Option<String>,
    /// The fingerprint of routes and schemas. A worker with another one would complete records of other routes.
    pub(crate) routes: u64,
    /// The offsets to read.
    pub(crate) slice: OffsetRange,
    /// What earlier runs have completed in the slice.
    pub(crate) completed: OffsetMap,
    /// How many tasks run at once: they share the limits of the endpoints.
    pub(crate) tasks: usize,
    /// When the run ends at the latest.
    pub(crate) deadline: Option<SystemTime>,
    /// For each route, the end of a pause that an earlier run has recorded.
    pub(crate) pauses: Vec<Option<SystemTime>>,
    /// For each route, why other tasks of this run have deferred it; `None`: they have not.
    pub(crate) deferred: Vec<Option<String>>,
}

impl Task {
    /// The identity of the stream, which idempotency keys contain.
    pub(crate) fn stream(&self) -> StreamId {
        StreamId {
            cluster: self.cluster.clone(),
            topic: self.topic.clone(),
        }
    }
}
