//! The partitions of the window and the counts of the run.

use std::collections::BTreeMap;

use offsets::counters::{PartitionCounters, RouteCounters};
use offsets::progress::{Class, RecordState};
use serde::{Deserialize, Serialize};

use super::partition::{Disposition, Ownership, PartitionState, Visit};

/// The partitions of the window. Each record that is read ends in exactly one count of its partition.
pub struct Partitions {
    states: BTreeMap<i32, PartitionState>,
    routes: Vec<RouteCounters>,
    /// Records that this run has read and that no earlier run has completed.
    records: u64,
    /// Bytes of values that no earlier run has read.
    bytes: u64,
    max_bytes: Option<u64>,
    is_bounded: bool,
    oldest_deferred: Option<DeferredRecord>,
}

/// A record that stays for the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeferredRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// The index of its route; for a dead letter without a route, the number of routes.
    pub class: Class,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Whether a fetched record is part of the window.
pub(super) enum Admission {
    /// It is the next record of its partition.
    Next(Visit),
    /// It is not part of this scan.
    Ignored,
    /// It is beyond the bound on bytes.
    WindowFull,
}

impl Partitions {
    pub(super) fn new(
        states: BTreeMap<i32, PartitionState>,
        routes: usize,
        max_bytes: Option<u64>,
    ) -> Self {
        Self {
            states,
            routes: vec![RouteCounters::default(); routes],
            records: 0,
            bytes: 0,
            max_bytes,
            is_bounded: false,
            oldest_deferred: None,
        }
    }

    /// The partitions in order.
    pub fn iter(&self) -> impl Iterator<Item = (i32, &PartitionState)> {
        self.states.iter().map(|(id, state)| (*id, state))
    }

    /// One partition.
    pub fn get(&self, partition: i32) -> Option<&PartitionState> {
        self.states.get(&partition)
    }

    /// The counts of each route.
    pub fn routes(&self) -> &[RouteCounters] {
        &self.routes
    }

    /// The record with the lowest timestamp among those that this run has deferred.
    pub fn oldest_deferred(&self) -> Option<&DeferredRecord> {
        self.oldest_deferred.as_ref()
    }

    /// True when an endpoint of this route has accepted a record in this run.
    pub(super) fn has_delivered(&self, route: Class) -> bool {
        self.routes
            .get(route)
            .is_some_and(|route| route.delivered > 0)
    }

    /// Notes a record that stays for the next run. One without a timestamp has no age.
    pub(super) fn note_deferred(
        &mut self,
        partition: i32,
        class: Class,
        offset: i64,
        timestamp: Option<i64>,
    ) {
        let Some(timestamp) = timestamp else { return };
        let is_older = |oldest: &DeferredRecord| timestamp < oldest.timestamp;
        if self.oldest_deferred.as_ref().is_none_or(is_older) {
            self.oldest_deferred = Some(DeferredRecord {
                partition,
                offset,
                class,
                timestamp,
            });
        }
    }

    /// True when the bound on bytes ended the window before its planned end.
    pub fn is_bounded(&self) -> bool {
        self.is_bounded
    }

