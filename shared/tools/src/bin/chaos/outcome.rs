//! What to run, and the outcome.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use crate::checker::Verdict;

/// What to run.
pub(crate) struct Plan {
    /// The seed of all random decisions.
    pub(crate) seed: u64,
    /// How many times the job is killed.
    pub(crate) kills: usize,
    /// The path of the job.
    pub(crate) forward: PathBuf,
}

/// The events and the checker's verdict.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The seed of all random decisions.
    pub(crate) seed: u64,
    /// Started runs.
    pub(crate) runs: usize,
    /// SIGKILL to the job.
    pub(crate) kills: usize,
    /// SIGTERM to the job.
    pub(crate) stops: usize,
    /// SIGKILL to a broker.
    pub(crate) broker_kills: usize,
    /// The number of runs by exit code.
    pub(crate) exit_codes: BTreeMap<i32, usize>,
    /// Runs by the condition of their stretch.
    pub(crate) stretches: BTreeMap<&'static str, usize>,
    /// Runs during which the schema registry answered no request.
    pub(crate) outages: usize,
    /// Runs at whose start the schema registry failed half of the requests.
    pub(crate) unreliable: usize,
    /// Runs that ended because the schema registry did not answer.
    pub(crate) ended_by_registry: usize,
    /// Started replays of dead letters.
    pub(crate) replays: usize,
    /// SIGKILL to a replay.
    pub(crate) replay_kills: usize,
    /// SIGKILL to a broker during a replay.
    pub(crate) replay_broker_kills: usize,
    /// Dead letters of the replayed selections.
    pub(crate) replayed: usize,
    /// Starts of the ingest function.
    pub(crate) functions: usize,
    /// Records that the ingest function acknowledged.
    pub(crate) published: u64,
    /// Records of the topic that no endpoint ever accepts.
    pub(crate) never_accepted: usize,
    /// Written records.
    pub(crate) written: u64,
    /// Records in aborted transactions.
    pub(crate) aborted: u64,
    /// Runs with a batch size greater than one.
    pub(crate) batched: usize,
    /// Records in requests to the endpoints.
    pub(crate) requests: usize,
    /// Records in the dead-letter topic.
    pub(crate) dead_letters: usize,
    /// Reports of runs.
    pub(crate) reports: usize,
    /// The duration in seconds.
    pub(crate) seconds: f64,
    /// The checker's verdict.
    pub(crate) verdict: Verdict,
}
