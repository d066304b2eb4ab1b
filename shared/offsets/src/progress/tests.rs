//! Tests of [`Progress`].

use super::*;

/// Adds `count` pending records, alternately of class 0 and 1.
fn read(progress: &mut Progress, count: i64) {
    for _ in 0..count {
        let offset = progress.position();
        progress.add((offset % 2) as usize, offset, RecordState::Due);
        assert!(progress.advance());
    }
}

#[test]
fn an_offset_that_is_a_gap_of_every_class_counts_as_not_read() {
    let map = OffsetMap {
        scanned: 50,
        gaps: vec![
            vec![(0, 10), (20, 30)],
            vec![(5, 25), (28, 40)],
            vec![(0, 29)],
        ],
    };
    let progress = Progress::new(0, 60, 2, Some(map));
    let unread: Vec<i64> = (0..60)
        .filter(|offset| !progress.was_scanned_before(*offset))
        .collect();
    let expected = (5..10).chain(20..25).chain([28]).chain(50..60);
    assert_eq!(unread, expected.collect::<Vec<_>>());
}

#[test]
fn commits_only_below_the_first_incomplete_record() {
    let mut progress = Progress::new(0, 10, 2, None);
    read(&mut progress, 10);
    assert_eq!(progress.commit(), 0);
    for offset in [1, 3, 0, 2, 7] {
        assert!(progress.complete((offset % 2) as usize, offset));
    }
    assert_eq!(progress.commit(), 4);
    assert!(!progress.complete(1, 7), "a record is completed once");
    assert!(
        !progress.complete(1, 11),
        "a record that was not added is not pending"
    );
}

#[test]
fn a_route_that_delivers_nothing_has_one_gap() {
    let mut progress = Progress::new(0, 1000, 2, None);
    read(&mut progress, 1000);
    for offset in 0..1000 {
        assert!(if offset % 2 == 0 {
            progress.defer(0, offset)
        } else {
            progress.complete(1, offset)
        });
    }
    assert_eq!(progress.commit(), 0);
    assert_eq!(
        progress.offset_map(),
        OffsetMap {
            scanned: 1000,
            gaps: vec![vec![(0, 999)], vec![], vec![]]
        }
    );

    let next = Progress::new(0, 1200, 2, Some(progress.offset_map()));
    assert_eq!(next.state_of(0, 4), RecordState::Due);
    assert_eq!(next.state_of(1, 5), RecordState::Completed);
    assert_eq!(next.state_of(1, 1001), RecordState::Due);
}

#[test]
fn another_scan_begins_where_a_class_was_paused() {
    let mut progress = Progress::new(0, 10, 2, None);
    for offset in 0..10 {
        let class = (offset % 2) as usize;
        if class == 0 && offset >= 4 {
            progress.pause(0, offset);
        } else {
            progress.add(class, offset, RecordState::Due);
        }
        assert!(progress.advance());
    }
    assert!(progress.defer(0, 0) && progress.complete(0, 2));
    for offset in [1, 3, 5, 7, 9] {
        assert!(progress.complete(1, offset));
    }
    assert!(progress.is_scan_complete() && progress.needs_another_scan());
    assert_eq!(
        progress.offset_map().gaps,
        [vec![(0, 1), (4, 10)], vec![], vec![]]
    );

    assert_eq!(progress.begin_scan(), 4);
    assert_eq!(progress.state_of(1, 5), RecordState::Completed);
    assert_eq!(progress.state_of(0, 6), RecordState::Due);
    assert_eq!(
        progress.offset_map().gaps,
        [vec![(0, 1), (4, 10)], vec![], vec![]],
        "beginning a scan does not change the gaps"
    );
    for offset in 4..10 {
        let class = (offset % 2) as usize;
        if class == 0 {
            progress.add(0, offset, RecordState::Due);
            assert!(progress.complete(0, offset));
        } else {
            progress.add(1, offset, RecordState::Completed);
        }
        assert!(!progress.advance(), "this run has read it before");
    }
    assert!(!progress.needs_another_scan());
    assert_eq!(progress.commit(), 0);
    assert_eq!(progress.offset_map().gaps, [vec![(0, 1)], vec![], vec![]]);
}

#[test]
fn counts_and_commits_offsets_without_records() {
    let mut progress = Progress::new(5, 20, 1, None);
    assert_eq!(progress.move_to(8), 3);
    assert!(progress.advance());
    assert_eq!(progress.move_to(20), 11);
    assert_eq!(progress.commit(), 20);
    assert_eq!(progress.unread(), 0);
}

