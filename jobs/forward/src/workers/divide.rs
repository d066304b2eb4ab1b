//! Divides the ranges of a window into slices, and chooses the next one. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use offsets::window::OffsetRange;

/// How long a task should take: starting it on Spark takes a third of a second.
const TASK_DURATION: Duration = Duration::from_secs(10);

/// The most offsets of a slice before one has returned: in ten seconds, a task reads more, and delivers about as many with one
/// request each.
const FIRST_SLICE: i64 = 250_000;

/// The fewest slices of a window for each task that runs at once, so that they end at about the same time.
const SLICES_PER_TASK: i64 = 2;

/// The slices of a window that are not handed out, by partition.
#[derive(Debug)]
pub(super) struct Slices {
    partitions: BTreeMap<i32, PartitionSlices>,
    length: SliceLength,
    /// True: the slices of a partition are worked on one after another, because its deliveries have an order.
    is_ordered: bool,
}

#[derive(Debug)]
struct PartitionSlices {
    left: OffsetRange,
    in_flight: usize,
}

/// The most offsets of the next slice.
#[derive(Debug)]
enum SliceLength {
    Fixed(i64),
    /// What a task does in [`TASK_DURATION`], and not more than `max`.
    Measured {
        max: i64,
        pace: Pace,
    },
}

/// How fast tasks are. An older slice counts half as much as the next one.
#[derive(Debug, Default)]
struct Pace {
    offsets: f64,
    seconds: f64,
}

impl Slices {
    /// The slices of these ranges for so many tasks at once. `length`: the most offsets of a slice; `None`: as many as suit the
    /// window and the speed of the tasks.
    pub(super) fn new<'r>(
        ranges: impl Iterator<Item = &'r OffsetRange>,
        tasks: usize,
        length: Option<i64>,
        is_ordered: bool,
    ) -> Self {
        let slices = |range: &OffsetRange| PartitionSlices {
            left: range.clone(),
            in_flight: 0,
        };
        let partitions: BTreeMap<_, _> = ranges
            .map(|range| (range.partition, slices(range)))
            .collect();
        let length = length.map_or_else(
            || {
                let offsets = partitions.values().map(|one| one.left.length());
                let offsets = offsets.fold(0, i64::saturating_add);
                let slices = SLICES_PER_TASK.saturating_mul(i64::try_from(tasks).unwrap_or(1));
                SliceLength::Measured {
                    max: parts(offsets, slices),
                    pace: Pace::default(),
                }
            },
            SliceLength::Fixed,
        );
        Self {
            partitions,
            length,
            is_ordered,
        }
    }

    /// The next slice: of the partition with the fewest slices in flight, the one with the lowest offsets. So the offsets
    /// that no slice has completed lie close together.
    pub(super) fn next(&mut self) -> Option<OffsetRange> {
        let is_ordered = self.is_ordered;
        let is_ready = |slices: &PartitionSlices| {
            slices.left.length() > 0 && (!is_ordered || slices.in_flight == 0)
        };
        let ready = self
            .partitions
            .values_mut()
            .filter(|slices| is_ready(slices));
        let slices = ready.min_by_key(|slices| slices.in_flight)?;
        slices.in_flight += 1;
        Some(take(&mut slices.left, self.length.get()))
    }

    /// A task has returned after `duration`, or is lost: `None`.
    pub(super) fn end(&mut self, slice: &OffsetRange, duration: Option<Duration>) {
        if let Some(slices) = self.partitions.get_mut(&slice.partition) {
            slices.in_flight = slices.in_flight.saturating_sub(1);
        }
        if let (SliceLength::Measured { pace, .. }, Some(duration)) = (&mut self.length, duration) {
            pace.add(slice.length(), duration);
        }
    }
}

impl SliceLength {
    fn get(&self) -> i64 {
        match self {
            Self::Fixed(length) => *length,
            Self::Measured { max, pace } => pace.offsets_in(TASK_DURATION).min(*max),
        }
    }
}

impl Pace {
    fn add(&mut self, offsets: i64, duration: Duration) {
        self.offsets = self.offsets / 2.0 + offsets as f64;
        self.seconds = self.seconds / 2.0 + duration.as_secs_f64();
    }

    fn offsets_in(&self, duration: Duration) -> i64 {
        if self.offsets == 0.0 {
            return FIRST_SLICE;
        }
        // A conversion to an integer is limited to its range.
        (self.offsets * duration.as_secs_f64() / self.seconds) as i64
    }
}

