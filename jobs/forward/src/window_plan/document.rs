//! The plan of a window. Pure.

use serde::{Deserialize, Serialize};

/// The version of the JSON (`docs/schemas/plan.schema.json`). A member that is removed, renamed or changes its meaning
/// raises it; a new one does not.
pub const VERSION: u32 = 1;

/// The plan of a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// [`VERSION`].
    pub version: u32,
    /// When it was made (RFC 3339).
    pub created: String,
    /// The cluster's id; the bootstrap servers if the broker reports none.
    pub cluster: String,
    /// The topic.
    pub topic: String,
    /// The topic's id (KIP-516), if the broker reports one.
    pub topic_id: Option<String>,
    /// The number of partitions that the topic has.
    pub topic_partitions: i32,
    /// The consumer group of the job.
    pub group: String,
    /// Where the progress of its runs is.
    pub progress: PlanProgress,
    /// The fingerprint of routes and schemas, 16 hexadecimal digits.
    pub routes_fingerprint: String,
    /// The number of shards; `None`: it is not divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards: Option<u32>,
    /// The number of offsets in the window that are not completed.
    pub offsets: i64,
    /// The partitions, ascending.
    pub partitions: Vec<PlannedPartition>,
    /// The routes, in their order.
    pub routes: Vec<PlannedRoute>,
    /// The schemas of the records that were read.
    pub schemas: Vec<PlannedSchema>,
    /// What a dry read has found; `None` without `--count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedCounts>,
    /// What the reader should know, in sentences for people.
    pub notes: Vec<String>,
}

/// Where the progress of a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanProgress {
    /// In the commits of the job's group: the plan is of the group's own window (`WINDOW_START=committed`).
    Group,
    /// In a group of the plan: the commits of the job stay as they are.
    Plan,
}

/// The window of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPartition {
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub start: i64,
    /// The end, exclusive.
    pub end: i64,
    /// The leader epoch at the end of the log (KIP-320), if the broker reports one.
    pub leader_epoch: Option<i32>,
    /// The log's first offset.
    pub log_start: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// Ranges of the window that the group has completed: first offset and end, exclusive.
    pub completed: Vec<(i64, i64)>,
    /// The timestamp of the first record, in milliseconds since 1970; `None`: no record, or it was not read.
    pub first_timestamp: Option<i64>,
    /// The timestamp of the last record; `None`: also if the last ten offsets have none and `--count` is not given.
    pub last_timestamp: Option<i64>,
    /// The number of its shard, from 1; `None`: the plan is not divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<u32>,
}

impl PlannedPartition {
    /// The number of offsets that are not completed.
    pub fn offsets(&self) -> i64 {
        let completed = self.completed.iter().map(|(start, end)| end - start);
        self.end - self.start - completed.sum::<i64>()
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRoute {
    /// The route's name.
    pub route: String,
    /// Its URL, without the query.
    pub url: String,
    /// The number of its records that are not completed; `None` without `--count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<i64>,
}

/// A schema of records.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlannedSchema {
    /// Its full name.
    pub name: String,
    /// CRC-64-AVRO, 16 hex digits in the byte order of the single-object encoding.
    pub fingerprint: String,
    /// The id or GUID in the registry, if the records name one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<String>,
}

/// What a dry read of the window has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedCounts {
    /// The records that were read.
    pub read: i64,
    /// Whether these are all of the window.
    pub complete: bool,
    /// Those that the group has completed.
    pub already_completed: i64,
    /// Those that a run skips.
    pub skipped: i64,
    /// Those that a run dead-letters, or at which it stops, without a route.
    pub without_route: i64,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A partition without completed offsets.
    pub(crate) fn partition(partition: i32, start: i64, end: i64) -> PlannedPartition {
        PlannedPartition {
            partition,
            start,
            end,
            leader_epoch: Some(3),
            log_start: 0,
            committed: Some(start),
            completed: Vec::new(),
            first_timestamp: Some(1),
            last_timestamp: None,
            shard: None,
        }
    }

    /// The plan of a topic with two partitions.
    pub(crate) fn document() -> PlanDocument {
        PlanDocument {
            version: VERSION,
            created: "2026-11-27T14:18:19.837Z".to_owned(),
            cluster: "cluster".to_owned(),
            topic: "orders".to_owned(),
            topic_id: Some("topic-id".to_owned()),
            topic_partitions: 2,
            group: "frontdoor".to_owned(),
            progress: PlanProgress::Group,
            routes_fingerprint: "000000000000002a".to_owned(),
            shards: None,
            offsets: 140,
            partitions: vec![
                PlannedPartition {
                    completed: vec![(120, 130)],
                    ..partition(0, 100, 200)
                },
                partition(1, 50, 100),
            ],
            routes: vec![PlannedRoute {
                route: "A".to_owned(),
                url: "https://a.example/".to_owned(),
                records: None,
            }],
            schemas: Vec::new(),
            expected: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn completed_offsets_do_not_count() {
        let plan = document();
        let offsets = plan.partitions.iter().map(PlannedPartition::offsets);
        assert_eq!(offsets.collect::<Vec<_>>(), [90, 50]);
    }
}
