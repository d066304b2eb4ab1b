//! Hands records to the delivery threads, and skips a route that keeps the others idle.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use delivery::{Completion, Delivery, RouteState};

use super::routed_record::{Placement, RoutedRecord};

/// How long a full route may keep another route idle before it is skipped for the rest of the scan.
const LAG_TIMEOUT: Duration = Duration::from_millis(50);

/// The delivery threads, with the channel that their completions come through.
pub(super) struct Deliveries {
    /// Absent in a dry run.
    delivery: Option<Delivery>,
    completions: Receiver<Vec<Completion>>,
    /// The number of partitions that share the queue of a route.
    partitions: usize,
    routes: Vec<RouteLag>,
    /// For each route that was deferred before the shutdown, the reason.
    deferred: Vec<Option<String>>,
}

/// Whether a route keeps others idle.
#[derive(Clone, Copy)]
struct RouteLag {
    idle_since: Option<Instant>,
    /// The route is skipped for the rest of the scan.
    is_lagging: bool,
    /// False: an earlier scan has read all records of the route, so it is idle for lack of records.
    may_have_records: bool,
}

impl RouteLag {
    fn new(may_have_records: bool) -> Self {
        Self {
            idle_since: None,
            is_lagging: false,
            may_have_records,
        }
    }

    /// True when the scan may still find records of the route.
    fn may_need_room(&self) -> bool {
        self.may_have_records && !self.is_lagging
    }

    /// The route at the start of the next scan. Only what lagged is left to read.
    fn next_scan(&self) -> Self {
        Self::new(self.is_lagging)
    }

    fn update(&mut self, keeps_others_idle: bool, now: Instant) {
        if keeps_others_idle {
            let since = *self.idle_since.get_or_insert(now);
            self.is_lagging |= now.saturating_duration_since(since) > LAG_TIMEOUT;
        } else {
            self.idle_since = None;
        }
    }
}

impl Deliveries {
    pub(super) fn new(
        delivery: Option<Delivery>,
        completions: Receiver<Vec<Completion>>,
        routes: usize,
        partitions: usize,
    ) -> Self {
        Self {
            delivery,
            completions,
            partitions,
            routes: vec![RouteLag::new(true); routes],
            deferred: vec![None; routes],
        }
    }

    pub(super) fn delivery(&self) -> Option<&Delivery> {
        self.delivery.as_ref()
    }

    /// Why a route was deferred before the shutdown.
    pub(super) fn deferred_reason(&self, route: usize) -> Option<&str> {
        self.deferred.get(route)?.as_deref()
    }

    /// The 99th percentile of the latency of the slowest endpoint. `None` if an endpoint with records has not responded yet.
    pub(super) fn latency(&self) -> Option<Duration> {
        let delivery = self.delivery.as_ref()?;
        let busy = (0..self.routes.len()).filter(|route| delivery.buffered(*route) > 0);
        let mut latencies = busy.map(|route| delivery.statistics(route).p99());
        latencies.try_fold(Duration::ZERO, |slowest, p99| {
            (!p99.is_zero()).then(|| slowest.max(p99))
        })
    }

    /// Offers the record to its route. `in_flight`: how many records of the route are in flight in its partition.
    /// `is_blocked`: nothing is offered at the moment.
    pub(super) fn place(
        &self,
        mut record: RoutedRecord,
        in_flight: usize,
        is_blocked: bool,
    ) -> Placement {
        let route = record.class;
        let Some(delivery) = &self.delivery else {
            return Placement::Deferred;
        };
        if delivery.is_deferred(route) {
            return Placement::Deferred;
        }
        // Also on a route that lags: the partition's share is free.
        if !is_blocked && delivery.has_room(route, in_flight, self.partitions) {
            match delivery.offer(route, record.message) {
                Ok(()) => return Placement::InFlight,
                Err(message) => record.message = message,
            }
        }
        if self.routes[route].is_lagging {
            Placement::RouteSkipped
        } else {
            Placement::Full(Box::new(record))
        }
    }

