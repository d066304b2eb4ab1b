//! The outcomes of slices as the outcome of the window. Pure.

use std::collections::BTreeMap;

use kafka::member::Commit;
use offsets::counters::PartitionCounters;
use offsets::offset_map::{self, OffsetMap, Scope};
use offsets::slices::SlicedProgress;
use offsets::window::OffsetRange;

use crate::pipeline::{
    MAX_METADATA_BYTES, PartitionOutcome, PartitionState, RouteOutcome, StopReason, WindowOutcome,
    not_encoded,
};

/// The most notes of all tasks together: each may have the same.
const MAX_NOTES: usize = 50;

/// Why a route is deferred in the later slices of one partition only.
const ORDER_KEPT: &str = "records before these are deferred, and the deliveries have an order";

/// The outcomes so far.
pub(super) struct Merged {
    partitions: BTreeMap<i32, MergedPartition>,
    outcome: WindowOutcome,
    /// The scope of the offset maps.
    scope: Scope,
    /// The records that were read and that no earlier run has completed.
    records: i64,
}

struct MergedPartition {
    progress: SlicedProgress,
    counters: PartitionCounters,
    /// The newest offset that the broker has.
    committed: Option<i64>,
    /// The newest commit that was requested; `None` after one failed.
    requested: Option<Commit>,
    /// The newest commit that was acknowledged.
    acknowledged: Option<Commit>,
    /// True if a slice has returned.
    is_touched: bool,
    /// For each route, whether a slice has deferred records of it.
    has_deferred: Vec<bool>,
}

impl Merged {
    /// The outcome of these partitions before a slice has returned.
    pub(super) fn new(states: &BTreeMap<i32, PartitionState>, routes: usize, scope: Scope) -> Self {
        let merged = |state: &PartitionState| {
            let range = state.counters().range.clone();
            MergedPartition {
                progress: SlicedProgress::new(range.clone(), routes + 1, Some(state.offset_map())),
                counters: PartitionCounters::new(range),
                committed: state.committed(),
                requested: None,
                acknowledged: None,
                is_touched: false,
                has_deferred: vec![false; routes],
            }
        };
        let partitions = states.iter().map(|(id, state)| (*id, merged(state)));
        Self {
            partitions: partitions.collect(),
            outcome: WindowOutcome {
                routes: vec![RouteOutcome::default(); routes],
                ..WindowOutcome::default()
            },
            scope,
            records: 0,
        }
    }

    /// The ranges of the partitions.
    pub(super) fn ranges(&self) -> impl Iterator<Item = &OffsetRange> {
        self.partitions.values().map(|one| one.progress.range())
    }

    /// The counters of the partitions.
    pub(super) fn counters(&self) -> impl Iterator<Item = &PartitionCounters> {
        self.partitions.values().map(|one| &one.counters)
    }

    /// What is completed in the slice, as far as is known.
    pub(super) fn map_of(&self, slice: &OffsetRange) -> OffsetMap {
        match self.partitions.get(&slice.partition) {
            Some(one) => one.progress.map_of(slice.start, slice.end),
            None => OffsetMap::without_gaps(slice.start, self.outcome.routes.len() + 1),
        }
    }

    /// Why the next task of a partition must defer each route; `None`: it must not. `is_ordered`: deliveries have an order,
    /// so that a later slice must not deliver what an earlier one has deferred before.
    pub(super) fn deferred(&self, partition: i32, is_ordered: bool) -> Vec<Option<String>> {
        let of_partition = self.partitions.get(&partition);
        let is_behind = |route: usize| {
            let deferred = of_partition.map(|one| one.has_deferred.as_slice());
            is_ordered && deferred.and_then(|deferred| deferred.get(route)) == Some(&true)
        };
        let routes = self.outcome.routes.iter().enumerate();
        let reason = |(index, route): (usize, &RouteOutcome)| {
            let behind = || is_behind(index).then(|| ORDER_KEPT.to_owned());
            route.deferred.clone().or_else(behind)
        };
        routes.map(reason).collect()
    }

    /// The numbers of dead letters and of records.
    pub(super) fn dead_letter_ratio(&self) -> (u64, u64) {
        let sent = self.outcome.dead_letters.causes.values().sum();
        (sent, u64::try_from(self.records).unwrap_or(0))
    }

    /// Adds the outcome of a slice. False if it is that of another one.
    pub(super) fn add(&mut self, slice: &OffsetRange, done: WindowOutcome) -> bool {
        let [one] = done.partitions.as_slice() else {
            return false;
        };
        let Some(partition) = self.partitions.get_mut(&slice.partition) else {
            return false;
        };
        if one.counters.range != *slice || done.routes.len() != self.outcome.routes.len() {
            return false;
        }
        partition.add(slice, one);
        for (has_deferred, route) in partition.has_deferred.iter_mut().zip(&done.routes) {
            *has_deferred |= route.has_deferred;
        }
        let counters = &one.counters;
        self.records +=
            counters.delivered + counters.dead_lettered + counters.skipped + counters.open;
        let all = &mut self.outcome;
        for (route, more) in all.routes.iter_mut().zip(done.routes) {
            add_route(route, more);
        }
        let oldest = [all.oldest_deferred, done.oldest_deferred]
            .into_iter()
            .flatten();
        all.oldest_deferred = oldest.min_by_key(|record| record.timestamp);
        all.dead_letters.extend(done.dead_letters);
        all.failed_dead_letters += done.failed_dead_letters;
        all.failed_answers += done.failed_answers;
        all.stop_reason = all.stop_reason.take().or(done.stop_reason);
        for note in done.notes {
            self.note(note);
        }
        true
    }

