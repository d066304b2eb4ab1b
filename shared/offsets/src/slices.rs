//! The progress of a partition whose window is divided into slices, which are worked on at the same time.
//!
//! A slice that has not returned is a gap of every class, so the commit and its offset map never include it.

use crate::class::Gap;
use crate::offset_map::OffsetMap;
use crate::window::OffsetRange;

/// The progress of one partition, of which each slice returns an offset map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicedProgress {
    /// The window.
    range: OffsetRange,
    /// What is completed. Offsets that no run has read are gaps of every class.
    map: OffsetMap,
}

impl SlicedProgress {
    /// The progress before the first slice has returned. `map`: what earlier runs have completed; it has `classes` classes.
    pub fn new(range: OffsetRange, classes: usize, map: Option<OffsetMap>) -> Self {
        let known = map.filter(|map| map.gaps.len() == classes && map.scanned >= range.start);
        let mut map = known.unwrap_or_else(|| OffsetMap::without_gaps(range.start, classes));
        let read = map.scanned;
        for gaps in &mut map.gaps {
            *gaps = clip(gaps, range.start, i64::MAX);
            push(gaps, (read, range.end));
        }
        map.scanned = read.max(range.end);
        Self { range, map }
    }

    /// The window.
    pub fn range(&self) -> &OffsetRange {
        &self.range
    }

    /// What is completed in the slice from `start` to `end`, as far as is known.
    pub fn map_of(&self, start: i64, end: i64) -> OffsetMap {
        let gaps = self.map.gaps.iter();
        trimmed(OffsetMap {
            scanned: end,
            gaps: gaps.map(|gaps| clip(gaps, start, end)).collect(),
        })
    }

    /// The slice from `start` to `end` has returned `map`. What lies outside the slice or the window is ignored, and so is a
    /// map with another number of classes.
    pub fn complete(&mut self, start: i64, end: i64, map: &OffsetMap) {
        let (start, end) = (start.max(self.range.start), end.min(self.range.end));
        if start >= end || map.gaps.len() != self.map.gaps.len() {
            return;
        }
        let read = map.scanned.clamp(start, end);
        for (gaps, returned) in self.map.gaps.iter_mut().zip(&map.gaps) {
            let before = clip(gaps, i64::MIN, start);
            let after = clip(gaps, end, i64::MAX);
            let within = clip(returned, start, read);
            *gaps = Vec::new();
            for gap in before
                .into_iter()
                .chain(within)
                .chain([(read, end)])
                .chain(after)
            {
                push(gaps, gap);
            }
        }
    }

    /// The offset to commit: all records below it are completed.
    pub fn commit(&self) -> i64 {
        let firsts = self.map.gaps.iter().filter_map(|gaps| gaps.first());
        firsts.map(|gap| gap.0).min().unwrap_or(self.map.scanned)
    }

    /// The completed records at and above the commit.
    pub fn offset_map(&self) -> OffsetMap {
        trimmed(self.map.clone())
    }
}

/// Takes the end that is a gap of every class away: it was not read.
fn trimmed(mut map: OffsetMap) -> OffsetMap {
    let last = |gaps: &Vec<Gap>| gaps.last().filter(|gap| gap.1 >= map.scanned).copied();
    let Some(unread) = map.gaps.iter().map(last).collect::<Option<Vec<Gap>>>() else {
        return map;
    };
    if let Some(from) = unread.iter().map(|gap| gap.0).max() {
        map.scanned = from;
        for gaps in &mut map.gaps {
            *gaps = clip(gaps, i64::MIN, from);
        }
    }
    map
}

/// The parts of gaps that lie between `start` and `end`.
fn clip(gaps: &[Gap], start: i64, end: i64) -> Vec<Gap> {
    let parts = gaps.iter().map(|gap| (gap.0.max(start), gap.1.min(end)));
    parts.filter(|part| part.0 < part.1).collect()
}

