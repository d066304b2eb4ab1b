//! The status of a group. Pure.

use std::collections::BTreeMap;

use offsets::offset_map::{self, InvalidMetadata, OffsetMap, Scope};
use offsets::window::PartitionOffsets;
use serde::Serialize;

use crate::dead_letter::shortened;
use crate::dead_letters::{MAX_GROUPS, OTHERS};

use super::cli::StatusLimits;
use super::last_run::LastRun;
use super::outcome::StatusOutcome;

/// The version of the JSON (`docs/schemas/status-report.schema.json`). A member that is removed, renamed or changes its
/// meaning raises it; a new one does not.
pub const VERSION: u32 = 1;

/// The status of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusReport {
    /// [`VERSION`].
    pub version: u32,
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// When the status was read (RFC 3339).
    pub time: String,
    /// The sum of the partitions' lags.
    pub lag: i64,
    /// The age of the oldest record that is not completed, in seconds; `None`: there is none, or it is not known.
    pub oldest_age_seconds: Option<u64>,
    /// The limits that are exceeded, in sentences for people.
    pub exceeded: Vec<String>,
    /// The length of the largest partition's log ÷ the mean of all partitions: 1 if all are equal; `None`: the topic is empty.
    pub skew: Option<f64>,
    /// The partitions, ascending.
    pub partitions: Vec<PartitionStatus>,
    /// The routes, in their order.
    pub routes: Vec<RouteStatus>,
    /// The records that are not completed, per route; `None` without `--by-route`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingStatus>,
    /// The last run; `None`: `REPORT_TOPIC` is unset, or has no report of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The dead letters of the last 24 hours; `None`: they are not known.
    pub dead_letters: Option<DeadLetterStatus>,
    /// What could not be found out, in sentences for people.
    pub notes: Vec<String>,
}

/// The status of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Partition.
    pub partition: i32,
    /// The log's first offset.
    pub log_start: i64,
    /// The log's end for readers of committed records.
    pub log_end: i64,
    /// The group's committed offset.
    pub committed: Option<i64>,
    /// The number of offsets that the commit does not show as completed: at least the number of records that are not
    /// completed. Between two of a route, the offsets of other records count too (`offsets::offset_map`).
    pub lag: i64,
    /// The number of offsets above the commit that it shows as completed.
    pub completed_beyond_commit: i64,
    /// The first record that is not completed; `None`: there is none, or it was not read.
    pub oldest: Option<OldestRecord>,
}

/// The first record of a partition that is not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OldestRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its age by the timestamp, in seconds.
    pub age_seconds: Option<u64>,
}

/// The status of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RouteStatus {
    /// The route's name.
    pub route: String,
    /// The time before which the next run sends no request (RFC 3339): a `Retry-After`, or an open circuit.
    pub paused_until: Option<String>,
    /// The number of its records that are not completed; `None` without `--by-route`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<i64>,
    /// The age of the oldest of them, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_age_seconds: Option<u64>,
}

/// What was read of the records that are not completed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PendingStatus {
    /// The records that were read.
    pub read: i64,
    /// Whether these are all of the lag.
    pub complete: bool,
    /// Those that are not completed and that a run does not skip.
    pub records: i64,
    /// Those that a run skips.
    pub skipped: i64,
    /// Those of `records` that a run dead-letters, or at which it stops, without a route.
    pub without_route: i64,
}

/// The dead letters that were written in the last 24 hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeadLetterStatus {
    /// Their number.
    pub total: u64,
    /// The number of each cause.
    pub causes: BTreeMap<String, u64>,
    /// The number of each route; those without a route are left out.
    pub routes: BTreeMap<String, u64>,
    /// Whether all were read.
    pub complete: bool,
}

