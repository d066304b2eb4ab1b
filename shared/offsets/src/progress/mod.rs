//! Tracks the completed records of one partition, and the offset to commit.
//!
//! Each record that has to be delivered belongs to a [`Class`]: its route, or the last class for records that go to the
//! dead-letter topic without a route. The progress of a class is its gaps: the ranges of offsets in which none of its
//! records is completed. Outside the gaps, below the highest scanned offset, all its records are completed. A route that
//! does not deliver therefore has one gap, however long it is, and the other classes are not affected.
//!
//! A scan reads the partition up to the window's end. A class that does not keep up is paused for the rest of the scan, and
//! delivered in another scan, which begins where the class was paused.

mod class_progress;
mod record_state;
#[cfg(test)]
mod tests;

pub use record_state::RecordState;

pub use crate::class::Class;
use crate::class::Gap;
use crate::offset_map::OffsetMap;
use class_progress::ClassProgress;

/// The progress of one partition in one run.
#[derive(Debug)]
pub struct Progress {
    start: i64,
    end: i64,
    /// The next offset of this scan.
    position: i64,
    /// Offsets below were read by this run or an earlier one.
    scanned: i64,
    /// Offsets below were read by an earlier run, except these.
    scanned_before: i64,
    unread_before: Vec<Gap>,
    /// Offsets below were read by this run.
    visited: i64,
    classes: Vec<ClassProgress>,
}

impl Progress {
    /// Begins a run at the committed offset `start`. `map` is the offset map of the commit, `end` the end of the window
    /// (exclusive), `routes` the number of routes. A map for another number of routes is ignored.
    pub fn new(start: i64, end: i64, routes: usize, map: Option<OffsetMap>) -> Self {
        let map = map.filter(|map| map.gaps.len() == routes + 1 && map.scanned >= start);
        let (scanned, mut gaps) = match map {
            Some(map) => (map.scanned, map.gaps),
            None => (start, vec![Vec::new(); routes + 1]),
        };
        // The log may begin after the commit of the map. Deleted records cannot be completed.
        for gaps in &mut gaps {
            gaps.retain(|gap| gap.1 > start);
            if let Some(first) = gaps.first_mut() {
                first.0 = first.0.max(start);
            }
        }
        let unread_before = common(&gaps);
        let classes = gaps
            .into_iter()
            .map(|gaps| ClassProgress::new(start, gaps, scanned))
            .collect();
        Self {
            start,
            end,
            position: start,
            scanned,
            scanned_before: scanned,
            unread_before,
            visited: start,
            classes,
        }
    }

    /// The first offset of the window.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The next offset of this scan.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// The end of the window, exclusive.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Ends the window at the first offset that this run has not read, because a limit was reached.
    pub fn truncate(&mut self) {
        self.end = self.end.min(self.visited.max(self.position));
    }

    /// The number of offsets of the window that this run has not read.
    pub fn unread(&self) -> i64 {
        (self.end - self.visited).max(0)
    }

    /// Moves the scan to the next record at `offset`, or to the window's end. Returns the number of offsets in between that
    /// this run had not read before; they have no records.
    pub fn move_to(&mut self, offset: i64) -> i64 {
        let empty = (offset - self.visited.max(self.position)).max(0);
        self.position = self.position.max(offset);
        self.visited = self.visited.max(offset);
        self.scanned = self.scanned.max(self.position);
        empty
    }

    /// True if this run has not read the record at the position before.
    pub fn is_first_visit(&self) -> bool {
        self.position >= self.visited
    }

    /// Moves the scan past the record at the position. True if this run had not read the record before.
    pub fn advance(&mut self) -> bool {
        let first = self.is_first_visit();
        self.position += 1;
        self.visited = self.visited.max(self.position);
        self.scanned = self.scanned.max(self.position);
        first
    }

    /// True if an earlier run has read this offset. One that no class has completed may lie in a slice that did not
    /// return ([`slices`](crate::slices)), and counts as not read.
    pub fn was_scanned_before(&self, offset: i64) -> bool {
        let after = self.unread_before.partition_point(|gap| gap.0 <= offset);
        let is_unread = after > 0 && offset < self.unread_before[after - 1].1;
        offset < self.scanned_before && !is_unread
    }

