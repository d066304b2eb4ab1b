//! Divides the ranges of a window into slices, and chooses the next one. Pure.

use std::collections::{BTreeMap, VecDeque};

use offsets::window::OffsetRange;

/// The slices of a window that are not handed out, by partition.
#[derive(Debug)]
pub(super) struct Slices {
    partitions: BTreeMap<i32, PartitionSlices>,
    /// True: the slices of a partition are worked on one after another, because its deliveries have an order.
    is_ordered: bool,
}

#[derive(Debug, Default)]
struct PartitionSlices {
    /// In the order of their offsets.
    waiting: VecDeque<OffsetRange>,
    in_flight: usize,
}

impl Slices {
    /// The slices of these ranges, each of at most `length` offsets and of similar size.
    pub(super) fn new<'r>(
        ranges: impl Iterator<Item = &'r OffsetRange>,
        length: i64,
        is_ordered: bool,
    ) -> Self {
        let partitions = ranges.map(|range| {
            let slices = PartitionSlices {
                waiting: divide(range, length.max(1)),
                in_flight: 0,
            };
            (range.partition, slices)
        });
        Self {
            partitions: partitions.collect(),
            is_ordered,
        }
    }

    /// The next slice: of the partition with the fewest slices in flight, the one with the lowest offsets. So the offsets
    /// that no slice has completed lie close together.
    pub(super) fn next(&mut self) -> Option<OffsetRange> {
        let is_ordered = self.is_ordered;
        let is_ready = |slices: &PartitionSlices| {
            !slices.waiting.is_empty() && (!is_ordered || slices.in_flight == 0)
        };
        let ready = self
            .partitions
            .values_mut()
            .filter(|slices| is_ready(slices));
        let slices = ready.min_by_key(|slices| slices.in_flight)?;
        slices.in_flight += 1;
        slices.waiting.pop_front()
    }

    /// A slice of this partition has returned, or is lost.
    pub(super) fn end(&mut self, partition: i32) {
        if let Some(slices) = self.partitions.get_mut(&partition) {
            slices.in_flight = slices.in_flight.saturating_sub(1);
        }
    }
}

fn divide(range: &OffsetRange, length: i64) -> VecDeque<OffsetRange> {
    // Offsets are not bounded: no sum of them may overflow.
    let offsets = i128::from(range.end) - i128::from(range.start);
    let count = (offsets.max(0) + i128::from(length) - 1) / i128::from(length);
    let bound = |index: i128| (i128::from(range.start) + offsets * index / count.max(1)) as i64;
    let slices = (0..count).map(|index| OffsetRange {
        partition: range.partition,
        start: bound(index),
        end: bound(index + 1),
    });
    slices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(partition: i32, start: i64, end: i64) -> OffsetRange {
        OffsetRange {
            partition,
            start,
            end,
        }
    }

    #[test]
    fn slices_are_the_range_without_overlap_and_of_similar_size() {
        for (start, end, length) in [(0, 100, 30), (7, 8, 1), (5, 5, 10), (0, 1_000_001, 125_000)] {
            let slices = divide(&range(0, start, end), length);
            let mut next = start;
            for slice in &slices {
                assert_eq!(slice.start, next);
                assert!((1..=length).contains(&slice.length()), "{slice:?}");
                assert!(slice.length() * slices.len() as i64 > end - start - slices.len() as i64);
                next = slice.end;
            }
            assert_eq!(next, end);
        }
        assert_eq!(divide(&range(0, 0, 1_000), 125).len(), 8);
        assert_eq!(divide(&range(0, 0, i64::MAX), i64::MAX / 2).len(), 3);
    }

    #[test]
    fn partitions_take_turns_and_each_goes_on_in_order() {
        let ranges = [range(0, 0, 30), range(1, 0, 10), range(2, 5, 5)];
        let mut slices = Slices::new(ranges.iter(), 10, false);
        let mut taken = || slices.next().map(|slice| (slice.partition, slice.start));
        assert_eq!(taken(), Some((0, 0)));
        assert_eq!(taken(), Some((1, 0)));
        assert_eq!(taken(), Some((0, 10)));
        assert_eq!(taken(), Some((0, 20)));
        assert_eq!(taken(), None);
    }

    #[test]
    fn a_partition_with_an_order_has_one_slice_in_flight() {
        let ranges = [range(0, 0, 30)];
        let mut slices = Slices::new(ranges.iter(), 10, true);
        assert_eq!(slices.next().map(|slice| slice.start), Some(0));
        assert_eq!(slices.next(), None);
        slices.end(0);
        assert_eq!(slices.next().map(|slice| slice.start), Some(10));
    }
}