#[test]
fn ignores_an_offset_map_of_another_number_of_routes() {
    let map = OffsetMap {
        scanned: 50,
        gaps: vec![vec![], vec![]],
    };
    let progress = Progress::new(0, 100, 2, Some(map));
    assert_eq!(progress.state_of(0, 10), RecordState::Due);
}

mod property {
    use proptest::prelude::*;

    use super::*;
    use crate::offset_map::{Scope, decode, encode};

    /// The records of a run with two scans, their outcomes, and the order of the outcomes.
    #[derive(Clone, Debug)]
    struct Plan {
        class: Vec<Option<usize>>,
        outcome: Vec<bool>,
        order: Vec<usize>,
        pause_at: Option<usize>,
        stop_at: usize,
    }

    fn plan() -> impl Strategy<Value = Plan> {
        (1usize..60).prop_flat_map(|length| {
            (
                proptest::collection::vec(proptest::option::of(0usize..3), length),
                proptest::collection::vec(any::<bool>(), length),
                Just((0..length).collect::<Vec<_>>()).prop_shuffle(),
                proptest::option::of(0..length),
                0..=length,
            )
                .prop_map(|(class, outcome, order, pause_at, stop_at)| Plan {
                    class,
                    outcome,
                    order,
                    pause_at,
                    stop_at,
                })
        })
    }

    proptest! {
        #[test]
        fn commits_and_maps_contain_only_completed_records(plan in plan()) {
            let length = plan.class.len();
            let mut progress = Progress::new(0, length as i64, 2, None);
            let mut completed = vec![false; length];
            let mut pending = vec![false; length];
            let check = |progress: &Progress, completed: &[bool]| {
                let commit = progress.commit();
                let scope = Scope { topic: String::new(), routes: 7 };
                let text = encode(&progress.offset_map(), commit, &scope, 3000);
                let next = Progress::new(commit, length as i64, 2, decode(&text, commit, &scope).ok());
                for (offset, class) in plan.class.iter().enumerate() {
                    let Some(class) = class else { continue };
                    if (offset as i64) < commit {
                        prop_assert!(completed[offset], "{offset} is below the commit {commit}");
                    } else {
                        let state_of = next.state_of(*class, offset as i64);
                        prop_assert_eq!(state_of == RecordState::Completed, completed[offset], "{}", offset);
                    }
                }
                Ok(())
            };
            for scan in 0..2 {
                if scan == 1 {
                    if !progress.needs_another_scan() { break; }
                    progress.begin_scan();
                    check(&progress, &completed)?;
                }
                while !progress.is_scan_complete() {
                    let offset = progress.position();
                    let index = offset as usize;
                    if let Some(class) = plan.class[index] {
                        if scan == 0 && plan.pause_at == Some(index) { progress.pause(class, offset); }
                        if !progress.is_paused(class) {
                            match progress.state_of(class, offset) {
                                RecordState::Due => { progress.add(class, offset, RecordState::Due); pending[index] = true; }
                                state => {
                                    prop_assert_eq!(state == RecordState::Completed, completed[index]);
                                    progress.add(class, offset, state);
                                }
                            }
                        }
                    }
                    progress.advance();
                    if index == plan.stop_at { check(&progress, &completed)?; }
                }
                for &index in &plan.order {
                    if pending[index] {
                        let class = plan.class[index].unwrap();
                        if plan.outcome[index] {
                            prop_assert!(progress.complete(class, index as i64));
                            completed[index] = true;
                        } else {
                            prop_assert!(progress.defer(class, index as i64));
                        }
                        pending[index] = false;
                        check(&progress, &completed)?;
                    }
                }
                prop_assert_eq!(progress.pending(), 0);
            }
        }
    }
}

#[test]
fn a_gap_above_the_window_is_kept_and_is_not_one_of_the_window() {
    let map = OffsetMap {
        scanned: 8,
        gaps: vec![vec![(0, 1), (5, 6)], Vec::new()],
    };
    let mut progress = Progress::new(0, 3, 1, Some(map));
    for offset in 0..3 {
        progress.add(0, offset, progress.state_of(0, offset));
        assert!(progress.advance());
    }
    assert!(progress.has_gap(0));
    assert!(progress.complete(0, 0));
    assert!(!progress.has_gap(0));
    assert_eq!(progress.commit(), 5);
    assert_eq!(progress.offset_map().gaps, [vec![(5, 6)], Vec::new()]);
}
