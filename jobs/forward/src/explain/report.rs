//! What is known about records. Pure.

use serde::Serialize;
use serde_json::Value as Json;

use super::outcome::ExplainOutcome;
use crate::dead_letter::DeadLetterLocation;
use crate::request_preview::{BodyEncoding, RequestReport};
use crate::route_test::report::Action;

/// The version of the JSON (`docs/schemas/explain-report.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// The explained records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExplainReport {
    /// [`VERSION`].
    pub version: u32,
    /// The consumer group.
    pub group: String,
    /// The records, by timestamp, partition and offset.
    pub records: Vec<Explanation>,
    /// How a search ended; `None` for a record that was named by its coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchEnd>,
    /// What could not be found out, in sentences for people.
    pub notes: Vec<String>,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnd {
    /// All records of the time range were read.
    Complete,
    /// The limit of records was reached.
    Limit,
    /// The timeout was reached.
    Timeout,
}

/// One record: what happened to it, and what a run does with it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Its coordinates.
    pub coordinates: String,
    /// What happened to it.
    pub state: RecordState,
    /// The same in a sentence.
    pub explanation: String,
    /// The group's committed offset in its partition.
    pub committed: Option<i64>,
    /// The dead letter, if there is one.
    pub dead_letter: Option<DeadLetterLocation>,
    /// The time before which the next run sends no request to its route (RFC 3339).
    pub paused_until: Option<String>,
    /// The record; `None` if it cannot be read.
    pub record: Option<RecordReport>,
    /// The condition of each route.
    pub routes: Vec<RouteReport>,
    /// What a run does with the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionReport>,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordState {
    /// It is below the group's commit: delivered or skipped.
    Committed,
    /// It is completed, and above the commit.
    CompletedBeyondCommit,
    /// It is completed, and in the dead-letter topic.
    DeadLettered,
    /// An earlier run has read it and not completed it.
    Deferred,
    /// No run has completed it, as far as the commit shows.
    Pending,
    /// It is below the start of the log.
    Deleted,
    /// The log has no record at its offset: compacted, or a control record.
    Compacted,
    /// Its transaction was aborted.
    Aborted,
    /// Its transaction, or one before it, is open.
    OpenTransaction,
    /// It is at or beyond the end of the log.
    BeyondEnd,
    /// The topic has no such partition.
    NoPartition,
}

impl RecordState {
    /// Whether the next run reads the record and completes it.
    pub fn is_due(self) -> bool {
        matches!(self, Self::Deferred | Self::Pending)
    }

    /// Whether a reader of committed records finds the record.
    pub fn exists(self) -> bool {
        match self {
            Self::Committed
            | Self::CompletedBeyondCommit
            | Self::DeadLettered
            | Self::Deferred
            | Self::Pending => true,
            Self::Deleted
            | Self::Compacted
            | Self::Aborted
            | Self::OpenTransaction
            | Self::BeyondEnd
            | Self::NoPartition => false,
        }
    }
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordReport {
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<BytesReport>,
    /// Name and value of each header, in order.
    pub headers: Vec<(String, Option<BytesReport>)>,
    /// The size of the value in bytes; `None` for a tombstone.
    pub size: Option<usize>,
    /// How the value is framed; `None` if that is unknown.
    pub framing: Option<Framing>,
    /// The schema that it was written with; `None` if it is unknown.
    pub schema: Option<SchemaReport>,
    /// The record as JSON of `AVRO_SCHEMA`.
    pub value: Option<Json>,
    /// Why there is no `value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The first bytes of a value that is not decoded, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// Bytes: text if they are UTF-8, or else base64 (RFC 4648, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BytesReport {
    /// The text.
    pub content: String,
    /// How it is written.
    pub encoding: BodyEncoding,
}

/// How a value is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// A raw datum.
    Raw,
    /// Avro's single-object encoding.
    SingleObject,
    /// The wire format of Confluent's serializers.
    Confluent,
}

/// A schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaReport {
    /// Its full name.
    pub name: String,
    /// CRC-64-AVRO, 16 hex digits in the byte order of the single-object encoding.
    pub fingerprint: String,
    /// The id or GUID in the registry, if the record names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<String>,
}

/// The condition of a route for this record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouteReport {
    /// The route's name.
    pub route: String,
    /// Its condition.
    pub when: String,
    /// Whether the condition is true; `None`: it has no value.
    pub matches: Option<bool>,
    /// Why it has no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the route takes the record: it is the first one that matches.
    pub takes: bool,
    /// The fields in the condition, each with its value.
    pub fields: Vec<(String, Option<Json>)>,
}

/// What a run does with a record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionReport {
    /// What it does.
    pub action: Action,
    /// The route that takes the record.
    pub route: Option<String>,
    /// The cause of a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// Why the record is a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The request that delivers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestReport>,
}

impl Explanation {
    /// The record has this dead letter. A record that the next run sends is not completed by it.
    pub(super) fn set_dead_letter(&mut self, letter: DeadLetterLocation) {
        if self.state.exists() && !self.state.is_due() {
            self.state = RecordState::DeadLettered;
            self.explanation = format!(
                "A run has written the record to the dead-letter topic, as {} ({}). The group's commit is {}.",
                letter.coordinates,
                letter.cause,
                self.committed.unwrap_or_default()
            );
        }
        self.dead_letter = Some(letter);
    }
}

impl ExplainReport {
    /// One line of JSON.
    pub fn json(&self) -> String {
        // Serialization of strings and numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Whether a record was found.
    pub fn outcome(&self) -> ExplainOutcome {
        match self.records.iter().any(|record| record.state.exists()) {
            true => ExplainOutcome::Found,
            false => ExplainOutcome::NotFound,
        }
    }
}