    /// Adds a note, unless it is there already.
    pub(super) fn note(&mut self, note: String) {
        let notes = &mut self.outcome.notes;
        if notes.len() < MAX_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// A task failed in every attempt.
    pub(super) fn add_failure(&mut self) {
        self.outcome.failed_tasks += 1;
    }

    /// Requests the end of the window. The first reason stays.
    pub(super) fn stop(&mut self, reason: StopReason) {
        self.outcome.stop_reason.get_or_insert(reason);
    }

    /// Why the window ends early; `None` if it does not.
    pub(super) fn stop_reason(&self) -> Option<&StopReason> {
        self.outcome.stop_reason.as_ref()
    }

    /// The commits that are not requested yet, marked as requested.
    pub(super) fn request_commits(&mut self) -> Vec<Commit> {
        let touched = self.partitions.values_mut().filter(|one| one.is_touched);
        let commits = touched.filter_map(|one| {
            let commit = one.commit(&self.scope);
            (one.requested.as_ref() != Some(&commit)).then(|| {
                one.requested = Some(commit.clone());
                commit
            })
        });
        commits.collect()
    }

    /// The broker acknowledged these commits.
    pub(super) fn acknowledge(&mut self, commits: Vec<Commit>) {
        for commit in commits {
            if let Some(one) = self.partitions.get_mut(&commit.partition) {
                one.committed = Some(commit.offset);
                one.acknowledged = Some(commit);
            }
        }
    }

    /// A requested commit failed; which one is unknown, so all are requested again.
    pub(super) fn forget_requested(&mut self) {
        for one in self.partitions.values_mut() {
            one.requested = None;
        }
    }

    /// True when the broker has everything that is completed.
    pub(super) fn is_committed(&self) -> bool {
        let mut touched = self.partitions.values().filter(|one| one.is_touched);
        touched.all(|one| one.acknowledged.as_ref() == Some(&one.commit(&self.scope)))
    }

    /// The outcome of the window.
    pub(super) fn end(mut self) -> WindowOutcome {
        for (partition, one) in &self.partitions {
            let (map, commit) = (one.progress.offset_map(), one.commit(&self.scope));
            let has_gaps = one.requested.is_some() && commit.offset < map.scanned;
            if has_gaps {
                let lost = not_encoded(&map, &commit, &self.scope).into_iter();
                let lost = lost.map(|(class, from)| (*partition, class, from));
                self.outcome.not_encoded.extend(lost);
            }
            self.outcome.partitions.push(PartitionOutcome {
                counters: one.counters.clone(),
                map,
                committed: one.committed,
                has_gaps,
            });
        }
        self.outcome
    }
}

impl MergedPartition {
    fn add(&mut self, slice: &OffsetRange, done: &PartitionOutcome) {
        self.is_touched = true;
        self.progress.complete(slice.start, slice.end, &done.map);
        let (all, more) = (&mut self.counters, &done.counters);
        all.delivered += more.delivered;
        all.skipped += more.skipped;
        all.dead_lettered += more.dead_lettered;
        all.already_completed += more.already_completed;
        all.empty_offsets += more.empty_offsets;
        all.open += more.open;
        all.unread -= slice.length() - more.unread;
    }

    fn commit(&self, scope: &Scope) -> Commit {
        let offset = self.progress.commit();
        Commit {
            partition: self.progress.range().partition,
            offset,
            metadata: offset_map::encode(
                &self.progress.offset_map(),
                offset,
                scope,
                MAX_METADATA_BYTES,
            ),
        }
    }
}

fn add_route(route: &mut RouteOutcome, more: RouteOutcome) {
    let (all, one) = (&mut route.counters, &more.counters);
    all.matched += one.matched;
    all.already_completed += one.already_completed;
    all.delivered += one.delivered;
    all.dead_lettered += one.dead_lettered;
    all.open += one.open;
    route.answers.success += more.answers.success;
    route.answers.error += more.answers.error;
    if let Some(requests) = &more.requests {
        if requests.attempts > 0 {
            route.pause = more.pause;
        }
        route.requests.get_or_insert_default().add(requests);
    }
    let deferred = more.deferred.filter(|reason| reason != ORDER_KEPT);
    route.deferred = route.deferred.take().or(deferred);
    route.has_deferred |= more.has_deferred;
}

#[cfg(test)]
mod tests;
