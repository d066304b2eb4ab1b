//! What follows from the outcome of a request.

use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, warn};

use super::event_loop::{REVOKED, Worker};
use super::in_flight::FinishedRequest;
use crate::answer::{HeldAnswer, RecordAnswer};
use crate::completion::{DeliveryOutcome, Receipt};
use crate::outcome::{ConnectionError, EndpointResponse, FailureReport, RequestOutcome};
use crate::policy::partial::PartialFailures;
use crate::policy::retry::{Attempt, Disposition, RetryAction, describe};
use crate::policy::status::is_route_pause;
use crate::policy::{CircuitChange, Permit, Reachability};
use crate::queue::Batch;
use crate::recorder::RequestResult;
use crate::time::after;

/// The most groups with a deferred record before the whole route is deferred: each occupies memory until the run ends.
const MAX_DEFERRED_GROUPS: usize = 100_000;

impl Worker {
    /// Handles the outcome of a request.
    pub(super) fn on_response(&mut self, finished: FinishedRequest, now: Instant) {
        let Some((batch, permit, mut outcome)) = self.in_flight.finish(finished) else {
            return;
        };
        self.count(&outcome);
        self.update_limits(&batch, permit, &outcome, now);
        let attempt = Attempt {
            records: batch.messages.len(),
            failures: batch.failures,
            now,
            deadline: self.deadline,
            is_route_deferred: self.deferred.is_some(),
            is_tombstone: batch.is_tombstone(),
        };
        let partial = self.partial_failures(&batch, &outcome);
        let action = self.policy.decide(&outcome, partial, &attempt);
        let answer = self.take_answer(&mut outcome);
        self.apply(batch, &outcome, answer.as_ref(), action);
        if self.queue.deferred_groups() > MAX_DEFERRED_GROUPS {
            self.defer_route("too many keys or partitions have a deferred record");
        }
    }

    /// Carries out the retry decision.
    fn apply(
        &mut self,
        mut batch: Batch,
        outcome: &RequestOutcome,
        answer: Option<&Arc<HeldAnswer>>,
        action: RetryAction,
    ) {
        let requests = batch.requests;
        let answer_of_record =
            || answer.map(|answer| RecordAnswer::new(Arc::clone(answer), requests));
        match action {
            RetryAction::Successful => {
                self.queue.complete(batch.group, batch.partition());
                let is_tombstone = batch.is_tombstone();
                for message in batch.messages {
                    let outcome = self.delivered(outcome, requests, is_tombstone);
                    self.completions.push(message, outcome, answer_of_record());
                }
            }
            RetryAction::Retry { at, is_requested } => {
                batch.failures += 1;
                if let Err(batch) = self.queue.retry(batch, at, is_requested) {
                    self.defer(batch, REVOKED, answer);
                }
            }
            RetryAction::RetryPartial { failed, rest } => {
                let mut failed = failed.into_iter().peekable();
                let mut failed_messages = Vec::new();
                for (position, message) in batch.messages.drain(..).enumerate() {
                    if failed.next_if_eq(&position).is_some() {
                        failed_messages.push(message);
                    } else {
                        let outcome = self.delivered(outcome, requests, false);
                        self.completions.push(message, outcome, answer_of_record());
                    }
                }
                batch.messages = failed_messages;
                self.apply(batch, outcome, answer, *rest);
            }
            RetryAction::Split => {
                let records = batch.messages.len();
                debug!(route = self.name, records, "splitting a request");
                // Each half has two attempts: the one without the bad record is accepted before the last of the other.
                batch.failures = batch.failures.saturating_sub(1);
                if let Err(batch) = self.queue.split(batch) {
                    self.defer(batch, REVOKED, answer);
                }
            }
            RetryAction::DontRetry(Disposition::Rejected { status, reason }) => {
                self.queue.complete(batch.group, batch.partition());
                for message in batch.messages {
                    let outcome = DeliveryOutcome::Rejected {
                        status: Some(status),
                        reason: reason.clone(),
                    };
                    self.completions.push(message, outcome, answer_of_record());
                }
            }
            RetryAction::DontRetry(Disposition::Deferred { reason }) => {
                self.defer(batch, &reason, answer);
            }
            RetryAction::DontRetry(Disposition::RouteGone { reason }) => {
                self.defer(batch, &reason, answer);
                self.defer_route(&reason);
            }
        }
    }