    /// The state of a record of `class`.
    pub fn state_of(&self, class: Class, offset: i64) -> RecordState {
        self.classes[class].state_of(offset)
    }

    /// True if the class is paused in this scan.
    pub fn is_paused(&self, class: Class) -> bool {
        self.classes[class].paused_from.is_some()
    }

    /// Adds a record of `class` that was read. A record that is [`RecordState::Due`] is pending until
    /// [`Progress::complete`] or [`Progress::defer`].
    pub fn add(&mut self, class: Class, offset: i64, state: RecordState) {
        self.classes[class].push(offset, state);
    }

    /// Pauses `class` from `offset` on, for the rest of this scan.
    pub fn pause(&mut self, class: Class, offset: i64) {
        self.classes[class].paused_from.get_or_insert(offset);
    }

    /// Completes a pending record: it is delivered, or acknowledged by the dead-letter topic. False if it is not pending.
    #[must_use]
    pub fn complete(&mut self, class: Class, offset: i64) -> bool {
        self.classes[class].resolve(offset, RecordState::Completed)
    }

    /// Defers a pending record to the next run. False if it is not pending.
    #[must_use]
    pub fn defer(&mut self, class: Class, offset: i64) -> bool {
        self.classes[class].resolve(offset, RecordState::Deferred)
    }

    /// The number of pending records.
    pub fn pending(&self) -> usize {
        self.classes.iter().map(|class| class.pending).sum()
    }

    /// The number of pending records of `class`.
    pub fn pending_of(&self, class: Class) -> usize {
        self.classes[class].pending
    }

    /// True if the scan has reached the window's end.
    pub fn is_scan_complete(&self) -> bool {
        self.position >= self.end
    }

    /// True if a class was paused in this scan, so that another scan has to follow.
    pub fn needs_another_scan(&self) -> bool {
        self.classes.iter().any(|class| class.paused_from.is_some())
    }

    /// Begins another scan for the paused classes, and returns its first offset. No record may be pending.
    pub fn begin_scan(&mut self) -> i64 {
        let from = self
            .classes
            .iter()
            .filter_map(|class| class.paused_from)
            .min()
            .unwrap_or(self.position);
        for class in &mut self.classes {
            let gaps = class.gaps(self.position, self.scanned);
            let attempted_below = class
                .paused_from
                .unwrap_or(self.scanned)
                .max(class.attempted_below);
            *class = ClassProgress::new(from, gaps, self.scanned);
            class.attempted_below = attempted_below;
        }
        self.position = from;
        from
    }

    /// The offset to commit: all records below it are completed.
    pub fn commit(&self) -> i64 {
        self.gaps()
            .iter()
            .filter_map(|gaps| gaps.first())
            .map(|gap| gap.0)
            .min()
            .unwrap_or(self.scanned)
    }

    /// The completed records at and above the commit.
    pub fn offset_map(&self) -> OffsetMap {
        OffsetMap {
            scanned: self.scanned,
            gaps: self.gaps(),
        }
    }

    /// True if records of the class in the window were read and are not completed. An earlier run may have read records
    /// above the window.
    pub fn has_gap(&self, class: Class) -> bool {
        let gaps = self.classes[class].gaps(self.position, self.scanned);
        gaps.iter().any(|gap| gap.0 < self.end)
    }

    fn gaps(&self) -> Vec<Vec<Gap>> {
        self.classes
            .iter()
            .map(|class| class.gaps(self.position, self.scanned))
            .collect()
    }
}

/// The offsets that are gaps of every class.
fn common(classes: &[Vec<Gap>]) -> Vec<Gap> {
    let Some((first, rest)) = classes.split_first() else {
        return Vec::new();
    };
    rest.iter().fold(first.clone(), |common, gaps| {
        let (mut both, mut gaps) = (Vec::new(), gaps.iter().peekable());
        for (start, end) in common {
            while let Some(gap) = gaps.peek().filter(|gap| gap.0 < end) {
                let part = (start.max(gap.0), end.min(gap.1));
                if part.0 < part.1 {
                    both.push(part);
                }
                if gap.1 > end {
                    break;
                }
                gaps.next();
            }
        }
        both
    })
}
