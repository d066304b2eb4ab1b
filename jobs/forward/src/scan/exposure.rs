//! Counts what endpoints have and the broker does not know yet: what a kill would repeat. Pure.
//!
//! A record that was settled counts until a commit that holds it is acknowledged. Delivery sends no more than a bound
//! beyond that, so a broker that takes no commits stops the requests before it makes repeats.

use std::collections::VecDeque;

use offsets::progress::Class;

/// The records of each class that are settled and not committed: of each route, and the dead letters without one.
#[derive(Debug)]
pub(super) struct Exposure {
    /// Settled since the last commit was asked for.
    fresh: Vec<usize>,
    /// The same for each commit that is not answered yet, the oldest first.
    asked: VecDeque<Vec<usize>>,
}

impl Exposure {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            fresh: vec![0; classes],
            asked: VecDeque::new(),
        }
    }

    /// A record of this class was settled.
    pub(super) fn add(&mut self, class: Class) {
        if let Some(fresh) = self.fresh.get_mut(class) {
            *fresh += 1;
        }
    }

    /// True when half of what a class may have uncommitted is waiting to be, and no commit is under way.
    pub(super) fn is_pressing(&self, limit: impl Fn(Class) -> usize) -> bool {
        let presses = |(class, fresh): (Class, &usize)| *fresh > 0 && *fresh >= limit(class) / 2;
        self.asked.is_empty() && self.fresh.iter().enumerate().any(presses)
    }

    /// True while a commit is not answered.
    pub(super) fn is_asked(&self) -> bool {
        !self.asked.is_empty()
    }

    /// A commit is asked for; `whole`: it holds all that is settled.
    pub(super) fn ask(&mut self, whole: bool) {
        let none = vec![0; self.fresh.len()];
        self.asked.push_back(if whole {
            std::mem::replace(&mut self.fresh, none)
        } else {
            none
        });
    }

    /// The oldest `commits` are acknowledged. Answers how many records of each class that sets free.
    pub(super) fn done(&mut self, commits: usize) -> Vec<usize> {
        let mut free = vec![0; self.fresh.len()];
        for one in self.asked.drain(..commits.min(self.asked.len())) {
            add(&mut free, &one);
        }
        free
    }

    /// The oldest `commits` were not taken: the next one holds their records too.
    pub(super) fn failed(&mut self, commits: usize) {
        for one in self.asked.drain(..commits.min(self.asked.len())) {
            add(&mut self.fresh, &one);
        }
    }

    /// There is nothing new to commit, so nothing that was settled waits for it any more.
    pub(super) fn nothing_to_ask(&mut self) -> Vec<usize> {
        if self.is_asked() {
            return Vec::new();
        }
        let none = vec![0; self.fresh.len()];
        std::mem::replace(&mut self.fresh, none)
    }
}

fn add(to: &mut [usize], counts: &[usize]) {
    for (sum, count) in to.iter_mut().zip(counts) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_until_a_commit_that_holds_it_is_acknowledged() {
        let mut exposure = Exposure::new(2);
        exposure.add(0);
        exposure.ask(true);
        exposure.add(0);
        exposure.add(1);
        assert_eq!(exposure.done(1), [1, 0]);
        exposure.ask(false);
        assert_eq!(exposure.done(1), [0, 0], "a commit of some partitions");
        exposure.ask(true);
        assert_eq!(exposure.done(1), [1, 1]);
    }

    #[test]
    fn commits_that_overtook_one_another_are_acknowledged_together() {
        let mut exposure = Exposure::new(1);
        for _ in 0..3 {
            exposure.add(0);
            exposure.ask(true);
        }
        assert_eq!(exposure.done(2), [2]);
        assert!(exposure.is_asked());
        assert_eq!(exposure.done(1), [1]);
    }

    #[test]
    fn what_a_failed_commit_held_goes_with_the_next() {
        let mut exposure = Exposure::new(1);
        exposure.add(0);
        exposure.ask(true);
        exposure.failed(1);
        assert!(!exposure.is_asked());
        exposure.ask(true);
        assert_eq!(exposure.done(1), [1]);
    }

    #[test]
    fn half_of_the_bound_presses_unless_a_commit_is_under_way() {
        let mut exposure = Exposure::new(2);
        let limit = |route| [1, 4][route];
        assert!(!exposure.is_pressing(limit));
        exposure.add(1);
        assert!(!exposure.is_pressing(limit));
        exposure.add(1);
        assert!(exposure.is_pressing(limit));
        exposure.ask(true);
        exposure.add(0);
        assert!(!exposure.is_pressing(limit));
        exposure.done(1);
        assert!(exposure.is_pressing(limit));
    }

    #[test]
    fn what_no_commit_will_tell_is_set_free_when_nothing_is_under_way() {
        let mut exposure = Exposure::new(1);
        exposure.ask(true);
        exposure.add(0);
        assert!(exposure.nothing_to_ask().is_empty());
        exposure.done(1);
        assert_eq!(exposure.nothing_to_ask(), [1]);
    }
}