    /// Updates the circuit breaker, and the pause that the endpoint requests.
    fn update_limits(
        &mut self,
        batch: &Batch,
        permit: Permit,
        outcome: &RequestOutcome,
        now: Instant,
    ) {
        let response = match outcome {
            RequestOutcome::Answered(response) => Some(response),
            RequestOutcome::TimedOut | RequestOutcome::Failed(_) => None,
        };
        // An endpoint that refuses an expired token works.
        let is_success = |response: &EndpointResponse| {
            let statuses = self.policy.statuses().of(batch.is_tombstone());
            response.has_new_credentials || !statuses.is_endpoint_failure(response.status.as_u16())
        };
        if let Some(response) = response.filter(|response| is_success(response)) {
            let sent = now.checked_sub(response.latency).unwrap_or(now);
            self.policy.limiter.record_success(permit, sent, now);
            return;
        }
        self.log_failure(batch, outcome, now);
        let change = self
            .policy
            .limiter
            .record_failure(permit, reachability(outcome), now);
        if let Some(EndpointResponse {
            status,
            retry_after: Some(delay),
            ..
        }) = response
            && is_route_pause(status.as_u16())
        {
            let until = after(now, (*delay).min(self.policy.max_delay()));
            let requested = after(now, *delay);
            // With 429 the credentials have sent too much, with 503 the path may be unavailable.
            let is_shared = status.as_u16() == 429;
            self.policy.limiter.pause_until(until, requested, is_shared);
        }
        *self.shared.not_before() = self.policy.limiter.not_before();
        match change {
            CircuitChange::None => {}
            CircuitChange::Opened(cool_down) => {
                let endpoint = self.client.url();
                let cool_down_ms = cool_down.as_millis() as u64;
                warn!(route = self.name, %endpoint, cool_down_ms, "circuit breaker opened: requests wait");
            }
            CircuitChange::Disabled => {
                let reason = format!("the endpoint keeps failing: {}", describe(outcome));
                self.defer_route(&reason);
            }
        }
    }

    fn partial_failures(&self, batch: &Batch, outcome: &RequestOutcome) -> PartialFailures {
        let RequestOutcome::Answered(response) = outcome else {
            return PartialFailures::None;
        };
        match &response.report {
            FailureReport::None => PartialFailures::None,
            FailureReport::Truncated => PartialFailures::Unidentified,
            FailureReport::Complete(body) => {
                let keys = self.requests.record_keys(&batch.messages);
                PartialFailures::parse(body, &keys)
            }
        }
    }

    /// The response, if the route keeps it. From now on it counts as kept.
    fn take_answer(&self, outcome: &mut RequestOutcome) -> Option<Arc<HeldAnswer>> {
        let RequestOutcome::Answered(response) = outcome else {
            return None;
        };
        let answer = response.answer.take()?;
        Some(Arc::new(HeldAnswer::new(*answer, &self.shared)))
    }

    fn count(&self, outcome: &RequestOutcome) {
        let result = match outcome {
            RequestOutcome::Answered(response) => RequestResult::Response {
                status: response.status.as_u16(),
                latency: response.latency,
            },
            RequestOutcome::TimedOut => RequestResult::Timeout,
            RequestOutcome::Failed(_) => RequestResult::ConnectionError,
        };
        self.recorder
            .record(result, self.client.stale_connections());
    }

    fn log_failure(&mut self, batch: &Batch, outcome: &RequestOutcome, now: Instant) {
        let Some(first) = batch.messages.first() else {
            return;
        };
        let Some(not_logged) = self.warnings.admit((), now) else {
            return;
        };
        warn!(
            route = self.name,
            endpoint = %self.client.url(),
            topic = %first.at.topic,
            partition = first.at.partition,
            offset = first.at.offset,
            records = batch.messages.len(),
            attempt = batch.failures + 1,
            error = describe(outcome),
            not_logged,
            "request failed"
        );
    }

    /// Delivered, if the outcome is a response that means success.
    fn delivered(
        &self,
        outcome: &RequestOutcome,
        requests: u32,
        is_tombstone: bool,
    ) -> DeliveryOutcome {
        let statuses = self.policy.statuses().of(is_tombstone);
        match Receipt::from_outcome(outcome, requests, statuses) {
            Some(receipt) => DeliveryOutcome::Delivered(receipt),
            None => DeliveryOutcome::Deferred {
                reason: describe(outcome),
                attempts: requests,
            },
        }
    }
}

/// What an outcome says about the connections to the endpoint.
fn reachability(outcome: &RequestOutcome) -> Reachability {
    match outcome {
        RequestOutcome::Answered(_) => Reachability::Responds,
        RequestOutcome::TimedOut => Reachability::Unknown,
        RequestOutcome::Failed(ConnectionError::Connect(_) | ConnectionError::ProxyRejected(_)) => {
            Reachability::Unreachable
        }
        RequestOutcome::Failed(_) => Reachability::Unknown,
    }
}