    /// Offsets of the window, and how many of them are read.
    pub fn offsets(&self) -> (i64, i64) {
        let planned = |state: &PartitionState| state.counters.planned();
        let planned: i64 = self.states.values().map(planned).sum();
        let unread: i64 = self.states.values().map(|s| s.progress.unread()).sum();
        (planned, planned - unread)
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn get_mut(&mut self, partition: i32) -> Option<&mut PartitionState> {
        self.states.get_mut(&partition)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (i32, &mut PartitionState)> {
        self.states.iter_mut().map(|(id, state)| (*id, state))
    }

    pub(super) fn extend(&mut self, states: Vec<(i32, PartitionState)>) {
        self.states.extend(states);
    }

    /// The class of dead letters without a route.
    pub(super) fn unrouted(&self) -> Class {
        self.routes.len()
    }

    /// The class of a record whose schema the registry does not have.
    ///
    /// An earlier run may have decoded the record, and deferred it: then it lies in a gap of its route, and completing it in
    /// another class would lose it. So it belongs to the first route in whose gap it lies. If it was in fact dead-lettered
    /// before, it is dead-lettered once more, and lies in no gap then.
    pub(super) fn class_of_unknown(&self, partition: i32, offset: i64) -> Class {
        let unrouted = self.unrouted();
        let Some(state) = self.states.get(&partition) else {
            return unrouted;
        };
        let lies_in_gap =
            |route: &Class| state.progress.state_of(*route, offset) != RecordState::Completed;
        match state.progress.was_scanned_before(offset) {
            true => (0..unrouted).find(lies_in_gap).unwrap_or(unrouted),
            false => unrouted,
        }
    }

    /// True if the scan has still to read this offset.
    pub(super) fn is_due(&self, partition: i32, offset: i64) -> bool {
        self.states.get(&partition).is_some_and(|state| {
            let progress = &state.progress;
            !state.is_read() && (progress.position()..progress.end()).contains(&offset)
        })
    }

    /// Where reading starts in each partition that has something to read.
    pub(super) fn starts(&self) -> Vec<(i32, i64)> {
        starts(self.iter())
    }

    /// Moves the scan to a record whose value has `size` bytes.
    #[inline]
    pub(super) fn admit(&mut self, partition: i32, offset: i64, size: usize) -> Admission {
        let Some(state) = self.states.get_mut(&partition) else {
            return Admission::Ignored;
        };
        let Some(visit) = state.advance_to(offset) else {
            return Admission::Ignored;
        };
        // What an earlier run has read does not count: otherwise a route that is down would fill every window.
        if visit.is_new {
            let bytes = self.bytes + size as u64;
            if self.bytes > 0 && self.max_bytes.is_some_and(|max| bytes > max) {
                return Admission::WindowFull;
            }
            self.bytes = bytes;
        }
        Admission::Next(visit)
    }

    /// Ends the window of every partition where its first scan is.
    pub(super) fn end_window(&mut self) {
        self.is_bounded = true;
        for state in self.states.values_mut().filter(|state| !state.is_revoked()) {
            state.progress.truncate();
        }
    }

    /// The partition has no record between the position and `offset`.
    pub(super) fn on_end(&mut self, partition: i32, offset: i64) {
        // An end before the window's end comes from a leader that has not caught up; the rest follows.
        if let Some(state) = self.states.get_mut(&partition)
            && !state.is_read()
            && offset >= state.progress.end()
        {
            state.counters.empty_offsets += state.progress.move_to(state.progress.end());
        }
    }

    /// The record is not delivered, by the settings.
    pub(super) fn skip(&mut self, partition: i32, offset: i64, visit: Visit) {
        let Some(state) = self.states.get_mut(&partition) else {
            return;
        };
        if visit.is_first && state.progress.was_scanned_before(offset) {
            state.counters.already_completed += 1;
        } else if visit.is_first {
            state.counters.skipped += 1;
            self.records += 1;
        }
        state.progress.advance();
    }

    /// What the scan does with a record; `None` if it is to be handed on now.
    pub(super) fn known_disposition(
        &self,
        partition: i32,
        offset: i64,
        class: Class,
    ) -> Option<Disposition> {
        let state = self.states.get(&partition)?;
        state.known_disposition(class, offset)
    }

    /// The scan goes on behind a record of this class.
    pub(super) fn enter(
        &mut self,
        partition: i32,
        offset: i64,
        class: Class,
        visit: Visit,
        disposition: Disposition,
    ) {
        let Some(state) = self.states.get_mut(&partition) else {
            return;
        };
        if visit.is_first && (state.progress.state_of(class, offset) == RecordState::Completed) {
            state.counters.already_completed += 1;
            if let Some(route) = self.routes.get_mut(class) {
                route.already_completed += 1;
            }
        } else if visit.is_first {
            state.counters.open += 1;
            self.records += 1;
            if let Some(route) = self.routes.get_mut(class) {
                route.matched += 1;
                route.open += 1;
            }
        }
        state.enter(class, offset, disposition);
    }

    /// An endpoint has accepted the record.
    pub(super) fn on_delivered(&mut self, partition: i32, class: Class, offset: i64) {
        let (delivered, routed) = (
            |counters: &mut PartitionCounters| counters.delivered += 1,
            |route: &mut RouteCounters| route.delivered += 1,
        );
        self.complete(partition, class, offset, delivered, routed);
    }

    /// The dead-letter topic has the record.
    pub(super) fn on_dead_lettered(&mut self, partition: i32, class: Class, offset: i64) {
        let (dead_lettered, routed) = (
            |counters: &mut PartitionCounters| counters.dead_lettered += 1,
            |route: &mut RouteCounters| route.dead_lettered += 1,
        );
        self.complete(partition, class, offset, dead_lettered, routed);
    }

    fn complete(
        &mut self,
        partition: i32,
        class: Class,
        offset: i64,
        count: fn(&mut PartitionCounters),
        count_route: fn(&mut RouteCounters),
    ) {
        let Some(state) = self.states.get_mut(&partition) else {
            return;
        };
        if !state.progress.complete(class, offset) {
            tracing::error!(
                partition,
                offset,
                class,
                "completed a record that is not in flight"
            );
            return;
        }
        state.counters.open -= 1;
        count(&mut state.counters);
        if let Some(route) = self.routes.get_mut(class) {
            route.open -= 1;
            count_route(route);
        }
    }

    /// A record in flight is rejected and is a dead letter already. It is counted as one, and stays for the next run.
    pub(super) fn on_rejected_again(&mut self, partition: i32, class: Class, offset: i64) {
        self.defer(partition, class, offset);
        if let Some(state) = self.states.get_mut(&partition) {
            state.counters.open -= 1;
            state.counters.dead_lettered += 1;
        }
        if let Some(route) = self.routes.get_mut(class) {
            route.open -= 1;
            route.dead_lettered += 1;
        }
    }

    /// A record in flight stays for the next run.
    pub(super) fn defer(&mut self, partition: i32, class: Class, offset: i64) {
        if let Some(state) = self.states.get_mut(&partition)
            && !state.progress.defer(class, offset)
        {
            tracing::error!(
                partition,
                offset,
                class,
                "deferred a record that is not in flight"
            );
        }
    }

    /// The number of records in flight in partitions that are not revoked.
    pub(super) fn in_flight(&self) -> usize {
        let owned = self.states.values().filter(|state| !state.is_revoked());
        owned.map(|state| state.progress.pending()).sum()
    }

    /// The number of records of one route in flight in one partition.
    pub(super) fn in_flight_of_route(&self, partition: i32, route: Class) -> usize {
        let state = self.states.get(&partition);
        state.map_or(0, |state| state.progress.pending_of(route))
    }

    /// The number of records in flight in these partitions.
    pub(super) fn in_flight_of(&self, partitions: &[i32]) -> usize {
        let states = partitions.iter().filter_map(|id| self.states.get(id));
        states.map(|state| state.progress.pending()).sum()
    }

    /// True when every partition is read and no record is in flight.
    pub(super) fn is_scan_complete(&self) -> bool {
        self.states.values().all(PartitionState::is_read) && self.in_flight() == 0
    }

    /// Begins another scan in the partitions in which this scan has skipped a route. Returns the offset that each is
    /// read from. Call it when the scan is complete.
    pub(super) fn begin_scan(&mut self) -> Vec<(i32, i64)> {
        let mut starts = Vec::new();
        for (partition, state) in &mut self.states {
            if state.ownership == Ownership::Assigned && state.progress.needs_another_scan() {
                starts.push((*partition, state.progress.begin_scan()));
                state.is_fetched = true;
            }
        }
        starts
    }

    /// Counts what is not read.
    pub(super) fn finish(&mut self) {
        for state in self.states.values_mut() {
            state.counters.range.end = state.progress.end();
            state.counters.unread = state.progress.unread();
        }
    }
}

/// Where reading starts in each of these partitions that has something to read.
pub(super) fn starts<'p>(
    states: impl Iterator<Item = (i32, &'p PartitionState)>,
) -> Vec<(i32, i64)> {
    let unread = states.filter(|(_, state)| !state.is_read());
    unread
        .map(|(id, state)| (id, state.progress.position()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use offsets::window::OffsetRange;

    /// One partition with four offsets.
    fn partitions(routes: usize, max_bytes: Option<u64>) -> Partitions {
        let range = OffsetRange {
            partition: 0,
            start: 0,
            end: 4,
        };
        let state = PartitionState::replay(&range, routes);
        Partitions::new(BTreeMap::from([(0, state)]), routes, max_bytes)
    }

    fn admit(partitions: &mut Partitions, offset: i64, size: usize) -> Option<Visit> {
        match partitions.admit(0, offset, size) {
            Admission::Next(visit) => Some(visit),
            Admission::Ignored | Admission::WindowFull => None,
        }
    }

    fn enter(partitions: &mut Partitions, offset: i64, class: Class, disposition: Disposition) {
        let visit = admit(partitions, offset, 1).unwrap();
        partitions.enter(0, offset, class, visit, disposition);
    }

    #[test]
    fn each_offset_ends_in_exactly_one_count() {
        let mut partitions = partitions(1, None);
        enter(&mut partitions, 0, 0, Disposition::InFlight);
        // Offset 1 has no record.
        let visit = admit(&mut partitions, 2, 1).unwrap();
        partitions.skip(0, 2, visit);
        enter(&mut partitions, 3, 0, Disposition::Deferred);
        partitions.on_delivered(0, 0, 0);
        partitions.finish();
        let counters = partitions.get(0).unwrap().counters();
        assert_eq!((counters.delivered, counters.skipped), (1, 1));
        assert_eq!((counters.empty_offsets, counters.deferred()), (1, 1));
        let route = &partitions.routes()[0];
        assert_eq!((route.matched, route.delivered, route.open), (2, 1, 1));
        assert_eq!(partitions.records(), 3);
    }

    #[test]
    fn a_record_that_comes_back_twice_is_counted_once() {
        let mut partitions = partitions(1, None);
        enter(&mut partitions, 0, 0, Disposition::InFlight);
        partitions.on_delivered(0, 0, 0);
        partitions.on_delivered(0, 0, 0);
        assert_eq!(partitions.get(0).unwrap().counters().delivered, 1);
    }

    #[test]
    fn a_window_holds_one_record_however_large() {
        let mut partitions = partitions(1, Some(5));
        let visit = admit(&mut partitions, 0, 10).unwrap();
        partitions.enter(0, 0, 0, visit, Disposition::Deferred);
        assert!(matches!(partitions.admit(0, 1, 1), Admission::WindowFull));
        partitions.end_window();
        assert!(partitions.is_bounded() && partitions.is_scan_complete());
        partitions.finish();
        assert_eq!(partitions.get(0).unwrap().counters().planned(), 1);
    }

    #[test]
    fn a_skipped_route_gets_another_scan_when_nothing_is_in_flight() {
        let mut partitions = partitions(2, None);
        enter(&mut partitions, 0, 0, Disposition::InFlight);
        enter(&mut partitions, 1, 1, Disposition::RouteSkipped);
        partitions.on_end(0, 4);
        assert!(!partitions.is_scan_complete());
        partitions.on_delivered(0, 0, 0);
        assert!(partitions.is_scan_complete());
        assert_eq!(partitions.begin_scan(), [(0, 1)]);
        assert!(!admit(&mut partitions, 1, 1).unwrap().is_first);
    }

    #[test]
    fn a_record_from_before_a_seek_is_ignored() {
        let mut partitions = partitions(1, None);
        enter(&mut partitions, 2, 0, Disposition::Deferred);
        assert!(admit(&mut partitions, 1, 1).is_none());
        assert!(admit(&mut partitions, 4, 1).is_none());
        assert!(matches!(partitions.admit(7, 0, 1), Admission::Ignored));
    }
}
