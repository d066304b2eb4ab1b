//! The records of one class in one partition: which are completed, as gaps between those that are.

use std::collections::VecDeque;

use super::{Range, RecordState};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Completed,
    Deferred,
}

#[derive(Debug)]
pub(super) struct ClassProgress {
    /// The gaps known before this pass, below `scanned_before_pass`.
    before: Vec<Range>,
    scanned_before_pass: i64,
    /// The gaps up to the first outstanding record.
    gaps: Vec<Range>,
    /// True while no completed record has followed the last gap, so that it may grow.
    open: bool,
    /// The records of this pass from the first pending one on, by offset.
    outstanding: VecDeque<(i64, State)>,
    pub(super) pending: usize,
    /// Records below this were tried in this run: what is unsettled there stays so.
    pub(super) tried_until: i64,
    pub(super) skipped_from: Option<i64>,
}

impl ClassProgress {
    /// A pass from `from`: gaps below it stand, those above it are met again.
    pub(super) fn new(from: i64, known: Vec<Range>, scanned: i64) -> Self {
        let gaps: Vec<Range> = known
            .iter()
            .filter(|gap| gap.0 < from)
            .map(|gap| (gap.0, gap.1.min(from)))
            .collect();
        let before = known
            .into_iter()
            .filter(|gap| gap.1 > from)
            .map(|gap| (gap.0.max(from), gap.1))
            .collect();
        Self {
            before,
            scanned_before_pass: scanned,
            open: false,
            gaps,
            outstanding: VecDeque::new(),
            pending: 0,
            tried_until: from,
            skipped_from: None,
        }
    }

    pub(super) fn state_of(&self, offset: i64) -> RecordState {
        let after = self.before.partition_point(|gap| gap.0 <= offset);
        let in_hole = after > 0 && offset < self.before[after - 1].1;
        if offset < self.scanned_before_pass && !in_hole {
            RecordState::Completed
        } else if offset < self.tried_until {
            RecordState::Deferred
        } else {
            RecordState::Due
        }
    }

    pub(super) fn push(&mut self, offset: i64, state: State) {
        if state == State::Pending {
            self.pending += 1;
        } else if self.outstanding.is_empty() {
            grow(&mut self.gaps, &mut self.open, offset, state);
            return;
        }
        self.outstanding.push_back((offset, state));
    }

    pub(super) fn decide(&mut self, offset: i64, state: State) -> bool {
        let Some(index) = self.place(offset) else {
            return false;
        };
        if self.outstanding[index].1 != State::Pending {
            return false;
        }
        self.outstanding[index].1 = state;
        self.pending -= 1;
        while let Some((offset, state)) = self.outstanding.front().copied() {
            if state == State::Pending {
                break;
            }
            self.outstanding.pop_front();
            grow(&mut self.gaps, &mut self.open, offset, state);
        }
        true
    }

    /// Where the record is among the outstanding. Offsets rise by one at least, so it is no further from the front than
    /// its offset is: where every record is of this class, exactly so far.
    fn place(&self, offset: i64) -> Option<usize> {
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

    /// Every gap below `scanned`, with the pass at `position`.
    pub(super) fn gaps(&self, position: i64, scanned: i64) -> Vec<Range> {
        let (mut gaps, mut open) = (self.gaps.clone(), self.open);
        for (offset, state) in &self.outstanding {
            grow(&mut gaps, &mut open, *offset, *state);
        }
        let unread_from = self.skipped_from.unwrap_or(position);
        let unread = self
            .before
            .iter()
            .filter(|gap| gap.1 > unread_from)
            .map(|gap| (gap.0.max(unread_from), gap.1));
        gaps.extend(unread);
        if let Some(from) = self.skipped_from {
            let from = from.max(self.scanned_before_pass);
            if from < scanned {
                gaps.push((from, scanned));
            }
        }
        gaps
    }
}

/// Takes the next record in offset order into the gaps; a pending one counts as unsettled.
fn grow(gaps: &mut Vec<Range>, open: &mut bool, offset: i64, state: State) {
    match (state, gaps.last_mut()) {
        (State::Completed, _) => *open = false,
        (_, Some(gap)) if *open => gap.1 = offset + 1,
        _ => {
            gaps.push((offset, offset + 1));
            *open = true;
        }
    }
}
