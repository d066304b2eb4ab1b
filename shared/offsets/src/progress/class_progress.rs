//! The completed records of one class in one partition, represented by the gaps between them.

use std::collections::VecDeque;

use super::record_state::RecordState;
use crate::class::Gap;

/// The progress of one class in the current scan.
#[derive(Debug)]
pub(super) struct ClassProgress {
    /// The gaps at or above the start of this scan that were known when it began.
    known_gaps: Vec<Gap>,
    /// The offset below which all records had been read when this scan began.
    known_below: i64,
    /// The gaps up to the first outstanding record.
    gaps: Vec<Gap>,
    /// True while no completed record follows the last gap, so that the gap may grow.
    open: bool,
    /// The records of this scan from the first pending one on, by offset. `Due` is pending.
    outstanding: VecDeque<(i64, RecordState)>,
    pub(super) pending: usize,
    /// Records below this offset were attempted in this run. If they are not completed, they are deferred.
    pub(super) attempted_below: i64,
    /// The offset from which this scan does not deliver the class.
    pub(super) paused_from: Option<i64>,
}

impl ClassProgress {
    /// Begins a scan at `from`. `known` are the gaps below `scanned`; those at or above `from` are read again.
    pub(super) fn new(from: i64, known: Vec<Gap>, scanned: i64) -> Self {
        let gaps: Vec<Gap> = known
            .iter()
            .filter(|gap| gap.0 < from)
            .map(|gap| (gap.0, gap.1.min(from)))
            .collect();
        let known_gaps = known
            .into_iter()
            .filter(|gap| gap.1 > from)
            .map(|gap| (gap.0.max(from), gap.1))
            .collect();
        Self {
            known_gaps,
            known_below: scanned,
            open: false,
            gaps,
            outstanding: VecDeque::new(),
            pending: 0,
            attempted_below: from,
            paused_from: None,
        }
    }

    /// The state of a record before it is added.
    pub(super) fn state_of(&self, offset: i64) -> RecordState {
        let after = self.known_gaps.partition_point(|gap| gap.0 <= offset);
        let is_in_gap = after > 0 && offset < self.known_gaps[after - 1].1;
        if offset < self.known_below && !is_in_gap {
            RecordState::Completed
        } else if offset < self.attempted_below {
            RecordState::Deferred
        } else {
            RecordState::Due
        }
    }

    /// Adds the next record. A record that is `Due` is pending until [`ClassProgress::resolve`].
    pub(super) fn push(&mut self, offset: i64, state: RecordState) {
        if state == RecordState::Due {
            self.pending += 1;
        } else if self.outstanding.is_empty() {
            grow(&mut self.gaps, &mut self.open, offset, state);
            return;
        }
        self.outstanding.push_back((offset, state));
    }

    /// Completes or defers a pending record. False if the record is not pending.
    pub(super) fn resolve(&mut self, offset: i64, state: RecordState) -> bool {
        let Some(index) = self.index_of(offset) else {
            return false;
        };
        if self.outstanding[index].1 != RecordState::Due {
            return false;
        }
        self.outstanding[index].1 = state;
        self.pending -= 1;
        while let Some((offset, state)) = self.outstanding.front().copied() {
            if state == RecordState::Due {
                break;
            }
            self.outstanding.pop_front();
            grow(&mut self.gaps, &mut self.open, offset, state);
        }
        true
    }

    /// The index of an outstanding record. If all records are of this class, it is the distance from the first offset.
    fn index_of(&self, offset: i64) -> Option<usize> {
        let (first, _) = self.outstanding.front()?;
        let distance = usize::try_from(offset.checked_sub(*first)?).ok()?;
        match self.outstanding.get(distance) {
            Some((found, _)) if *found == offset => Some(distance),
            _ => self
                .outstanding
                .binary_search_by_key(&offset, |(offset, _)| *offset)
                .ok(),
        }
    }

    /// All gaps below `scanned`. `position` is the position of the scan.
    pub(super) fn gaps(&self, position: i64, scanned: i64) -> Vec<Gap> {
        let (mut gaps, mut open) = (self.gaps.clone(), self.open);
        for (offset, state) in &self.outstanding {
            grow(&mut gaps, &mut open, *offset, *state);
        }
        let unread_from = self.paused_from.unwrap_or(position);
        let unread = self
            .known_gaps
            .iter()
            .filter(|gap| gap.1 > unread_from)
            .map(|gap| (gap.0.max(unread_from), gap.1));
        gaps.extend(unread);
        if let Some(from) = self.paused_from {
            let from = from.max(self.known_below);
            if from < scanned {
                gaps.push((from, scanned));
            }
        }
        gaps
    }
}

/// Adds the next record in offset order to the gaps, unless it is completed.
fn grow(gaps: &mut Vec<Gap>, open: &mut bool, offset: i64, state: RecordState) {
    match (state, gaps.last_mut()) {
        (RecordState::Completed, _) => *open = false,
        (_, Some(gap)) if *open => gap.1 = offset + 1,
        _ => {
            gaps.push((offset, offset + 1));
            *open = true;
        }
    }
}
