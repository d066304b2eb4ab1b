//! What is completed in one partition, and how far its commit may go. Pure: events in, offsets out.
//!
//! Every record that somebody must deal with belongs to one *class*: its route, or the last class, which holds the
//! records that go to the dead-letter topic without having a route. Each class keeps its *gaps*: stretches of
//! offsets in which none of its records is completed. Outside the gaps, below the offset that was scanned, everything
//! is. So a route that is down costs one gap of its own class, however long it is down, and nothing of the others.
//!
//! A *pass* reads the partition up to the window's end. A route that does not keep up is skipped for the rest of a
//! pass, and gets a pass of its own afterwards.

mod class;

use crate::offset_map::OffsetMap;
use class::{ClassProgress, State};

/// A class of records: the route's place in the table of routes, or [`Progress::aside`].
pub type Class = usize;

/// Half-open range of offsets.
pub type Range = (i64, i64);

/// What is known of a record before it is dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// Nobody has completed it: deal with it now.
    Due,
    /// An earlier run, or an earlier pass of this one, has completed it.
    Completed,
    /// It was tried in this run and left for the next one.
    Deferred,
}

/// The progress of one partition in one run.
#[derive(Debug)]
pub struct Progress {
    start: i64,
    end: i64,
    /// The next offset of this pass.
    position: i64,
    /// Everything below was read, in whatever pass, by this run or an earlier one.
    scanned: i64,
    /// Everything below was read by an earlier run.
    scanned_before: i64,
    /// Everything below was read by this run.
    visited: i64,
    classes: Vec<ClassProgress>,
}

impl Progress {
    /// Begins at the committed offset `start`, with what an earlier run noted beyond it. The window ends before
    /// `end`; `routes` is the number of routes. A done-map for another number of routes is not believed.
    pub fn new(start: i64, end: i64, routes: usize, done: Option<OffsetMap>) -> Self {
        let done = done.filter(|done| done.gaps.len() == routes + 1 && done.scanned >= start);
        let (scanned, mut gaps) = match done {
            Some(done) => (done.scanned, done.gaps),
            None => (start, vec![Vec::new(); routes + 1]),
        };
        // The log may begin behind the commit that the map was made for: nobody will complete what is gone.
        for gaps in &mut gaps {
            gaps.retain(|gap| gap.1 > start);
            if let Some(first) = gaps.first_mut() {
                first.0 = first.0.max(start);
            }
        }
        let classes = gaps
            .into_iter()
            .map(|before| ClassProgress::new(start, before, scanned))
            .collect();
        Self {
            start,
            end,
            position: start,
            scanned,
            scanned_before: scanned,
            visited: start,
            classes,
        }
    }

    /// The class of records that go to the dead-letter topic without a route.
    pub fn aside(&self) -> Class {
        self.classes.len() - 1
    }

    /// Where the window began.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The next offset of this pass.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Where the window ends; nothing at or beyond it is dealt with.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Ends the window where its first pass is: a bound was reached.
    pub fn end_here(&mut self) {
        self.end = self.end.min(self.visited.max(self.position));
    }

    /// Offsets of the window that this run has not read.
    pub fn unread(&self) -> i64 {
        (self.end - self.visited).max(0)
    }

    /// The pass moves over `offset`, where there is a record or (at the window's end) none. Answers how many offsets
    /// below it this run met for the first time and found empty.
    pub fn move_to(&mut self, offset: i64) -> i64 {
        let empty = (offset - self.visited.max(self.position)).max(0);
        self.position = self.position.max(offset);
        self.visited = self.visited.max(offset);
        self.scanned = self.scanned.max(self.position);
        empty
    }

    /// True if this run meets the record at the position for the first time.
    pub fn is_first_visit(&self) -> bool {
        self.position >= self.visited
    }

    /// The pass is done with the record at the position. True if this run met it for the first time.
    pub fn step(&mut self) -> bool {
        let first = self.is_first_visit();
        self.position += 1;
        self.visited = self.visited.max(self.position);
        self.scanned = self.scanned.max(self.position);
        first
    }

    /// True if an earlier run has read this offset.
    pub fn was_scanned_before(&self, offset: i64) -> bool {
        offset < self.scanned_before
    }

    /// How a record of `class` stands.
    pub fn state_of(&self, class: Class, offset: i64) -> RecordState {
        self.classes[class].state_of(offset)
    }

    /// True when this pass skips the class.
    pub fn is_skipped(&self, class: Class) -> bool {
        self.classes[class].skipped_from.is_some()
    }

    /// A due record of `class` has been handed on; [`Progress::complete`] or [`Progress::defer`] will follow.
    pub fn expect(&mut self, class: Class, offset: i64) {
        self.classes[class].push(offset, State::Pending);
    }

    /// A record of `class` needs nothing done now: it is completed, or stays unsettled in this run.
    pub fn note(&mut self, class: Class, offset: i64, completed: bool) {
        self.classes[class].push(
            offset,
            if completed {
                State::Completed
            } else {
                State::Deferred
            },
        );
    }