/// Takes the first of the fewest slices of similar size that `left` has, each of at most `length` offsets.
fn take(left: &mut OffsetRange, length: i64) -> OffsetRange {
    let count = parts(left.length(), length);
    let end = left.start + parts(left.length(), count);
    let slice = OffsetRange {
        end,
        ..left.clone()
    };
    left.start = end;
    slice
}

/// The quotient, rounded up; a divisor below one counts as one.
fn parts(offsets: i64, divisor: i64) -> i64 {
    let divisor = divisor.max(1);
    offsets / divisor + i64::from(offsets % divisor > 0)
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

    fn all(slices: &mut Slices) -> Vec<OffsetRange> {
        std::iter::from_fn(|| slices.next()).collect()
    }

    #[test]
    fn slices_are_the_range_without_overlap_and_of_similar_size() {
        for (start, end, length) in [(0, 100, 30), (7, 8, 1), (5, 5, 10), (0, 1_000_001, 125_000)] {
            let ranges = [range(0, start, end)];
            let slices = all(&mut Slices::new(ranges.iter(), 1, Some(length), false));
            let mut next = start;
            for slice in &slices {
                assert_eq!(slice.start, next);
                assert!((1..=length).contains(&slice.length()), "{slice:?}");
                assert!(slice.length() * slices.len() as i64 > end - start - slices.len() as i64);
                next = slice.end;
            }
            assert_eq!(next, end);
            assert_eq!(slices.len() as i64, parts(end - start, length));
        }
    }

    #[test]
    fn partitions_take_turns_and_each_goes_on_in_order() {
        let ranges = [range(0, 0, 30), range(1, 0, 10), range(2, 5, 5)];
        let mut slices = Slices::new(ranges.iter(), 1, Some(10), false);
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
        let mut slices = Slices::new(ranges.iter(), 1, Some(10), true);
        let first = slices.next().unwrap();
        assert_eq!(first.start, 0);
        assert_eq!(slices.next(), None);
        slices.end(&first, None);
        assert_eq!(slices.next().map(|slice| slice.start), Some(10));
    }

    #[test]
    fn a_range_of_any_length_takes_no_memory() {
        for length in [1, i64::MAX] {
            let ranges = [range(0, 0, i64::MAX), range(1, 0, i64::MAX)];
            let mut slices = Slices::new(ranges.iter(), 1, Some(length), false);
            let first = slices.next().unwrap();
            assert_eq!((first.start, first.length()), (0, length));
        }
        let ranges = [range(0, 0, i64::MAX), range(1, 0, i64::MAX)];
        let first = Slices::new(ranges.iter(), usize::MAX, None, false).next();
        assert_eq!(first.unwrap().start, 0);
    }

    #[test]
    fn a_window_has_two_slices_for_each_task_until_they_are_long() {
        let ranges = [range(0, 0, 8_000), range(1, 0, 8_000)];
        assert_eq!(
            all(&mut Slices::new(ranges.iter(), 4, None, false)).len(),
            8
        );
        let ranges = [range(0, 0, 100_000_000)];
        let first = Slices::new(ranges.iter(), 4, None, false).next().unwrap();
        assert_eq!(first.length(), FIRST_SLICE);
    }

    #[test]
    fn later_slices_are_as_long_as_the_pace_of_earlier_ones_permits() {
        let ranges = [range(0, 0, 100_000_000)];
        let mut slices = Slices::new(ranges.iter(), 1, None, false);
        let first = slices.next().unwrap();
        slices.end(&first, Some(Duration::from_secs(1)));
        let second = slices.next().unwrap();
        assert!(
            (2_400_000..=2_500_000).contains(&second.length()),
            "{second:?}"
        );
        // A slow endpoint.
        slices.end(&second, Some(Duration::from_secs(2_500)));
        let third = slices.next().unwrap();
        assert!((10_000..=11_000).contains(&third.length()), "{third:?}");
        // A lost task says nothing about the pace, and one that took no time has no bound.
        slices.end(&third, None);
        let fourth = slices.next().unwrap();
        assert!((10_000..=11_000).contains(&fourth.length()), "{fourth:?}");
        let mut slices = Slices::new(ranges.iter(), 1, None, false);
        let first = slices.next().unwrap();
        slices.end(&first, Some(Duration::ZERO));
        assert!(slices.next().unwrap().length() > FIRST_SLICE);
    }
}