    /// Notes which of the routes with parked records keep others idle.
    pub(super) fn update_lag<'p>(
        &mut self,
        parked: impl Iterator<Item = &'p RoutedRecord>,
        now: Instant,
    ) {
        let mut is_full = vec![false; self.routes.len()];
        for record in parked.filter(|record| record.dead_letter.is_none()) {
            is_full[record.class] = true;
        }
        let idle = self.idle_routes();
        for (route, lag) in self.routes.iter_mut().enumerate() {
            let is_other_idle = idle.iter().flatten().any(|idle| *idle != route);
            lag.update(is_full[route] && is_other_idle, now);
        }
    }

    /// Two of the routes that could send and have nothing to send: enough to know of any route whether another is idle.
    fn idle_routes(&self) -> [Option<usize>; 2] {
        let Some(delivery) = &self.delivery else {
            return [None; 2];
        };
        let mut idle = (0..self.routes.len()).filter(|route| {
            self.routes[*route].may_need_room()
                && delivery.buffered(*route) == 0
                && delivery.state(*route) == RouteState::Open
        });
        [idle.next(), idle.next()]
    }

    /// The routes that lagged in the last scan are read again; the others have no more records.
    pub(super) fn begin_scan(&mut self) {
        for route in &mut self.routes {
            *route = route.next_scan();
        }
    }

    /// More partitions are assigned: every route may have records in them.
    pub(super) fn on_assigned(&mut self) {
        for route in &mut self.routes {
            route.may_have_records = true;
        }
    }

    /// A record of the route that was not delivered becomes a dead letter: it counts as uncommitted until its commit.
    pub(super) fn add_uncommitted(&self, route: usize) {
        if let Some(delivery) = &self.delivery {
            delivery.add_uncommitted(route);
        }
    }

    /// So many records of each route are committed: others may be sent in their place.
    pub(super) fn on_committed(&self, records: &[usize]) {
        if let Some(delivery) = &self.delivery {
            for (route, count) in records.iter().enumerate() {
                delivery.committed(route, *count);
            }
        }
    }

    /// Defers what is queued of a partition; requests in flight are not retried.
    pub(super) fn revoke(&self, partition: i32) {
        if let Some(delivery) = &self.delivery {
            delivery.revoke(partition);
        }
    }

    /// Ends the delivery within `timeout`, and notes which routes were deferred before.
    pub(super) fn stop(&mut self, timeout: Duration) {
        let Some(delivery) = &self.delivery else {
            return;
        };
        for (route, deferred) in self.deferred.iter_mut().enumerate() {
            if let RouteState::Deferred { reason } = delivery.state(route) {
                *deferred = Some(reason.to_string());
            }
        }
        delivery.stop(timeout);
    }

    /// The next completions, if there are any.
    pub(super) fn next_completions(&self) -> Option<Vec<Completion>> {
        self.completions.try_recv().ok()
    }

    /// Waits for the next completions up to `timeout`.
    pub(super) fn wait_for_completions(&self, timeout: Duration) -> Option<Vec<Completion>> {
        match self.completions.recv_timeout(timeout) {
            Ok(completions) => Some(completions),
            Err(RecvTimeoutError::Timeout) => None,
            // A dry run has no threads that send.
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(timeout);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_lags_when_it_has_kept_another_idle_for_the_whole_timeout() {
        let start = Instant::now();
        let mut lag = RouteLag::new(true);
        lag.update(true, start);
        lag.update(true, start + LAG_TIMEOUT);
        assert!(!lag.is_lagging);
        lag.update(false, start + LAG_TIMEOUT);
        let again = start + 2 * LAG_TIMEOUT;
        lag.update(true, again);
        assert!(!lag.is_lagging);
        lag.update(true, again + LAG_TIMEOUT + Duration::from_millis(1));
        assert!(lag.is_lagging);
    }

    #[test]
    fn a_route_without_more_records_does_not_make_others_lag_in_the_next_scan() {
        let start = Instant::now();
        let (mut slow, fast) = (RouteLag::new(true), RouteLag::new(true));
        slow.update(true, start);
        slow.update(true, start + 2 * LAG_TIMEOUT);
        assert!(!slow.may_need_room() && fast.may_need_room());
        assert!(slow.next_scan().may_need_room());
        assert!(!fast.next_scan().may_need_room());
    }
}
