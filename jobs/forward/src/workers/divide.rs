//! Divides the ranges of a window into slices, and chooses the next one. Pure.

use std::collections::BTreeMap;

use offsets::window::OffsetRange;

/// The slices of a window that are not handed out, by partition.
#[derive(Debug)]
pub(super) struct Slices {
    partitions: BTreeMap<i32, PartitionSlices>,
    /// True: the slices of a partition are worked on one after another, because its deliveries have an order.
    is_ordered: bool,
}

#[derive(Debug)]
struct PartitionSlices {
    waiting: Division,
    in_flight: usize,
}

/// The slices of one range, in the order of their offsets. They are not kept: a log may end at any offset.
#[derive(Debug)]
struct Division {
    range: OffsetRange,
    count: i128,
    next: i128,
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
                waiting: Division::new(range, length),
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
            !slices.waiting.is_done() && (!is_ordered || slices.in_flight == 0)
        };
        let ready = self
            .partitions
            .values_mut()
            .filter(|slices| is_ready(slices));
        let slices = ready.min_by_key(|slices| slices.in_flight)?;
        slices.in_flight += 1;
        slices.waiting.next()
    }

    /// A slice of this partition has returned, or is lost.
    pub(super) fn end(&mut self, partition: i32) {
        if let Some(slices) = self.partitions.get_mut(&partition) {
            slices.in_flight = slices.in_flight.saturating_sub(1);
        }
    }
}

impl Division {
    fn new(range: &OffsetRange, length: i64) -> Self {
        let length = i128::from(length.max(1));
        let mut division = Self {
            range: range.clone(),
            count: 0,
            next: 0,
        };
        division.count = (division.offsets() + length - 1) / length;
        division
    }

    fn is_done(&self) -> bool {
        self.next >= self.count
    }

    /// The number of offsets, at most 2⁶³: a product with an index does not overflow.
    fn offsets(&self) -> i128 {
        (i128::from(self.range.end) - i128::from(self.range.start)).max(0)
    }

    fn bound(&self, index: i128) -> i64 {
        (i128::from(self.range.start) + self.offsets() * index / self.count) as i64
    }
}

impl Iterator for Division {
    type Item = OffsetRange;

    fn next(&mut self) -> Option<OffsetRange> {
        let index = self.next;
        (!self.is_done()).then(|| {
            self.next += 1;
            OffsetRange {
                partition: self.range.partition,
                start: self.bound(index),
                end: self.bound(index + 1),
            }
        })
    }
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
            let slices: Vec<_> = Division::new(&range(0, start, end), length).collect();
            let mut next = start;
            for slice in &slices {
                assert_eq!(slice.start, next);
                assert!((1..=length).contains(&slice.length()), "{slice:?}");
                assert!(slice.length() * slices.len() as i64 > end - start - slices.len() as i64);
                next = slice.end;
            }
            assert_eq!(next, end);
        }
        assert_eq!(Division::new(&range(0, 0, 1_000), 125).count(), 8);
        assert_eq!(
            Division::new(&range(0, 0, i64::MAX), i64::MAX / 2).count(),
            3
        );
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

    #[test]
    fn a_range_of_any_length_takes_no_memory() {
        let ranges = [range(0, 0, i64::MAX)];
        let mut slices = Slices::new(ranges.iter(), 1, false);
        let first = slices.next().unwrap();
        assert_eq!((first.start, first.length()), (0, 1));
    }
}
