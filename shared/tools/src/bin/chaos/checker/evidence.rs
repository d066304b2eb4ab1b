//! The data that the checker compares.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::records::StoredRecord;

use super::answers::KeptAnswer;
use super::dead_letter::DeadLetter;
use crate::form::Form;

/// One record in a request to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The name of the endpoint's route.
    pub(crate) route: &'static str,
    /// The form of the request's body; `None`: it is malformed.
    pub(crate) form: Option<Form>,
    /// The received record, as a datum of the job's schema.
    pub(crate) datum: Vec<u8>,
    /// The record's idempotency key.
    pub(crate) key: String,
    /// The record's partition and offset, if the form has them.
    pub(crate) place: Option<(i32, i64)>,
    /// The index of the run that sent it, from 0.
    pub(crate) run: usize,
    /// The endpoint sent the head of a 2xx response.
    pub(crate) accepted: bool,
    /// The endpoint rejected this record (400, 413, 422), so it may become a dead letter.
    pub(crate) rejected: bool,
    /// The request names the schema of the job as the schema of the datum, if its form can name a schema.
    pub(crate) names_schema: bool,
    /// The response was incomplete, so the job does not know that the record was accepted.
    pub(crate) cut_short: bool,
}

/// The conditions of one run of the job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// How many of its delivered records a later run may deliver again: the maximum in flight if the run was interrupted,
    /// otherwise 0.
    pub(crate) allowed_repeats: usize,
    /// The number of acknowledged records at its start.
    pub(crate) acknowledged: usize,
    /// The routes that must make progress: their endpoints had no fault, and neither had the run.
    pub(crate) fair_routes: Vec<&'static str>,
    /// A record that is never accepted does not delay others: there were no batches, and `ORDER` was `none`.
    pub(crate) independent: bool,
    /// The schema registry answered no request of the run.
    pub(crate) outage: Option<Outage>,
}

/// A run during which the schema registry answered no request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outage {
    /// The group's committed offsets at its start.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// Its exit code; `None` if it was interrupted.
    pub(crate) code: Option<i32>,
    /// Its id; `None` if it wrote no report.
    pub(crate) run: Option<String>,
}

/// What a program printed or stored.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// What it is, such as the number of the run and the stream.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

/// The data that the checker compares.
#[derive(Default)]
pub(crate) struct Evidence {
    /// All records of the topic.
    pub(crate) topic: Vec<StoredRecord>,
    /// Partition and offset of each acknowledged record, in the order of writing.
    pub(crate) acknowledged: Vec<(i32, i64)>,
    /// Descriptions of invalid datums that the ingest function accepted.
    pub(crate) accepted_invalid: Vec<String>,
    /// Failures of a program to reach Kafka although all brokers were running.
    pub(crate) unavailable: Vec<String>,
    /// All dead letters.
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// All answers.
    pub(crate) answers: Vec<KeptAnswer>,
    /// Route A keeps answers.
    pub(crate) keeps_answers: bool,
    /// All records of all requests to both endpoints.
    pub(crate) received: Vec<Received>,
    /// The reports of all runs that wrote one.
    pub(crate) reports: Vec<Value>,
    /// The group's last committed offsets.
    pub(crate) committed: BTreeMap<i32, i64>,
    /// All runs.
    pub(crate) runs: Vec<Run>,
    /// The job has the setting `GIVE_UP_AFTER`, so records that are never accepted become dead letters.
    pub(crate) gives_up: bool,
    /// All outputs of all programs.
    pub(crate) outputs: Vec<Output>,
}
