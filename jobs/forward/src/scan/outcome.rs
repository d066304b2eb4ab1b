//! What became of the records that were handed on.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::dead_letter::{Cause, DeadLetter};
use crate::scan::Scan;
use crate::scan::intake::Handed;
use delivery::completion::{Completion, DeliveryOutcome};
use offsets::counters::PartitionCounters;

impl Scan<'_> {
    /// Takes every outcome that is there.
    pub(super) fn take_outcomes(&mut self) {
        while let Ok(completions) = self.tools.settled.try_recv() {
            self.take_settlements(completions);
        }
        while let Ok(written) = self.tools.written.try_recv() {
            self.take_written(written);
        }
        self.write_what_waits();
    }

    /// Waits for outcomes of deliveries, and takes every outcome that is there.
    pub(super) fn wait_for_outcomes(&mut self, patience: Duration) {
        match self.tools.settled.recv_timeout(patience) {
            Ok(completions) => self.take_settlements(completions),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(patience),
        }
        self.take_outcomes();
    }

    fn take_settlements(&mut self, completions: Vec<Completion>) {
        for completion in completions {
            self.take_settlement(completion);
        }
    }

    fn take_settlement(&mut self, completion: Completion) {
        let Completion {
            route,
            message,
            outcome,
        } = completion;
        let (partition, offset) = (message.at.partition, message.at.offset);
        match outcome {
            DeliveryOutcome::Delivered(receipt) => {
                self.keeping.exposure.add(route);
                let (at, attempts) = (&message.at, receipt.attempts());
                tracing::debug!(partition, offset, route, attempts, "delivered {at}");
                if let Some(counters) = self.complete(partition, route, offset) {
                    counters.delivered += 1;
                    self.routes[route].delivered += 1;
                }
            }
            DeliveryOutcome::Deferred { reason } => {
                tracing::debug!(
                    partition,
                    offset,
                    route,
                    reason,
                    "left {} for the next run",
                    message.at
                );
                self.defer(partition, route, offset);
            }
            DeliveryOutcome::Rejected { status, reason } => {
                let status = status.map_or_else(String::new, |status| format!("{status}: "));
                let name = self.tools.routes.names().nth(route).map(str::to_owned);
                let letter = DeadLetter {
                    message,
                    class: route,
                    cause: Cause::Refused,
                    reason: format!("{status}{reason}"),
                    route: name,
                };
                if !matches!(self.set_aside(letter), Handed::Expected) {
                    self.keeping.exposure.add(route);
                    self.defer(partition, route, offset);
                }
            }
        }
    }

    /// The counts of the partition, in which the caller enters how the record was settled; `None` if nobody expected
    /// it.
    pub(super) fn complete(
        &mut self,
        partition: i32,
        class: usize,
        offset: i64,
    ) -> Option<&mut PartitionCounters> {
        let part = self.parts.get_mut(&partition)?;
        if !part.progress.complete(class, offset) {
            tracing::error!(
                partition,
                offset,
                class,
                "a record was settled that nobody expected"
            );
            return None;
        }
        part.counters.open -= 1;
        if let Some(route) = self.routes.get_mut(class) {
            route.open -= 1;
        }
        Some(&mut part.counters)
    }

    pub(super) fn defer(&mut self, partition: i32, class: usize, offset: i64) {
        if let Some(part) = self.parts.get_mut(&partition)
            && !part.progress.defer(class, offset)
        {
            tracing::error!(
                partition,
                offset,
                class,
                "a record was left that nobody expected"
            );
        }
    }
}
