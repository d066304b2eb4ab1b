//! What a reset does. Pure.

use serde::Serialize;

use super::outcome::ResetOutcome;

/// The version of the JSON (`docs/schemas/reset-report.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// What a reset does, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResetReport {
    /// [`VERSION`].
    pub version: u32,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// When the offsets were read (RFC 3339).
    pub time: String,
    /// Whether the commits were moved. False: this is a preview, or no commit changes.
    pub applied: bool,
    /// The partitions, ascending.
    pub partitions: Vec<PartitionReset>,
    /// The sum of the partitions' `skipped`.
    pub skipped: i64,
    /// The sum of the partitions' `repeated`.
    pub repeated: i64,
    /// What the reader should know, in sentences for people.
    pub notes: Vec<String>,
}

/// What a reset does to a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionReset {
    /// Partition.
    pub partition: i32,
    /// The log's first offset.
    pub log_start: i64,
    /// The log's end for readers of committed records.
    pub log_end: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The new one.
    pub to: i64,
    /// Whether the commit changes.
    pub changes: bool,
    /// Offsets that are not completed, and that no run reads any more: at least the number of their records.
    pub skipped: i64,
    /// Offsets that are completed, and that the next run reads again: at least the number of their records.
    pub repeated: i64,
    /// What was read of them; `None` without `--count`, or if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<ResetRecords>,
}

/// The records that a reset skips or repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ResetRecords {
    /// Whether all were read.
    pub complete: bool,
    /// Those that no run delivers or dead-letters any more.
    pub skipped: i64,
    /// Those that the next run delivers or dead-letters again.
    pub repeated: i64,
}

impl ResetReport {
    /// One line of JSON.
    pub fn json(&self) -> String {
        // Serialization of strings and numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// How the command ends.
    pub fn outcome(&self) -> ResetOutcome {
        ResetOutcome::Done
    }
}
