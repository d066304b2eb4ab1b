//! What ended a run, and what the next run repeats.

use kafka::reader::Reader;
use offsets::window::Window;

use super::{BROKER_TIMEOUT, ReportBuilder};
use crate::error::RunError;
use crate::pipeline::{StopReason, WindowOutcome};
use crate::plan::PlanError;
use crate::single_run::JoinError;

impl ReportBuilder {
    /// Adds the facts about the end of the pipeline.
    pub(super) fn add_end(&mut self, window: &Window, outcome: &WindowOutcome) {
        self.notes.extend(outcome.notes.iter().cloned());
        let kept: u64 = self.dead_letters.causes.values().sum();
        if outcome.is_replay_of_letters && kept > 0 {
            self.notes.push(format!(
                "{kept} dead letters were rejected again: they stay in the topic as they are, and the next replay of the \
                 same selection sends them again"
            ));
        }
        let failed = outcome.failed_dead_letters;
        if failed > 0 {
            self.facts.source_failed = true;
            self.notes.push(match outcome.is_replay_of_letters {
                // A replay writes no dead letters.
                true => format!(
                    "{failed} records were not acknowledged by the source topic; they stay for the next replay of the same \
                     selection"
                ),
                false => format!(
                    "{failed} dead letters were not acknowledged; their records stay for the next run"
                ),
            });
        }
        let failed = outcome.failed_answers;
        if failed > 0 {
            self.facts.source_failed = true;
            self.notes.push(format!(
                "{failed} answers were not acknowledged; their records stay for the next run, which sends them again with \
                 the same idempotency keys"
            ));
        }
        let failed = outcome.failed_tasks;
        if failed > 0 {
            self.facts.internal = true;
            self.notes.push(format!(
                "{failed} tasks failed in every attempt; their records stay for the next run, which repeats requests with the \
                 same idempotency keys"
            ));
        }
        let bound = match (outcome.is_bounded, window.capped) {
            (true, _) => Some("WINDOW_MAX_BYTES"),
            (false, true) => Some("WINDOW_MAX_RECORDS"),
            (false, false) => None,
        };
        if let Some(bound) = bound {
            self.facts.bounded = true;
            self.notes.push(format!(
                "{bound} ended the window before the end of the log"
            ));
        }
        let Some(reason) = &outcome.stop_reason else {
            return;
        };
        let message = match reason {
            StopReason::Deadline => "DEADLINE ended the run before its window".to_owned(),
            StopReason::Signal => "a signal ended the run before its window".to_owned(),
            StopReason::ConcurrentRun(what) => {
                self.facts.concurrent_run = true;
                format!("another run has taken over: {what}")
            }
            StopReason::DeadLetterThreshold(what) | StopReason::Unmatched(what) => {
                self.facts.dead_letter_threshold = true;
                what.clone()
            }
            StopReason::Source(what) => {
                self.facts.source_failed = true;
                what.clone()
            }
            StopReason::DataLoss(what) => {
                self.facts.data_loss = true;
                what.clone()
            }
        };
        tracing::warn!(run = self.identity.run, "{message}");
        self.notes.push(message);
    }

    /// Notes completed records beyond the commits that the next run sends again, because the broker drops the metadata of
    /// commits, or because the metadata has no room for them.
    pub(super) fn check_metadata(
        &mut self,
        reader: &Reader,
        outcome: &WindowOutcome,
        assigned: &[i32],
    ) {
        if !outcome.partitions.iter().any(|one| one.has_gaps) {
            return;
        }
        let Ok(committed) = reader.committed(assigned, BROKER_TIMEOUT) else {
            return;
        };
        let is_dropped = committed.iter().any(|(partition, offset, metadata)| {
            let mut partitions = outcome.partitions.iter();
            let one = partitions.find(|one| one.counters.range.partition == *partition);
            offset.is_some()
                && metadata.is_empty()
                && one.is_some_and(|one| one.has_gaps && one.committed == *offset)
        });
        if is_dropped {
            let message = "this broker keeps no metadata beside commits: the next run sends everything beyond the commit \
                           again, with the same idempotency keys";
            tracing::warn!(run = self.identity.run, "{message}");
            self.notes.push(message.to_owned());
            return;
        }
        for (partition, class, offset) in &outcome.not_encoded {
            let records = match self.routes.get(*class) {
                Some(route) => format!("records of route {}", route.route),
                None => "dead letters".to_owned(),
            };
            self.notes.push(format!(
                "partition {partition} has more gaps than a commit's metadata has room for: from offset {offset} on the \
                 next run sends some {records} again, with the same idempotency keys"
            ));
        }
    }

    /// Attributes the end of the run to an error from before the pipeline.
    pub(crate) fn attribute(&mut self, error: &RunError) {
        match error {
            RunError::Source(_)
            | RunError::Answers(_)
            | RunError::Join(JoinError::Broker { .. }) => {
                self.facts.source_failed = true;
            }
            RunError::Join(_) => self.facts.concurrent_run = true,
            RunError::Plan(PlanError::DataLoss(_)) => self.facts.data_loss = true,
            RunError::Plan(PlanError::Setting(_)) => self.facts.setting = true,
            RunError::Plan(PlanError::Mismatch(mismatch)) => {
                self.facts.plan_mismatch = Some(mismatch.outcome());
            }
            RunError::Cancelled => self.facts.bounded = true,
            RunError::Delivery(_)
            | RunError::Workers(_)
            | RunError::OtherRoutes
            | RunError::Thread(_) => self.facts.internal = true,
        }
        self.notes.push(error.to_string());
    }
}
