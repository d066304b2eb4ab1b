//! The offset map.

use serde::{Deserialize, Serialize};

use crate::class::{Class, Gap};

/// The completed records at and above a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetMap {
    /// All offsets below were read.
    pub scanned: i64,
    /// For each class, the gaps in ascending order.
    pub gaps: Vec<Vec<Gap>>,
}

impl OffsetMap {
    /// The map in which all offsets below `scanned` are completed for so many classes.
    pub fn without_gaps(scanned: i64, classes: usize) -> Self {
        Self {
            scanned,
            gaps: vec![Vec::new(); classes],
        }
    }

    /// Whether a record of a class is completed. False for a class that the map does not have.
    pub fn is_completed(&self, class: Class, offset: i64) -> bool {
        let is_gap = |gap: &Gap| (gap.0..gap.1).contains(&offset);
        let gaps = self.gaps.get(class);
        offset < self.scanned && gaps.is_some_and(|gaps| !gaps.iter().any(is_gap))
    }

    /// The first offset of a class that is completed in this map but not in `encoded`, a lossy copy of it.
    pub fn first_not_encoded(&self, encoded: &Self, class: Class) -> Option<i64> {
        let gaps = self.gaps.get(class)?;
        let encoded_gaps = encoded.gaps.get(class)?.iter().copied();
        for (mut from, end) in encoded_gaps.chain([(encoded.scanned, self.scanned)]) {
            while from < end {
                let next = gaps.partition_point(|gap| gap.1 <= from);
                match gaps.get(next).filter(|gap| gap.0 <= from) {
                    Some(gap) => from = gap.1,
                    None => return Some(from),
                }
            }
        }
        None
    }

    /// The number of offsets from `commit` to `end` (exclusive) that are not known to be completed.
    pub fn incomplete_below(&self, end: i64, commit: i64) -> i64 {
        let completed = self.completed_ranges(commit, end).into_iter();
        let completed: i64 = completed.map(|(start, stop)| stop - start).sum();
        (end - commit).max(0) - completed
    }

    /// The ranges from `commit` to `end` (exclusive) in which all offsets are known to be completed, ascending.
    pub fn completed_ranges(&self, commit: i64, end: i64) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.gaps.iter().flatten().copied().collect();
        gaps.push((self.scanned, i64::MAX));
        gaps.sort_unstable();
        let (mut ranges, mut from) = (Vec::new(), commit);
        for (start, stop) in gaps {
            if from < start.min(end) {
                ranges.push((from, start.min(end)));
            }
            from = from.max(stop);
        }
        ranges
    }
}
