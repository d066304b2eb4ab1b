use std::time::Duration;

use delivery::RouteStatistics;
use offsets::window::Window;

use super::*;

fn range(start: i64, end: i64) -> OffsetRange {
    OffsetRange {
        partition: 0,
        start,
        end,
    }
}

fn scope() -> Scope {
    Scope {
        topic: "id".to_owned(),
        routes: 7,
    }
}

/// One partition with offsets 0 to 99 and one route.
fn merged() -> Merged {
    let window = Window {
        ranges: vec![range(0, 100)],
        ..Window::default()
    };
    let state = PartitionState::from_commit(&window, 0, 1, &scope(), Some(0), "").unwrap();
    Merged::new(&BTreeMap::from([(0, state)]), 1, scope())
}

/// A slice in which all records but `open` are delivered.
#[allow(clippy::field_reassign_with_default)] // one of its fields is private
fn done(slice: &OffsetRange, open: i64) -> WindowOutcome {
    let mut map = OffsetMap::without_gaps(slice.end, 2);
    if open > 0 {
        map.gaps[0].push((slice.start, slice.start + open));
    }
    let mut counters = PartitionCounters::new(slice.clone());
    counters.unread = 0;
    counters.open = open;
    counters.delivered = slice.length() - open;
    let mut requests = RouteStatistics::default();
    requests.attempts = 3;
    let mut route = RouteOutcome {
        requests: Some(requests),
        has_deferred: open > 0,
        ..RouteOutcome::default()
    };
    route.counters.matched = slice.length();
    route.counters.delivered = counters.delivered;
    route.counters.open = open;
    WindowOutcome {
        partitions: vec![PartitionOutcome {
            counters,
            map,
            committed: None,
            has_gaps: false,
        }],
        routes: vec![route],
        notes: vec!["the same note".to_owned()],
        ..WindowOutcome::default()
    }
}

#[test]
fn outcomes_add_up_and_what_did_not_return_is_unread() {
    let mut merged = merged();
    for slice in [range(0, 25), range(50, 75)] {
        assert!(merged.add(&slice, done(&slice, 0)));
    }
    let commits = merged.request_commits();
    assert_eq!((commits.len(), commits[0].offset), (1, 25));
    assert!(merged.request_commits().is_empty());
    assert!(!merged.is_committed());
    merged.acknowledge(commits);
    assert!(merged.is_committed());
    let outcome = merged.end();
    let one = &outcome.partitions[0];
    assert_eq!((one.counters.delivered, one.counters.unread), (50, 50));
    assert_eq!((one.committed, one.has_gaps), (Some(25), true));
    assert_eq!(one.counters.deferred(), 50);
    assert_eq!(outcome.routes[0].requests.as_ref().unwrap().attempts, 6);
    assert_eq!(outcome.notes, ["the same note"]);
}

#[test]
fn the_next_run_reads_what_did_not_return_and_what_was_deferred() {
    let mut merged = merged();
    let slice = range(50, 100);
    assert!(merged.add(&slice, done(&slice, 10)));
    let commit = merged.request_commits().remove(0);
    assert_eq!(commit.offset, 0);
    let map = offset_map::decode(&commit.metadata, 0, &scope()).unwrap();
    assert_eq!(map.gaps, [vec![(0, 60)], vec![(0, 50)]]);
}

#[test]
fn an_outcome_of_another_slice_is_refused_and_changes_nothing() {
    let mut merged = merged();
    let slice = range(0, 25);
    assert!(!merged.add(&slice, done(&range(0, 26), 0)));
    assert!(!merged.add(&slice, WindowOutcome::default()));
    let other = WindowOutcome {
        routes: Vec::new(),
        ..done(&slice, 0)
    };
    assert!(!merged.add(&slice, other));
    assert!(merged.request_commits().is_empty());
    assert_eq!(merged.end().partitions[0].counters.unread, 100);
}

#[test]
fn a_deferred_route_is_known_to_later_tasks_and_its_pause_outlasts_them() {
    let mut merged = merged();
    let slice = range(0, 25);
    let mut first = done(&slice, 25);
    first.routes[0].deferred = Some("the circuit is open".to_owned());
    first.routes[0].pause = Some(Duration::from_secs(60));
    assert!(merged.add(&slice, first));
    let deferred = [Some("the circuit is open".to_owned())];
    assert_eq!(merged.deferred(0, false), deferred);
    assert_eq!(merged.deferred(1, true), deferred);
    // The later task sends no request.
    let slice = range(25, 50);
    let mut second = done(&slice, 25);
    second.routes[0].requests = Some(RouteStatistics::default());
    assert!(merged.add(&slice, second));
    assert_eq!(merged.end().routes[0].pause, Some(Duration::from_secs(60)));
}

#[test]
fn what_an_ordered_route_has_deferred_is_not_overtaken_in_its_partition() {
    let mut merged = merged();
    let slice = range(0, 25);
    assert!(merged.add(&slice, done(&slice, 1)));
    assert_eq!(merged.deferred(0, false), [None]);
    assert_eq!(merged.deferred(0, true), [Some(ORDER_KEPT.to_owned())]);
    // The task that was held back does not hold back the other partitions.
    let slice = range(25, 50);
    let mut second = done(&slice, 25);
    second.routes[0].deferred = Some(ORDER_KEPT.to_owned());
    assert!(merged.add(&slice, second));
    assert_eq!(merged.deferred(1, true), [None]);
}
