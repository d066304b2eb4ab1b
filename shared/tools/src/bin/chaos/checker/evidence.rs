//! The data that the checker compares.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::records::StoredRecord;

/// One record in a request to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The name of the endpoint's route.
    pub(crate) route: &'static str,
    /// The received datum.
    pub(crate) datum: Vec<u8>,
    /// The record's idempotency key.
    pub(crate) key: String,
    /// The index of the run that sent it, from 0.
    pub(crate) run: usize,
    /// The endpoint sent the head of a 2xx response.
    pub(crate) accepted: bool,
    /// The endpoint rejected this record (400, 413, 422), so it may become a dead letter.
    pub(crate) rejected: bool,
    /// The response was incomplete, so the job does not know that the record was accepted.
    pub(crate) cut_short: bool,
}

/// The data that the checker compares.
pub(crate) struct Evidence {
    /// All records of the topic.
    pub(crate) topic: Vec<StoredRecord>,
    /// Partition and offset of each acknowledged record.
    pub(crate) acknowledged: Vec<(i32, i64)>,
    /// All records of the dead-letter topic.
    pub(crate) dead_letters: Vec<StoredRecord>,
    /// All records of all requests to both endpoints.
    pub(crate) received: Vec<Received>,
    /// The reports of all runs that wrote one.
    pub(crate) reports: Vec<Value>,
    /// The group's last committed offsets.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// For each run, how many of its delivered records a later run may deliver again: the maximum in flight if the run was
    /// interrupted, otherwise 0.
    pub(crate) allowed_repeats: Vec<usize>,
}
