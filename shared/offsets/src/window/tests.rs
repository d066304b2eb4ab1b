//! Tests of planning.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::offset_map::OffsetMap;

fn at(partition: i32, low: i64, high: i64, committed: Option<i64>) -> PartitionOffsets {
    PartitionOffsets {
        partition,
        low,
        high,
        committed,
        metadata: String::new(),
        start_time_offset: None,
        end_time_offset: None,
    }
}

/// Plans a window without offset maps.
fn plan(
    partition_offsets: &[PartitionOffsets],
    start: &WindowStart,
    end: &WindowEnd,
    max_records: Option<u64>,
) -> Window {
    Window::plan(partition_offsets, &BTreeMap::new(), start, end, max_records)
}

fn ranges(window: &Window) -> Vec<(i32, i64, i64)> {
    window
        .ranges
        .iter()
        .map(|range| (range.partition, range.start, range.end))
        .collect()
}

#[test]
fn a_window_is_from_the_commit_to_the_end_of_the_log() {
    let partition_offsets = [at(0, 0, 10, Some(4)), at(1, 3, 10, None), at(2, 0, 0, None)];
    let window = plan(
        &partition_offsets,
        &WindowStart::Committed,
        &WindowEnd::Now,
        None,
    );
    assert_eq!(ranges(&window), [(0, 4, 10), (1, 3, 10), (2, 0, 0)]);
    assert_eq!(window.data_losses, []);
    assert_eq!(window.length(), 13);
}

#[test]
fn a_commit_below_the_log_is_a_data_loss_of_known_size() {
    let window = plan(
        &[at(3, 100, 120, Some(40))],
        &WindowStart::Committed,
        &WindowEnd::Now,
        None,
    );
    assert_eq!(ranges(&window), [(3, 100, 120)]);
    let data_loss = &window.data_losses[0];
    assert_eq!((data_loss.partition, data_loss.records), (3, 60));
    assert_eq!(
        data_loss.message,
        "offsets 40 to 99 are gone from the log and were never read"
    );
}

#[test]
fn a_commit_beyond_the_log_is_a_data_loss_of_unknown_size() {
    let window = plan(
        &[at(0, 0, 5, Some(9))],
        &WindowStart::Committed,
        &WindowEnd::Now,
        None,
    );
    assert_eq!(window.data_losses[0].records, 0);
    assert_eq!(ranges(&window), [(0, 0, 5)]);
}

#[test]
fn limits_times_and_offsets_to_the_log() {
    let timed = PartitionOffsets {
        start_time_offset: Some(20),
        end_time_offset: None,
        ..at(0, 10, 30, Some(2))
    };
    assert_eq!(
        ranges(&plan(
            &[timed],
            &WindowStart::Time(1),
            &WindowEnd::Time(2),
            None
        )),
        [(0, 20, 30)]
    );
    let map = |pairs: &[(i32, i64)]| pairs.iter().copied().collect();
    let partition_offsets = [at(0, 10, 30, None), at(1, 0, 30, None)];
    let window = plan(
        &partition_offsets,
        &WindowStart::Offsets(map(&[(0, 5)])),
        &WindowEnd::Offsets(map(&[(0, 99), (1, 3)])),
        None,
    );
    assert_eq!(ranges(&window), [(0, 10, 30)]);
    // Deleted offsets that were requested are a data loss.
    assert_eq!(window.data_losses[0].records, 5);
    assert_eq!(
        window.data_losses[0].message,
        "offsets 5 to 9 are gone from the log"
    );
}

/// An offset map with one gap, in which all other records below `scanned` are completed.
fn map_with_gap(partition: i32, gap: (i64, i64), scanned: i64) -> BTreeMap<i32, OffsetMap> {
    let gaps = vec![vec![gap], vec![], vec![]];
    BTreeMap::from([(partition, OffsetMap { scanned, gaps })])
}

#[test]
fn a_cap_counts_only_unread_offsets() {
    let partition_offsets = [at(0, 0, 1000, Some(0)), at(1, 0, 0, None)];
    let maps = map_with_gap(0, (0, 1), 400);
    let window = Window::plan(
        &partition_offsets,
        &maps,
        &WindowStart::Committed,
        &WindowEnd::Now,
        Some(100),
    );
    assert_eq!(ranges(&window), [(0, 0, 500), (1, 0, 0)]);
    assert!(window.capped);
    let window = Window::plan(
        &partition_offsets,
        &maps,
        &WindowStart::Committed,
        &WindowEnd::Now,
        Some(600),
    );
    assert!(!window.capped);
}

#[test]
fn completed_records_are_not_counted_as_a_data_loss() {
    let partition_offsets = [at(0, 300, 600, Some(10))];
    let maps = map_with_gap(0, (10, 50), 500);
    let window = Window::plan(
        &partition_offsets,
        &maps,
        &WindowStart::Committed,
        &WindowEnd::Now,
        None,
    );
    assert_eq!(window.data_losses[0].records, 40);
}

#[test]
fn a_log_that_ends_below_a_scanned_offset_was_truncated() {
    let maps = map_with_gap(0, (10, 50), 500);
    let plan = |high| {
        let partition_offsets = [at(0, 0, high, Some(10))];
        Window::plan(
            &partition_offsets,
            &maps,
            &WindowStart::Committed,
            &WindowEnd::Now,
            None,
        )
    };
    assert_eq!(
        (plan(500).data_losses.len(), plan(500).truncated.len()),
        (0, 0)
    );
    let truncated = plan(499);
    assert_eq!(
        (
            truncated.data_losses[0].records,
            truncated.truncated.as_slice()
        ),
        (0, &[0][..])
    );
    assert_eq!(ranges(&truncated), [(0, 10, 499)]);
}

#[test]
fn a_cap_includes_every_partition() {
    let partition_offsets = [
        at(0, 0, 1_000_000, None),
        at(1, 0, 1_000, None),
        at(2, 0, 1, None),
    ];
    let window = plan(
        &partition_offsets,
        &WindowStart::Committed,
        &WindowEnd::Now,
        Some(1000),
    );
    assert!(window.capped);
    assert_eq!(window.length(), 1000);
    assert!(
        window.ranges.iter().all(|range| range.length() >= 1),
        "{:?}",
        window.ranges
    );
    assert!(
        !plan(
            &partition_offsets,
            &WindowStart::Committed,
            &WindowEnd::Now,
            Some(2_000_000)
        )
        .capped
    );
}

proptest! {
    #[test]
    fn a_cap_is_exact(lengths in proptest::collection::vec(0i64..5000, 1..20), records in 0u64..20_000) {
        let partition_offsets: Vec<_> = lengths.iter().enumerate().map(|(n, length)| at(n as i32, 0, *length, None)).collect();
        let window = plan(&partition_offsets, &WindowStart::Committed, &WindowEnd::Now, Some(records));
        prop_assert_eq!(window.length(), (records as i64).min(lengths.iter().sum()));
        for (range, length) in window.ranges.iter().zip(&lengths) {
            prop_assert!(range.length() <= *length);
            if records as usize >= lengths.len() { prop_assert!(range.length() > 0 || *length == 0); }
        }
    }
}
