//! Counts records that endpoints have and commits do not cover: those that a kill would repeat. Pure.
//!
//! A completed record counts until a commit that covers it is acknowledged. Delivery bounds this number, so a broker that
//! acknowledges no commit stops the requests.

use std::collections::VecDeque;

use offsets::progress::Class;

/// The completed and uncommitted records of each class: one class a route, and one for dead letters without a route.
#[derive(Debug)]
pub(super) struct Uncommitted {
    /// Completed since the last commit was requested.
    new: Vec<usize>,
    /// The same for each requested commit without an answer, the oldest first.
    requested: VecDeque<Vec<usize>>,
}

impl Uncommitted {
    pub(super) fn new(classes: usize) -> Self {
        Self {
            new: vec![0; classes],
            requested: VecDeque::new(),
        }
    }

    /// A record of this class is completed, or deferred after an endpoint answered it.
    pub(super) fn add(&mut self, class: Class) {
        if let Some(new) = self.new.get_mut(class) {
            *new += 1;
        }
    }

    /// True when a class has reached half of its limit and no commit is in flight.
    pub(super) fn is_half_full(&self, limits: &[usize]) -> bool {
        let is_half = |(new, limit): (&usize, &usize)| *new > 0 && *new >= limit / 2;
        self.requested.is_empty() && self.new.iter().zip(limits).any(is_half)
    }

    /// True while a requested commit has no answer.
    pub(super) fn is_requested(&self) -> bool {
        !self.requested.is_empty()
    }

    /// A commit that covers every completed record is requested.
    pub(super) fn request(&mut self) {
        let none = vec![0; self.new.len()];
        self.requested
            .push_back(std::mem::replace(&mut self.new, none));
    }

    /// The oldest `commits` are acknowledged. Returns the number of records of each class that they cover.
    pub(super) fn acknowledge(&mut self, commits: usize) -> Vec<usize> {
        let mut covered = vec![0; self.new.len()];
        for counts in self.requested.drain(..commits.min(self.requested.len())) {
            add(&mut covered, &counts);
        }
        covered
    }

    /// The oldest `commits` failed: the next commit covers their records.
    pub(super) fn fail(&mut self, commits: usize) {
        for counts in self.requested.drain(..commits.min(self.requested.len())) {
            add(&mut self.new, &counts);
        }
    }

    /// There is nothing new to commit. Returns the number of records of each class that no longer wait for a commit:
    /// none while one is in flight.
    pub(super) fn clear_uncommittable(&mut self) -> Vec<usize> {
        if self.is_requested() {
            return Vec::new();
        }
        let none = vec![0; self.new.len()];
        std::mem::replace(&mut self.new, none)
    }
}

fn add(sums: &mut [usize], counts: &[usize]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_until_a_commit_that_covers_it_is_acknowledged() {
        let mut uncommitted = Uncommitted::new(2);
        uncommitted.add(0);
        uncommitted.request();
        uncommitted.add(0);
        uncommitted.add(1);
        assert_eq!(uncommitted.acknowledge(1), [1, 0]);
        uncommitted.request();
        assert_eq!(uncommitted.acknowledge(1), [1, 1]);
    }

    #[test]
    fn several_commits_are_acknowledged_together() {
        let mut uncommitted = Uncommitted::new(1);
        for _ in 0..3 {
            uncommitted.add(0);
            uncommitted.request();
        }
        assert_eq!(uncommitted.acknowledge(2), [2]);
        assert!(uncommitted.is_requested());
        assert_eq!(uncommitted.acknowledge(1), [1]);
    }

    #[test]
    fn the_next_commit_covers_the_records_of_a_failed_one() {
        let mut uncommitted = Uncommitted::new(1);
        uncommitted.add(0);
        uncommitted.request();
        uncommitted.fail(1);
        assert!(!uncommitted.is_requested());
        uncommitted.request();
        assert_eq!(uncommitted.acknowledge(1), [1]);
    }

    #[test]
    fn half_of_the_limit_is_reached_only_while_no_commit_is_in_flight() {
        let mut uncommitted = Uncommitted::new(2);
        let limits = [1, 4];
        assert!(!uncommitted.is_half_full(&limits));
        uncommitted.add(1);
        assert!(!uncommitted.is_half_full(&limits));
        uncommitted.add(1);
        assert!(uncommitted.is_half_full(&limits));
        uncommitted.request();
        uncommitted.add(0);
        assert!(!uncommitted.is_half_full(&limits));
        uncommitted.acknowledge(1);
        assert!(uncommitted.is_half_full(&limits));
    }

    #[test]
    fn records_that_no_commit_will_cover_are_cleared_when_no_commit_is_in_flight() {
        let mut uncommitted = Uncommitted::new(1);
        uncommitted.request();
        uncommitted.add(0);
        assert!(uncommitted.clear_uncommittable().is_empty());
        uncommitted.acknowledge(1);
        assert_eq!(uncommitted.clear_uncommittable(), [1]);
    }
}
