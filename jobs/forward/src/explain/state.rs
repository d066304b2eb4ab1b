//! What happened to a record, from the offsets of its partition and the group's commit. Pure.

use offsets::offset_map::{self, InvalidMetadata, Scope};
use offsets::progress::Class;
use offsets::window::PartitionOffsets;

use super::report::RecordState;

/// Where an offset is in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Below the start.
    Deleted,
    /// Readers of committed records have passed it.
    Stable,
    /// At or above the last stable offset, and below the end.
    Unstable,
    /// At or beyond the end.
    BeyondEnd,
}

/// Where `offset` is. `end` is the end of the log with the records of open transactions.
pub(super) fn position(offset: i64, at: &PartitionOffsets, end: i64) -> Position {
    if offset < at.low {
        Position::Deleted
    } else if offset < at.high {
        Position::Stable
    } else if offset < end {
        Position::Unstable
    } else {
        Position::BeyondEnd
    }
}

/// The state of an offset without a record. `is_in_log`: whether a reader of uncommitted records finds one.
pub(super) fn absent(
    offset: i64,
    at: &PartitionOffsets,
    end: i64,
    is_in_log: bool,
) -> (RecordState, String) {
    match (position(offset, at, end), is_in_log) {
        (Position::Deleted, _) => (
            RecordState::Deleted,
            format!(
                "The record was deleted from the log, or was never in it: the log begins at offset {}.",
                at.low
            ),
        ),
        (Position::Stable, true) => (
            RecordState::Aborted,
            "The record's transaction was aborted: no run reads it.".to_owned(),
        ),
        (Position::Stable, false) => (
            RecordState::Compacted,
            "The log has no record at this offset: it was compacted away, or the offset has a transaction marker."
                .to_owned(),
        ),
        (Position::Unstable, _) => (
            RecordState::OpenTransaction,
            format!(
                "A transaction is open at offset {}: runs read no record from there on until it ends.",
                at.high
            ),
        ),
        (Position::BeyondEnd, _) => (
            RecordState::BeyondEnd,
            format!(
                "There is no such record yet: the log ends before offset {end}."
            ),
        ),
    }
}

/// The state of a record that exists. `class`: the class of its progress; `None` if a run skips it.
pub(super) fn progress(
    offset: i64,
    at: &PartitionOffsets,
    class: Option<Class>,
    scope: &Scope,
) -> (RecordState, String) {
    let Some(committed) = at.committed else {
        let sentence =
            "The group has no commit for this partition: no run has completed the record.";
        return (RecordState::Pending, sentence.to_owned());
    };
    let map = offset_map::decode(&at.metadata, committed, scope);
    if map == Err(InvalidMetadata::TopicMismatch) {
        let sentence = format!(
            "The group's commit at {committed} belongs to a deleted topic of this name: no run has completed the record."
        );
        return (RecordState::Pending, sentence);
    }
    if offset < committed {
        let sentence =
            format!("A run has completed the record: the group's commit is {committed}.");
        return (RecordState::Committed, sentence);
    }
    let map = match map {
        Ok(map) => map,
        Err(error) => {
            let sentence = format!(
                "The record is not below the group's commit, {committed}, and {error}: the next run sends it."
            );
            return (RecordState::Pending, sentence);
        }
    };
    if offset >= map.scanned {
        let sentence =
            format!("No run has completed the record: the group's commit is {committed}.");
        return (RecordState::Pending, sentence);
    }
    match class {
        Some(class) if !map.is_completed(class, offset) => (
            RecordState::Deferred,
            format!(
                "An earlier run has read the record and did not complete it: the next run sends it. The group's commit is {committed}."
            ),
        ),
        _ => (
            RecordState::CompletedBeyondCommit,
            format!(
                "A run has completed the record. The group's commit is still {committed}, because a record before it is not \
                 completed; its offset map has this one."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use offsets::offset_map::OffsetMap;

    use super::*;

    fn scope(topic: &str) -> Scope {
        Scope {
            topic: topic.to_owned(),
            routes: 7,
        }
    }

    fn partition(committed: Option<i64>, metadata: String) -> PartitionOffsets {
        PartitionOffsets {
            partition: 0,
            low: 10,
            high: 50,
            committed,
            metadata,
            start_time_offset: None,
            end_time_offset: None,
        }
    }

    #[test]
    fn a_missing_record_has_a_reason() {
        let at = partition(None, String::new());
        let absent = |offset, is_in_log| absent(offset, &at, 60, is_in_log).0;
        assert_eq!(absent(9, false), RecordState::Deleted);
        assert_eq!(absent(10, true), RecordState::Aborted);
        assert_eq!(absent(49, false), RecordState::Compacted);
        assert_eq!(absent(50, true), RecordState::OpenTransaction);
        assert_eq!(absent(60, false), RecordState::BeyondEnd);
    }

    #[test]
    fn the_commit_and_its_offset_map_show_what_is_completed() {
        let map = OffsetMap {
            scanned: 40,
            gaps: vec![vec![(20, 21)], vec![(30, 31)]],
        };
        let at = partition(Some(20), offset_map::encode(&map, 20, &scope("t"), 4096));
        let state = |offset, class, topic| progress(offset, &at, class, &scope(topic)).0;
        assert_eq!(state(19, Some(0), "t"), RecordState::Committed);
        assert_eq!(state(20, Some(0), "t"), RecordState::Deferred);
        assert_eq!(state(20, Some(1), "t"), RecordState::CompletedBeyondCommit);
        assert_eq!(state(30, Some(1), "t"), RecordState::Deferred);
        // A run skips it.
        assert_eq!(state(30, None, "t"), RecordState::CompletedBeyondCommit);
        assert_eq!(state(40, Some(0), "t"), RecordState::Pending);
        assert_eq!(state(19, Some(0), "other"), RecordState::Pending);
        let lost = partition(Some(20), String::new());
        let (state, sentence) = progress(30, &lost, Some(0), &scope("t"));
        assert_eq!(state, RecordState::Pending);
        assert!(sentence.contains("has no metadata"), "{sentence}");
        let none = partition(None, String::new());
        assert_eq!(
            progress(30, &none, Some(0), &scope("t")).0,
            RecordState::Pending
        );
    }
}
