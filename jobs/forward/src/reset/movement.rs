//! What the movement of a commit skips and repeats. Pure.

use offsets::offset_map::{self, OffsetMap, Scope};

use kafka::member::Commit;

use super::report::PartitionReset;
use crate::pipeline::MAX_METADATA_BYTES;
use crate::status::Progress;

/// The movement of a partition's commit.
pub(super) struct Movement {
    pub(super) reset: PartitionReset,
    /// The first offset that is not completed.
    pub(super) from: i64,
    /// What the group has completed above its commit.
    pub(super) map: Option<OffsetMap>,
}

impl Movement {
    /// The movement to the offset `to` of the log.
    ///
    /// Forwards, the group keeps what it has completed above `to`. Backwards, everything from `to` on is read again.
    pub(super) fn new(progress: Progress, to: i64) -> Self {
        let Progress {
            status, from, map, ..
        } = progress;
        let completed = |end: i64| {
            let ranges = map.as_ref().map(|map| map.completed_ranges(from, end));
            let ranges = ranges.unwrap_or_default().into_iter();
            ranges.map(|(start, end)| end - start).sum::<i64>()
        };
        let (skipped, repeated) = match to >= from {
            true => (to - from - completed(to), 0),
            false => (0, from - to + completed(status.log_end)),
        };
        // A commit of a deleted topic changes even if its offset does not.
        let is_usable = status.committed == Some(from);
        Self {
            reset: PartitionReset {
                partition: status.partition,
                log_start: status.log_start,
                log_end: status.log_end,
                committed: status.committed,
                to,
                changes: !is_usable || to != from,
                skipped,
                repeated,
                records: None,
            },
            from,
            map,
        }
    }

    /// The commit that makes the movement; `None` if nothing changes. `routes`: the number of routes.
    pub(super) fn commit(&self, routes: usize, scope: &Scope) -> Option<Commit> {
        let to = self.reset.to;
        let none = || OffsetMap::without_gaps(to, routes + 1);
        let kept = self.map.clone().filter(|_| to >= self.from);
        let map = kept.map_or_else(none, |map| after(map, to));
        self.reset.changes.then(|| Commit {
            partition: self.reset.partition,
            offset: to,
            // It names the topic's id, so that the next run recognises the topic.
            metadata: offset_map::encode(&map, to, scope, MAX_METADATA_BYTES),
        })
    }
}

/// The part of a map at and above `to`.
fn after(map: OffsetMap, to: i64) -> OffsetMap {
    let clipped = |gaps: Vec<(i64, i64)>| {
        let gaps = gaps.into_iter().filter(|gap| gap.1 > to);
        gaps.map(|(start, end)| (start.max(to), end)).collect()
    };
    OffsetMap {
        scanned: map.scanned.max(to),
        gaps: map.gaps.into_iter().map(clipped).collect(),
    }
}

#[cfg(test)]
mod tests {
    use offsets::window::PartitionOffsets;

    use super::*;
    use crate::status;

    fn scope() -> Scope {
        Scope {
            topic: "topic-id".to_owned(),
            routes: 7,
        }
    }

    /// A log from 10 to 100, committed at 40. Read up to 60, with 40 to 41 and 50 to 54 not completed.
    fn movement(to: i64, metadata: bool) -> Movement {
        let map = OffsetMap {
            scanned: 60,
            gaps: vec![vec![(40, 42), (50, 55)], Vec::new()],
        };
        let at = PartitionOffsets {
            partition: 0,
            low: 10,
            high: 100,
            committed: Some(40),
            metadata: match metadata {
                true => offset_map::encode(&map, 40, &scope(), 4096),
                false => String::new(),
            },
            start_time_offset: None,
            end_time_offset: None,
        };
        Movement::new(status::progress(&at, &scope()), to)
    }

    fn counts(to: i64, metadata: bool) -> (i64, i64) {
        let reset = movement(to, metadata).reset;
        (reset.skipped, reset.repeated)
    }

    #[test]
    fn forwards_skips_what_is_not_completed() {
        assert_eq!(counts(41, true), (1, 0));
        assert_eq!(counts(52, true), (2 + 2, 0));
        assert_eq!(counts(100, true), (2 + 5 + 40, 0));
        assert_eq!(counts(100, false), (60, 0));
    }

    #[test]
    fn backwards_repeats_what_is_completed_above_the_commit_too() {
        assert_eq!(counts(30, true), (0, 10 + 8 + 5));
        assert_eq!(counts(10, false), (0, 30));
    }

    #[test]
    fn what_is_completed_above_the_new_commit_is_kept() {
        let decoded = |to| {
            let commit = movement(to, true).commit(1, &scope()).unwrap();
            assert_eq!(commit.offset, to);
            assert_eq!(offset_map::topic_of(&commit.metadata), Some("topic-id"));
            offset_map::decode(&commit.metadata, to, &scope()).unwrap()
        };
        let map = decoded(52);
        assert_eq!((map.scanned, &map.gaps[0]), (60, &vec![(52, 55)]));
        assert!(!map.is_completed(0, 54) && map.is_completed(0, 55));
        for to in [10, 39, 60, 100] {
            let map = decoded(to);
            assert_eq!(map.scanned, to);
            assert_eq!(map.gaps, vec![Vec::new(); 2]);
        }
    }

    #[test]
    fn a_commit_of_a_deleted_topic_is_replaced() {
        let map = OffsetMap {
            scanned: 40,
            gaps: Vec::new(),
        };
        let deleted = Scope {
            topic: "deleted".to_owned(),
            ..scope()
        };
        let at = PartitionOffsets {
            partition: 0,
            low: 10,
            high: 100,
            committed: Some(40),
            metadata: offset_map::encode(&map, 40, &deleted, 4096),
            start_time_offset: None,
            end_time_offset: None,
        };
        let movement = Movement::new(status::progress(&at, &scope()), 40);
        assert_eq!(movement.reset.skipped, 30);
        let commit = movement.commit(1, &scope()).unwrap();
        assert_eq!(offset_map::topic_of(&commit.metadata), Some("topic-id"));
    }

    #[test]
    fn a_commit_that_is_there_is_not_written() {
        let same = movement(40, true);
        assert!(!same.reset.changes && same.commit(1, &scope()).is_none());
        assert_eq!(counts(40, true), (0, 0));
    }
}
