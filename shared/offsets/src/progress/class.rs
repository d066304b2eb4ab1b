//! The records of one class in one partition: which are settled, as holes between those that are.

use std::collections::VecDeque;

use super::{Range, Standing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Pending,
    Settled,
    Left,
}

#[derive(Debug)]
pub(super) struct ClassProgress {
    /// The holes known before this pass, below `scanned_before_pass`.
    before: Vec<Range>,
    scanned_before_pass: i64,
    /// The holes up to the first outstanding record.
    holes: Vec<Range>,
    /// True while no settled record has followed the last hole, so that it may grow.
    open: bool,
    /// The records of this pass from the first pending one on, by offset.
    outstanding: VecDeque<(i64, State)>,
    pub(super) pending: usize,
    /// Records below this were tried in this run: what is unsettled there stays so.
    pub(super) tried_until: i64,
    pub(super) skipped_from: Option<i64>,
}

impl ClassProgress {
    /// A pass from `from`: holes below it stand, those above it are met again.
    pub(super) fn new(from: i64, known: Vec<Range>, scanned: i64) -> Self {
        let holes: Vec<Range> = known
            .iter()
            .filter(|hole| hole.0 < from)
            .map(|hole| (hole.0, hole.1.min(from)))
            .collect();
        let before = known
            .into_iter()
            .filter(|hole| hole.1 > from)
            .map(|hole| (hole.0.max(from), hole.1))
            .collect();
        Self {
            before,
            scanned_before_pass: scanned,
            open: false,
            holes,
            outstanding: VecDeque::new(),
            pending: 0,
            tried_until: from,
            skipped_from: None,
        }
    }

    pub(super) fn standing(&self, offset: i64) -> Standing {
        let after = self.before.partition_point(|hole| hole.0 <= offset);
        let in_hole = after > 0 && offset < self.before[after - 1].1;
        if offset < self.scanned_before_pass && !in_hole {
            Standing::Settled
        } else if offset < self.tried_until {
            Standing::Left
        } else {
            Standing::Due
        }
    }

    pub(super) fn push(&mut self, offset: i64, state: State) {
        if state == State::Pending {
            self.pending += 1;
        } else if self.outstanding.is_empty() {
            grow(&mut self.holes, &mut self.open, offset, state);
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
            grow(&mut self.holes, &mut self.open, offset, state);
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

    /// Every hole below `scanned`, with the pass at `position`.
    pub(super) fn holes(&self, position: i64, scanned: i64) -> Vec<Range> {
        let (mut holes, mut open) = (self.holes.clone(), self.open);
        for (offset, state) in &self.outstanding {
            grow(&mut holes, &mut open, *offset, *state);
        }
        let unread_from = self.skipped_from.unwrap_or(position);
        let unread = self
            .before
            .iter()
            .filter(|hole| hole.1 > unread_from)
            .map(|hole| (hole.0.max(unread_from), hole.1));
        holes.extend(unread);
        if let Some(from) = self.skipped_from {
            let from = from.max(self.scanned_before_pass);
            if from < scanned {
                holes.push((from, scanned));
            }
        }
        holes
    }
}

/// Takes the next record in offset order into the holes; a pending one counts as unsettled.
fn grow(holes: &mut Vec<Range>, open: &mut bool, offset: i64, state: State) {
    match (state, holes.last_mut()) {
        (State::Settled, _) => *open = false,
        (_, Some(hole)) if *open => hole.1 = offset + 1,
        _ => {
            holes.push((offset, offset + 1));
            *open = true;
        }
    }
}
