//! The steps for rebalances and for time: assigned and revoked partitions, timers, and the phases of the end.

use std::sync::mpsc::Sender;
use std::time::Instant;

use kafka::member::GroupEvent;

use super::Pipeline;
use super::config::Latencies;
use super::partition::Ownership;
use super::partitions;
use super::shutdown::{Phase, StopReason};

impl Pipeline<'_> {
    pub(super) fn on_group(&mut self, event: GroupEvent) {
        match event {
            GroupEvent::Assigned(partitions) => self.on_assigned(&partitions),
            GroupEvent::Revoking(partitions, release) => self.on_revoking(partitions, release),
            GroupEvent::Lost(partitions) => {
                self.revoke(&partitions);
                let reason = format!("the group took partitions {partitions:?} away");
                self.shutdown.request(StopReason::ConcurrentRun(reason));
            }
            GroupEvent::Failed(error) => {
                self.shutdown
                    .request(StopReason::ConcurrentRun(error.to_string()));
            }
        }
    }

    /// Reads partitions that the group assigns while the run goes on. A partition that was revoked before stays revoked:
    /// its counts are complete.
    fn on_assigned(&mut self, partitions: &[i32]) {
        let is_new = |partition: &i32| self.partitions.get(*partition).is_none();
        let new: Vec<i32> = partitions.iter().copied().filter(is_new).collect();
        if new.is_empty() {
            return;
        }
        let (routes, scope) = (self.partitions.routes().len(), self.commits.scope());
        let states = self.rebalance.assigned(&new, routes, scope);
        let assigned = states.and_then(|states| {
            let starts = partitions::starts(states.iter().map(|(id, state)| (*id, state)));
            self.source.assign_more(&starts)?;
            Ok(states)
        });
        match assigned {
            Ok(states) => {
                self.partitions.extend(states);
                self.deliveries.on_assigned();
                tracing::info!(partitions = ?new, "assigned more partitions");
            }
            Err(error) => self.notes.push(format!(
                "partitions {new:?} are deferred to the next run: {error}"
            )),
        }
    }

    /// Stops reading these partitions. The group waits until they are drained.
    fn on_revoking(&mut self, partitions: Vec<i32>, release: Sender<()>) {
        tracing::info!(?partitions, "draining partitions for another run");
        for partition in &partitions {
            if let Some(state) = self.partitions.get_mut(*partition)
                && state.ownership == Ownership::Assigned
            {
                state.ownership = Ownership::Draining;
                self.stop_reading(*partition);
            }
        }
        self.rebalance
            .begin_drain(partitions, release, Instant::now());
    }

    /// These partitions are no longer assigned to this run.
    fn revoke(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let Some(state) = self.partitions.get_mut(*partition) else {
                continue;
            };
            match std::mem::replace(&mut state.ownership, Ownership::Revoked) {
                Ownership::Assigned => self.stop_reading(*partition),
                Ownership::Draining | Ownership::Revoked => {}
            }
        }
    }

    fn stop_reading(&mut self, partition: i32) {
        self.parked
            .retain(|record| record.message.at.partition != partition);
        self.source.unassign(partition);
        self.deliveries.revoke(partition);
    }

    /// Checks everything that depends on time.
    pub(super) fn on_tick(&mut self, now: Instant) {
        let (deliveries, commits) = (&self.deliveries, &self.commits);
        self.shutdown.check(now, || Latencies {
            request: deliveries.latency(),
            commit: commits.latency(),
        });
        self.check_silence(now);
        if self.schema_requests.is_unknown_outdated(now) {
            self.router.schemas_mut().forget_unknown();
        }
        self.relieve_starved_partitions(now);
        self.send_waiting_records();
        if let Some(failure) = self.writes.take_failure() {
            self.shutdown.request(StopReason::Source(failure));
        }
        if !self.parked.is_empty() {
            self.deliveries
                .update_lag(self.parked.iter().map(AsRef::as_ref), now);
            self.place_parked();
        }
        if self.commits.is_due(now) {
            self.request_commit(now);
        }
        self.release_drained(now);
        self.advance_phase(now);
        self.notes.extend(self.writes.take_notes());
    }

    /// A partition starves if it has nothing in flight and is not fetched, because the others fill the memory.
    fn relieve_starved_partitions(&mut self, now: Instant) {
        let source = &self.source;
        let is_starved = !source.has_room()
            && self.partitions.iter().any(|(id, state)| {
                !state.is_read() && !source.is_paused(id) && state.progress.pending() == 0
            });
        self.source.relieve(is_starved, now);
    }

    fn check_silence(&mut self, now: Instant) {
        let timeout = self.shutdown.silence_timeout();
        if self.source.is_silent(now, timeout) {
            self.shutdown.request(StopReason::Source(format!(
                "the log was silent for {timeout:?} although the window is not read to its end"
            )));
        }
        if self.commits.is_stalled(now, timeout) {
            self.shutdown.request(StopReason::Source(format!(
                "the broker has acknowledged no commit for {timeout:?}"
            )));
        }
    }

    /// Sends the records that wait for the producer. Where one cannot be sent, its origin is deferred.
    fn send_waiting_records(&mut self) {
        if !self.writes.is_full() {
            return;
        }
        let partitions = &self.partitions;
        let is_assigned = |id| partitions.get(id).is_some_and(|state| !state.is_revoked());
        for origin in self.writes.send_waiting(is_assigned) {
            self.commits.on_answered(origin.class);
            self.partitions
                .defer(origin.partition, origin.class, origin.offset);
        }
    }

    /// Gives drained partitions back to the group.
    fn release_drained(&mut self, now: Instant) {
        if !self.rebalance.is_draining() {
            return;
        }
        let (partitions, commits) = (&self.partitions, &self.commits);
        let is_fenced = self.shutdown.is_fenced();
        let drained = self.rebalance.advance(
            now,
            |ids| partitions.in_flight_of(ids),
            |ids| is_fenced || commits.are_committed(partitions, |id| ids.contains(&id)),
        );
        for drain in drained {
            self.revoke(&drain.partitions);
        }
    }

    fn request_commit(&mut self, now: Instant) {
        let released = self.commits.request(&mut self.partitions, now);
        self.release(&released);
    }

    /// Read, drain, commit, finished: goes on when a phase is done.
    fn advance_phase(&mut self, now: Instant) {
        if self.shutdown.phase == Phase::Read {
            let is_stopped = self.shutdown.reason().is_some();
            let is_done =
                is_stopped || (self.partitions.is_scan_complete() && !self.begin_next_scan());
            if !is_done || self.rebalance.is_draining() {
                return;
            }
            let timeout = self.shutdown.drain_timeout(now);
            self.deliveries.stop(timeout);
            self.shutdown.drain(now, timeout);
        }
        if let Phase::Drain(end) = self.shutdown.phase {
            if self.partitions.in_flight() > 0 && now < end {
                return;
            }
            self.writes.flush(self.shutdown.drain_timeout(now));
            self.shutdown.commit(Instant::now());
            self.request_commit(now);
        }
        if let Phase::Commit(end) = self.shutdown.phase {
            let is_answered = !self.commits.is_in_flight() && !self.rebalance.is_draining();
            let is_committed =
                self.shutdown.is_fenced() || self.commits.are_committed(&self.partitions, |_| true);
            if is_answered && is_committed {
                self.finish();
            } else if now >= end {
                self.notes.push(
                    "the last commit was not acknowledged in time; what it covers may be sent again"
                        .to_owned(),
                );
                self.finish();
            }
        }
    }

    /// Begins another scan if this one has skipped a route. False if it has not.
    fn begin_next_scan(&mut self) -> bool {
        let starts = self.partitions.begin_scan();
        for (partition, offset) in &starts {
            if let Err(error) = self.source.seek(*partition, *offset) {
                self.shutdown.request(StopReason::Source(error.to_string()));
            }
        }
        self.deliveries.begin_scan();
        !starts.is_empty()
    }

    fn finish(&mut self) {
        self.partitions.finish();
        self.writes.log_suppressed();
        self.shutdown.phase = Phase::Finished;
    }
}