    /// This pass skips `class` from `offset` on.
    pub fn skip(&mut self, class: Class, offset: i64) {
        self.classes[class].skipped_from.get_or_insert(offset);
    }

    /// An expected record is delivered, or safely in the dead-letter topic. False if it was not expected.
    #[must_use]
    pub fn complete(&mut self, class: Class, offset: i64) -> bool {
        self.classes[class].decide(offset, State::Completed)
    }

    /// An expected record stays for the next run. False if it was not expected.
    #[must_use]
    pub fn defer(&mut self, class: Class, offset: i64) -> bool {
        self.classes[class].decide(offset, State::Deferred)
    }

    /// How many records are expected and not decided.
    pub fn pending(&self) -> usize {
        self.classes.iter().map(|class| class.pending).sum()
    }

    /// True when the pass has reached the window's end.
    pub fn pass_is_over(&self) -> bool {
        self.position >= self.end
    }

    /// True when a class was skipped in this pass, so that another one is due.
    pub fn wants_another_pass(&self) -> bool {
        self.classes
            .iter()
            .any(|class| class.skipped_from.is_some())
    }

    /// Begins another pass, for the classes that were skipped in this one, and answers the offset to read from.
    /// To be called when nothing is pending.
    pub fn begin_pass(&mut self) -> i64 {
        let from = self
            .classes
            .iter()
            .filter_map(|class| class.skipped_from)
            .min()
            .unwrap_or(self.position);
        for class in &mut self.classes {
            let gaps = class.gaps(self.position, self.scanned);
            let tried_until = class
                .skipped_from
                .unwrap_or(self.scanned)
                .max(class.tried_until);
            *class = ClassProgress::new(from, gaps, self.scanned);
            class.tried_until = tried_until;
        }
        self.position = from;
        from
    }

    /// The offset to commit: every record below it is completed.
    pub fn commit(&self) -> i64 {
        self.gaps()
            .iter()
            .filter_map(|gaps| gaps.first())
            .map(|gap| gap.0)
            .min()
            .unwrap_or(self.scanned)
    }

    /// What is completed beyond the commit.
    pub fn offset_map(&self) -> OffsetMap {
        OffsetMap {
            scanned: self.scanned,
            gaps: self.gaps(),
        }
    }

    /// True when records of the class were met and are not completed.
    pub fn has_gap(&self, class: Class) -> bool {
        !self.classes[class]
            .gaps(self.position, self.scanned)
            .is_empty()
    }