/// Adds a gap behind the others. Gaps that touch become one; an empty one is ignored.
fn push(gaps: &mut Vec<Gap>, gap: Gap) {
    match gaps.last_mut() {
        _ if gap.0 >= gap.1 => {}
        Some(last) if last.1 >= gap.0 => last.1 = last.1.max(gap.1),
        _ => gaps.push(gap),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANGE: OffsetRange = OffsetRange {
        partition: 0,
        start: 100,
        end: 200,
    };

    fn map(scanned: i64, gaps: [&[Gap]; 2]) -> OffsetMap {
        OffsetMap {
            scanned,
            gaps: gaps.map(<[Gap]>::to_vec).to_vec(),
        }
    }

    #[test]
    fn nothing_is_completed_before_the_first_slice_has_returned() {
        let progress = SlicedProgress::new(RANGE, 2, None);
        assert_eq!(progress.commit(), 100);
        assert_eq!(progress.offset_map(), map(100, [&[], &[]]));
        assert_eq!(progress.map_of(120, 140), map(120, [&[], &[]]));
    }

    #[test]
    fn a_slice_that_has_not_returned_is_a_gap_of_every_class() {
        let mut progress = SlicedProgress::new(RANGE, 2, None);
        progress.complete(140, 160, &map(160, [&[(150, 151)], &[]]));
        assert_eq!(progress.commit(), 100);
        let unread: Gap = (100, 140);
        let expected = map(160, [&[unread, (150, 151)], &[unread]]);
        assert_eq!(progress.offset_map(), expected);
        progress.complete(100, 140, &map(140, [&[], &[]]));
        assert_eq!(progress.commit(), 150);
        progress.complete(160, 200, &map(200, [&[], &[]]));
        assert_eq!(progress.offset_map(), map(200, [&[(150, 151)], &[]]));
    }

    #[test]
    fn what_a_slice_has_not_read_stays_for_the_next_run() {
        let mut progress = SlicedProgress::new(RANGE, 2, None);
        progress.complete(100, 200, &map(130, [&[(110, 112)], &[]]));
        assert_eq!(progress.commit(), 110);
        assert_eq!(progress.offset_map(), map(130, [&[(110, 112)], &[]]));
    }

    #[test]
    fn what_earlier_runs_have_completed_stays_completed() {
        let known = map(150, [&[(100, 105), (120, 130)], &[]]);
        let mut progress = SlicedProgress::new(RANGE, 2, Some(known));
        assert_eq!(progress.map_of(125, 160), map(150, [&[(125, 130)], &[]]));
        progress.complete(100, 125, &map(125, [&[], &[]]));
        assert_eq!(progress.commit(), 125);
        assert_eq!(progress.offset_map(), map(150, [&[(125, 130)], &[]]));
        // An earlier run has read more than this window.
        let beyond = map(300, [&[(250, 260)], &[]]);
        let mut progress = SlicedProgress::new(RANGE, 2, Some(beyond.clone()));
        progress.complete(100, 200, &map(200, [&[], &[]]));
        assert_eq!(progress.offset_map(), beyond);
    }

    #[test]
    fn a_map_of_other_classes_completes_nothing() {
        let mut progress = SlicedProgress::new(RANGE, 2, None);
        progress.complete(100, 200, &OffsetMap::without_gaps(200, 3));
        progress.complete(0, 100, &OffsetMap::without_gaps(100, 2));
        progress.complete(200, 300, &OffsetMap::without_gaps(300, 2));
        assert_eq!(progress, SlicedProgress::new(RANGE, 2, None));
    }

    proptest! {
        /// Compares with one state for each offset and class.
        #[test]
        fn an_offset_is_completed_if_and_only_if_its_slice_has_completed_it(
            slices in proptest::collection::vec((0_i64..20, 0_i64..6, proptest::collection::vec(any::<bool>(), 8)), 0..8),
        ) {
            let mut progress = SlicedProgress::new(RANGE, 2, None);
            let mut model = [[false; 2]; 100];
            for (slice, read, completed) in slices {
                let start = 100 + slice * 5;
                let scanned = start + read.min(5);
                let mut returned = OffsetMap::without_gaps(scanned, 2);
                for offset in start..start + 5 {
                    for class in 0..2 {
                        let index = (offset - start) as usize;
                        let is_completed = completed[(index + class * 3) % 8];
                        if offset < scanned && !is_completed {
                            push(&mut returned.gaps[class], (offset, offset + 1));
                        }
                        model[(offset - 100) as usize][class] = offset < scanned && is_completed;
                    }
                }
                progress.complete(start, start + 5, &returned);
            }
            let found = progress.offset_map();
            for offset in 100..200_i64 {
                for (class, expected) in model[(offset - 100) as usize].iter().enumerate() {
                    prop_assert_eq!(found.is_completed(class, offset), *expected, "{} {}", offset, class);
                    prop_assert!(offset >= progress.commit() || *expected);
                }
            }
        }
    }
}