impl DeadLetterStatus {
    /// Counts a dead letter. After the first thousand causes or routes, the others are counted as one.
    pub(super) fn add(&mut self, cause: String, route: Option<String>) {
        self.total += 1;
        count(&mut self.causes, cause);
        if let Some(route) = route {
            count(&mut self.routes, shortened(&route));
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    let name = match counts.len() >= MAX_GROUPS && !counts.contains_key(&name) {
        true => OTHERS.to_owned(),
        false => name,
    };
    *counts.entry(name).or_default() += 1;
}

/// What is completed in a partition.
pub(crate) struct Progress {
    pub(crate) status: PartitionStatus,
    /// The first offset that is not completed.
    pub(crate) from: i64,
    /// What is completed above it.
    pub(crate) map: Option<OffsetMap>,
    /// A sentence, if the commit is not usable.
    pub(crate) note: Option<String>,
}

/// The progress that the group's commit shows.
pub(crate) fn progress(at: &PartitionOffsets, scope: &Scope) -> Progress {
    let decoded = at.committed.map(|committed| {
        (
            committed,
            offset_map::decode(&at.metadata, committed, scope),
        )
    });
    let note = |text: String| Some(format!("partition {}: {text}", at.partition));
    let (from, map, note) = match decoded {
        None => (at.low, None, None),
        Some((committed, Err(error @ InvalidMetadata::TopicMismatch))) => {
            (at.low, None, note(format!("at {committed}, {error}")))
        }
        Some((committed, _)) if committed > at.high => (
            at.low,
            None,
            note(format!(
                "the commit at {committed} is beyond the end of the log"
            )),
        ),
        Some((committed, _)) if committed < at.low => {
            let count = at.low - committed;
            let text = format!(
                "{count} offsets from {committed} on were deleted before a run completed them"
            );
            (at.low, None, note(text))
        }
        Some((committed, Ok(map))) => (committed, Some(map), None),
        Some((committed, Err(InvalidMetadata::Missing))) => (committed, None, None),
        Some((committed, Err(error))) => (committed, None, note(error.to_string())),
    };
    let all = (at.high - from).max(0);
    let lag = map
        .as_ref()
        .map_or(all, |map| map.incomplete_below(at.high, from));
    Progress {
        status: PartitionStatus {
            partition: at.partition,
            log_start: at.low,
            log_end: at.high,
            committed: at.committed,
            lag,
            completed_beyond_commit: all - lag,
            oldest: None,
        },
        from,
        map,
        note,
    }
}

/// [`StatusReport::skew`].
pub(super) fn skew(partitions: &[PartitionStatus]) -> Option<f64> {
    let lengths = partitions
        .iter()
        .map(|one| one.log_end.saturating_sub(one.log_start).max(0) as f64);
    let (largest, sum) = lengths.fold((0.0_f64, 0.0), |(largest, sum), length| {
        (largest.max(length), sum + length)
    });
    (sum > 0.0).then(|| largest * partitions.len() as f64 / sum)
}

/// The limits that are exceeded. An age that is not known exceeds each limit.
pub(super) fn exceeded(
    limits: StatusLimits,
    lag: i64,
    is_age_known: bool,
    age: Option<u64>,
) -> Vec<String> {
    let mut exceeded = Vec::new();
    if let Some(max) = limits.max_lag
        && u64::try_from(lag).is_ok_and(|lag| lag > max)
    {
        exceeded.push(format!(
            "{lag} records are not completed: --max-lag is {max}"
        ));
    }
    if let Some(max) = limits.max_age {
        match age {
            Some(age) if age > max.as_secs() => exceeded.push(format!(
                "a record is not completed after {age} s: --max-age is {} s",
                max.as_secs()
            )),
            None if !is_age_known => {
                exceeded.push("the age of the oldest record is not known".to_owned());
            }
            _ => {}
        }
    }
    exceeded
}

impl StatusReport {
    /// One line of JSON.
    pub fn json(&self) -> String {
        // Serialization of strings and numbers cannot fail.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Whether a limit is exceeded.
    pub fn outcome(&self) -> StatusOutcome {
        match self.exceeded.is_empty() {
            true => StatusOutcome::Within,
            false => StatusOutcome::Exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn scope(topic: &str) -> Scope {
        Scope {
            topic: topic.to_owned(),
            routes: 7,
        }
    }

    fn partition(committed: Option<i64>, metadata: &str) -> PartitionOffsets {
        PartitionOffsets {
            partition: 3,
            low: 10,
            high: 50,
            committed,
            metadata: metadata.to_owned(),
            start_time_offset: None,
            end_time_offset: None,
        }
    }

    #[test]
    fn the_number_of_causes_and_routes_is_bounded() {
        let mut status = DeadLetterStatus::default();
        for number in 0..2 * MAX_GROUPS {
            status.add(format!("cause-{number}"), Some(format!("route-{number}")));
        }
        assert_eq!(status.total, 2 * MAX_GROUPS as u64);
        for counts in [&status.causes, &status.routes] {
            assert_eq!(counts.len(), MAX_GROUPS + 1);
            assert_eq!(counts[OTHERS], MAX_GROUPS as u64);
        }
    }

    #[test]
    fn the_lag_is_what_the_commit_and_its_offset_map_leave() {
        let map = OffsetMap {
            scanned: 40,
            gaps: vec![vec![(20, 25)], vec![(30, 31)]],
        };
        let metadata = offset_map::encode(&map, 20, &scope("t"), 4096);
        let found = |committed, metadata: &str, topic| {
            let progress = progress(&partition(committed, metadata), &scope(topic));
            let status = progress.status;
            (
                progress.from,
                status.lag,
                status.completed_beyond_commit,
                progress.note.is_some(),
            )
        };
        assert_eq!(found(Some(20), &metadata, "t"), (20, 5 + 1 + 10, 14, false));
        assert_eq!(found(None, "", "t"), (10, 40, 0, false));
        assert_eq!(found(Some(20), "", "t"), (20, 30, 0, false));
        assert_eq!(found(Some(50), "", "t"), (50, 0, 0, false));
        // Of a deleted topic, of a truncated log, of a log that was deleted faster than it was read, of another consumer.
        assert_eq!(found(Some(20), &metadata, "other"), (10, 40, 0, true));
        assert_eq!(found(Some(51), "", "t"), (10, 40, 0, true));
        assert_eq!(found(Some(7), "", "t"), (10, 40, 0, true));
        assert_eq!(found(Some(20), "x", "t"), (20, 30, 0, true));
    }

    #[test]
    fn skew_compares_the_largest_log_with_the_mean() {
        let of = |ends: &[i64]| {
            let status = |log_end: &i64| PartitionStatus {
                log_start: 10,
                log_end: *log_end,
                ..progress(&partition(None, ""), &scope("t")).status
            };
            skew(&ends.iter().map(status).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[10, 10]), None);
        assert_eq!(of(&[15, 15]), Some(1.0));
        assert_eq!(of(&[10, 4_010, 4_010, 10]), Some(2.0));
    }

    #[test]
    fn a_limit_is_exceeded_above_it() {
        let limits = StatusLimits {
            max_lag: Some(5),
            max_age: Some(Duration::from_secs(60)),
        };
        let count = |lag, is_known, age| exceeded(limits, lag, is_known, age).len();
        assert_eq!(count(5, true, Some(60)), 0);
        assert_eq!(count(6, true, Some(60)), 1);
        assert_eq!(count(6, true, Some(61)), 2);
        assert_eq!(count(1, false, None), 1);
        assert_eq!(count(1, true, None), 0);
        assert!(exceeded(StatusLimits::default(), 9, false, None).is_empty());
    }
}