    fn gaps(&self) -> Vec<Vec<Range>> {
        self.classes
            .iter()
            .map(|class| class.gaps(self.position, self.scanned))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `count` records of alternating classes 0 and 1 and hands them on.
    fn read(progress: &mut Progress, count: i64) {
        for _ in 0..count {
            let offset = progress.position();
            progress.expect((offset % 2) as usize, offset);
            assert!(progress.step());
        }
    }

    #[test]
    fn the_commit_stops_before_the_lowest_undelivered_record() {
        let mut progress = Progress::new(0, 10, 2, None);
        read(&mut progress, 10);
        assert_eq!(progress.commit(), 0);
        for offset in [1, 3, 0, 2, 7] {
            assert!(progress.complete((offset % 2) as usize, offset));
        }
        assert_eq!(progress.commit(), 4);
        assert!(!progress.complete(1, 7), "a record is completed once");
        assert!(
            !progress.complete(1, 11),
            "a record that nobody expects is not completed"
        );
    }

    #[test]
    fn a_route_that_is_down_is_one_hole_and_costs_the_other_nothing() {
        let mut progress = Progress::new(0, 1000, 2, None);
        read(&mut progress, 1000);
        for offset in 0..1000 {
            assert!(if offset % 2 == 0 {
                progress.defer(0, offset)
            } else {
                progress.complete(1, offset)
            });
        }
        assert_eq!(progress.commit(), 0);
        assert_eq!(
            progress.offset_map(),
            OffsetMap {
                scanned: 1000,
                gaps: vec![vec![(0, 999)], vec![], vec![]]
            }
        );

        let next = Progress::new(0, 1200, 2, Some(progress.offset_map()));
        assert_eq!(next.state_of(0, 4), RecordState::Due);
        assert_eq!(next.state_of(1, 5), RecordState::Completed);
        assert_eq!(next.state_of(1, 1001), RecordState::Due);
    }

    #[test]
    fn a_skipped_route_gets_a_pass_of_its_own_from_where_it_was_skipped() {
        let mut progress = Progress::new(0, 10, 2, None);
        for offset in 0..10 {
            let class = (offset % 2) as usize;
            if class == 0 && offset >= 4 {
                progress.skip(0, offset);
            } else {
                progress.expect(class, offset);
            }
            assert!(progress.step());
        }
        assert!(progress.defer(0, 0) && progress.complete(0, 2));
        for offset in [1, 3, 5, 7, 9] {
            assert!(progress.complete(1, offset));
        }
        assert!(progress.pass_is_over() && progress.wants_another_pass());
        assert_eq!(
            progress.offset_map().gaps,
            [vec![(0, 1), (4, 10)], vec![], vec![]]
        );

        assert_eq!(progress.begin_pass(), 4);
        assert_eq!(progress.state_of(1, 5), RecordState::Completed);
        assert_eq!(progress.state_of(0, 6), RecordState::Due);
        assert_eq!(
            progress.offset_map().gaps,
            [vec![(0, 1), (4, 10)], vec![], vec![]],
            "a pass begun loses nothing"
        );
        for offset in 4..10 {
            let class = (offset % 2) as usize;
            if class == 0 {
                progress.expect(0, offset);
                assert!(progress.complete(0, offset));
            } else {
                progress.note(1, offset, true);
            }
            assert!(!progress.step(), "this run has met it before");
        }
        assert!(!progress.wants_another_pass());
        assert_eq!(progress.commit(), 0);
        assert_eq!(progress.offset_map().gaps, [vec![(0, 1)], vec![], vec![]]);
    }

    #[test]
    fn empty_offsets_are_counted_once_and_committed_over() {
        let mut progress = Progress::new(5, 20, 1, None);
        assert_eq!(progress.move_to(8), 3);
        assert!(progress.step());
        assert_eq!(progress.move_to(20), 11);
        assert_eq!(progress.commit(), 20);
        assert_eq!(progress.unread(), 0);
    }

    #[test]
    fn a_done_map_of_other_routes_is_not_believed() {
        let done = OffsetMap {
            scanned: 50,
            gaps: vec![vec![], vec![]],
        };
        let progress = Progress::new(0, 100, 2, Some(done));
        assert_eq!(progress.state_of(0, 10), RecordState::Due);
    }

    mod property {
        use proptest::prelude::*;

        use super::*;
        use crate::offset_map::{Scope, decode, encode};

        /// One record's life over two passes and a rerun, whatever happens in whatever order.
        #[derive(Clone, Debug)]
        struct Plan {
            class: Vec<Option<usize>>,
            outcome: Vec<bool>,
            order: Vec<usize>,
            skip_at: Option<usize>,
            stop_at: usize,
        }

        fn plan() -> impl Strategy<Value = Plan> {
            (1usize..60).prop_flat_map(|length| {
                (
                    proptest::collection::vec(proptest::option::of(0usize..3), length),
                    proptest::collection::vec(any::<bool>(), length),
                    Just((0..length).collect::<Vec<_>>()).prop_shuffle(),
                    proptest::option::of(0..length),
                    0..=length,
                )
                    .prop_map(|(class, outcome, order, skip_at, stop_at)| Plan {
                        class,
                        outcome,
                        order,
                        skip_at,
                        stop_at,
                    })
            })
        }

        proptest! {
            #[test]
            fn the_commit_never_passes_and_the_done_map_never_forgets_an_unsettled_record(plan in plan()) {
                let length = plan.class.len();
                let mut progress = Progress::new(0, length as i64, 2, None);
                let mut completed = vec![false; length];
                let mut handed = vec![false; length];
                let check = |progress: &Progress, completed: &[bool]| {
                    let commit = progress.commit();
                    let scope = Scope { topic: String::new(), routes: 7 };
                    let text = encode(&progress.offset_map(), commit, &scope, 3000);
                    let next = Progress::new(commit, length as i64, 2, decode(&text, commit, &scope).ok());
                    for (offset, class) in plan.class.iter().enumerate() {
                        let Some(class) = class else { continue };
                        if (offset as i64) < commit {
                            prop_assert!(completed[offset], "{offset} is below the commit {commit}");
                        } else {
                            let state_of = next.state_of(*class, offset as i64);
                            prop_assert_eq!(state_of == RecordState::Completed, completed[offset], "{}", offset);
                        }
                    }
                    Ok(())
                };
                for pass in 0..2 {
                    if pass == 1 {
                        if !progress.wants_another_pass() { break; }
                        progress.begin_pass();
                        check(&progress, &completed)?;
                    }
                    while !progress.pass_is_over() {
                        let offset = progress.position();
                        let index = offset as usize;
                        if let Some(class) = plan.class[index] {
                            if pass == 0 && plan.skip_at == Some(index) { progress.skip(class, offset); }
                            if !progress.is_skipped(class) {
                                match progress.state_of(class, offset) {
                                    RecordState::Due => { progress.expect(class, offset); handed[index] = true; }
                                    state_of => {
                                        prop_assert_eq!(state_of == RecordState::Completed, completed[index]);
                                        progress.note(class, offset, state_of == RecordState::Completed);
                                    }
                                }
                            }
                        }
                        progress.step();
                        if index == plan.stop_at { check(&progress, &completed)?; }
                    }
                    for &index in &plan.order {
                        if handed[index] {
                            let class = plan.class[index].unwrap();
                            if plan.outcome[index] {
                                prop_assert!(progress.complete(class, index as i64));
                                completed[index] = true;
                            } else {
                                prop_assert!(progress.defer(class, index as i64));
                            }
                            handed[index] = false;
                            check(&progress, &completed)?;
                        }
                    }
                    prop_assert_eq!(progress.pending(), 0);
                }
            }
        }
    }
}
