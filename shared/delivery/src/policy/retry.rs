//! The retry decision: from the outcome of a request, the attempts so far and the limits to a [`RetryAction`].

use std::time::Instant;

use runtime::retry::Backoff;

use super::partial::PartialFailures;
use super::status::{StatusClass, advice};
use super::status_rules::StatusRules;
use crate::outcome::{ConnectionError, EndpointResponse, RequestOutcome};
use crate::time::after;

/// What happens to the records of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetryAction {
    /// The endpoint has all records.
    Successful,
    /// The records are sent again in the same request.
    Retry {
        /// When.
        at: Instant,
        /// The endpoint requested this time (`Retry-After`).
        is_requested: bool,
    },
    /// The endpoint has all records except those at the positions `failed`. `rest` applies to these: `Retry` or
    /// `DontRetry`.
    RetryPartial {
        failed: Vec<usize>,
        rest: Box<RetryAction>,
    },
    /// The endpoint rejected a request of several records, or did not accept it in any attempt. Each half is sent, to find
    /// the records that are the cause.
    Split,
    /// The records are not sent again in this run.
    DontRetry(Disposition),
}

/// Where records go that are not sent again in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// To the dead-letter topic: the endpoint rejects the record itself.
    Rejected { status: u16, reason: String },
    /// To the next run.
    Deferred { reason: String },
    /// To the next run, with all other records of the route: the endpoint accepts no more requests in this run.
    RouteGone { reason: String },
}

/// The limits on retries.
#[derive(Clone, Debug)]
pub(crate) struct RetryPolicy {
    /// The meaning of status codes.
    pub(crate) statuses: StatusRules,
    /// The most attempts for one record.
    pub(crate) max_attempts: u32,
    /// The delay between attempts. Its maximum applies to `Retry-After` too.
    pub(crate) backoff: Backoff,
}

/// The request that the decision is about, and the state of its route.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// Records in the request.
    pub(crate) records: usize,
    /// Failed attempts before this one.
    pub(crate) failures: u32,
    /// The time of the outcome.
    pub(crate) now: Instant,
    /// No attempt starts at this time or later.
    pub(crate) deadline: Option<Instant>,
    /// The route sends no more requests in this run.
    pub(crate) is_route_deferred: bool,
    /// The record is a tombstone.
    pub(crate) is_tombstone: bool,
}

impl RetryPolicy {
    /// Decides what happens to the records of a request. `partial` is what a success response reports about them.
    pub(crate) fn decide(
        &self,
        outcome: &RequestOutcome,
        partial: PartialFailures,
        attempt: &Attempt,
        rng: &mut fastrand::Rng,
    ) -> RetryAction {
        let response = match outcome {
            RequestOutcome::Answered(response) => response,
            RequestOutcome::Failed(ConnectionError::ProxyRejected(_)) => {
                return deferred(describe(outcome));
            }
            RequestOutcome::TimedOut | RequestOutcome::Failed(_) => {
                return self.retry_or_split(describe(outcome), None, attempt, rng);
            }
        };
        let status = response.status.as_u16();
        if response.has_new_credentials {
            return self.retry(describe(outcome), None, attempt, rng);
        }
        let statuses = self.statuses.of(attempt.is_tombstone);
        match (statuses.classify(status), partial) {
            // Such a status is about one record ("exists already"). For a batch it leaves open which.
            (StatusClass::Accepted, _) if attempt.records > 1 && !response.status.is_success() => {
                match attempt.is_route_deferred {
                    true => deferred("the route was deferred before the batch was split"),
                    false => RetryAction::Split,
                }
            }
            (StatusClass::Accepted, PartialFailures::None) => RetryAction::Successful,
            (StatusClass::Accepted, PartialFailures::Positions(failed)) => {
                let reason = "the endpoint reported the record as failed".to_owned();
                let rest = Box::new(self.retry(reason, None, attempt, rng));
                RetryAction::RetryPartial { failed, rest }
            }
            (StatusClass::Accepted, PartialFailures::Unidentified) => {
                let reason = "the response does not identify the failed records".to_owned();
                self.retry(reason, None, attempt, rng)
            }
            (StatusClass::RecordRejected, _) if attempt.records == 1 => {
                RetryAction::DontRetry(Disposition::Rejected {
                    status,
                    reason: describe(outcome),
                })
            }
            (StatusClass::RecordRejected, _) if attempt.is_route_deferred => {
                deferred("the route was deferred before the rejected batch was split")
            }
            (StatusClass::RecordRejected, _) => RetryAction::Split,
            (StatusClass::Retryable, _) => {
                self.retry_or_split(describe(outcome), Some(response), attempt, rng)
            }
            (StatusClass::Deferred, _) => deferred(describe(outcome)),
            (StatusClass::RouteGone, _) => RetryAction::DontRetry(Disposition::RouteGone {
                reason: describe(outcome),
            }),
        }
    }

    /// Another attempt, or, after the last one of a batch, its halves: one record may be the cause of all failures.
    fn retry_or_split(
        &self,
        reason: String,
        response: Option<&EndpointResponse>,
        attempt: &Attempt,
        rng: &mut fastrand::Rng,
    ) -> RetryAction {
        let is_last = attempt.failures.saturating_add(1) >= self.max_attempts;
        if is_last && attempt.records > 1 && !attempt.is_route_deferred {
            return RetryAction::Split;
        }
        self.retry(reason, response, attempt, rng)
    }

    /// Another attempt, if the limits allow one. `response`: its `Retry-After` replaces the backoff.
    fn retry(
        &self,
        reason: String,
        response: Option<&EndpointResponse>,
        attempt: &Attempt,
        rng: &mut fastrand::Rng,
    ) -> RetryAction {
        let failures = attempt.failures.saturating_add(1);
        if failures >= self.max_attempts {
            return match failures {
                1 => deferred(reason),
                _ => deferred(format!("{reason} after {failures} attempts")),
            };
        }
        if attempt.is_route_deferred {
            return deferred(reason);
        }
        let requested = response.and_then(|response| response.retry_after);
        let delay = match requested {
            Some(requested) => requested.min(self.backoff.max),
            None => self.backoff.full_jitter(failures, rng.f64()),
        };
        let at = after(attempt.now, delay);
        if attempt.deadline.is_some_and(|deadline| at >= deadline) {
            return deferred(format!(
                "{reason}; the next attempt would be after the run's deadline"
            ));
        }
        RetryAction::Retry {
            at,
            is_requested: requested.is_some(),
        }
    }
}

fn deferred(reason: impl Into<String>) -> RetryAction {
    RetryAction::DontRetry(Disposition::Deferred {
        reason: reason.into(),
    })
}

/// The outcome as text: status, advice and the beginning of the response body, about 1 KiB at most.
pub(crate) fn describe(outcome: &RequestOutcome) -> String {
    match outcome {
        RequestOutcome::Answered(response) => {
            let status = response.status.as_u16();
            let mut text = status.to_string();
            for part in [advice(status), &response.text] {
                if !part.is_empty() && part != text {
                    text += ": ";
                    text += part;
                }
            }
            text
        }
        RequestOutcome::TimedOut => "timeout".to_owned(),
        RequestOutcome::Failed(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FailureReport;
    use crate::policy::StatusRule;
    use http::StatusCode;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy() -> RetryPolicy {
        RetryPolicy {
            statuses: StatusRules::default(),
            max_attempts: 3,
            backoff: Backoff {
                initial: Duration::from_millis(200),
                max: Duration::from_secs(30),
            },
        }
    }

    fn answered(status: u16, retry_after: Option<Duration>) -> RequestOutcome {
        RequestOutcome::Answered(EndpointResponse {
            status: StatusCode::from_u16(status).expect("a status"),
            has_new_credentials: false,
            retry_after,
            text: String::new(),
            report: FailureReport::None,
            answer: None,
            latency: Duration::ZERO,
        })
    }

    fn first(now: Instant) -> Attempt {
        Attempt {
            records: 1,
            failures: 0,
            now,
            deadline: None,
            is_route_deferred: false,
            is_tombstone: false,
        }
    }

    fn decide(outcome: &RequestOutcome, attempt: &Attempt) -> RetryAction {
        let mut rng = fastrand::Rng::with_seed(1);
        policy().decide(outcome, PartialFailures::None, attempt, &mut rng)
    }

    #[test]
    fn a_refusal_of_credentials_is_retried_if_there_are_new_ones() {
        let now = Instant::now();
        let mut outcome = answered(401, None);
        let action = decide(&outcome, &first(now));
        assert!(matches!(action, RetryAction::DontRetry(_)), "{action:?}");
        if let RequestOutcome::Answered(response) = &mut outcome {
            response.has_new_credentials = true;
        }
        let action = decide(&outcome, &first(now));
        assert!(matches!(action, RetryAction::Retry { .. }), "{action:?}");
        let last = Attempt {
            failures: 2,
            ..first(now)
        };
        let action = decide(&outcome, &last);
        assert!(matches!(action, RetryAction::DontRetry(_)), "{action:?}");
    }

    #[test]
    fn a_retryable_outcome_is_retried_until_the_last_attempt() {
        let now = Instant::now();
        for outcome in [
            answered(503, None),
            RequestOutcome::TimedOut,
            RequestOutcome::Failed(ConnectionError::Closed),
        ] {
            for (failures, is_retried) in [(0, true), (1, true), (2, false), (u32::MAX, false)] {
                let attempt = Attempt {
                    failures,
                    ..first(now)
                };
                let action = decide(&outcome, &attempt);
                assert_eq!(matches!(action, RetryAction::Retry { .. }), is_retried);
            }
        }
        let last = Attempt {
            failures: 2,
            ..first(now)
        };
        let expected = deferred("timeout after 3 attempts");
        assert_eq!(decide(&RequestOutcome::TimedOut, &last), expected);
    }

    #[test]
    fn retry_after_replaces_the_backoff_up_to_its_maximum() {
        let now = Instant::now();
        for (requested, delay) in [(2 * SECOND, 2 * SECOND), (90 * SECOND, 30 * SECOND)] {
            let expected = RetryAction::Retry {
                at: now + delay,
                is_requested: true,
            };
            assert_eq!(
                decide(&answered(503, Some(requested)), &first(now)),
                expected
            );
        }
    }

    #[test]
    fn no_attempt_is_planned_at_or_after_the_deadline() {
        let now = Instant::now();
        let outcome = answered(503, Some(SECOND));
        for (deadline, is_retried) in [(now + SECOND, false), (now + 2 * SECOND, true)] {
            let attempt = Attempt {
                deadline: Some(deadline),
                ..first(now)
            };
            let action = decide(&outcome, &attempt);
            assert_eq!(matches!(action, RetryAction::Retry { .. }), is_retried);
        }
    }

    #[test]
    fn a_deferred_route_retries_and_splits_nothing() {
        let attempt = Attempt {
            records: 2,
            is_route_deferred: true,
            ..first(Instant::now())
        };
        for status in [503, 422] {
            assert!(matches!(
                decide(&answered(status, None), &attempt),
                RetryAction::DontRetry(Disposition::Deferred { .. })
            ));
        }
    }

    #[test]
    fn a_rejected_batch_is_split_and_a_rejected_record_is_not_sent_again() {
        let batch = Attempt {
            records: 2,
            ..first(Instant::now())
        };
        assert_eq!(decide(&answered(422, None), &batch), RetryAction::Split);
        let record = Attempt {
            records: 1,
            ..batch
        };
        assert!(matches!(
            decide(&answered(422, None), &record),
            RetryAction::DontRetry(Disposition::Rejected { status: 422, .. })
        ));
    }

    #[test]
    fn a_success_of_another_class_counts_for_single_records_only() {
        let mut policy = policy();
        assert!(policy.statuses.add(409..=409, StatusRule::Success));
        let decide = |records| {
            let attempt = Attempt {
                records,
                ..first(Instant::now())
            };
            let mut rng = fastrand::Rng::with_seed(1);
            policy.decide(
                &answered(409, None),
                PartialFailures::None,
                &attempt,
                &mut rng,
            )
        };
        assert_eq!(decide(1), RetryAction::Successful);
        assert_eq!(decide(2), RetryAction::Split);
    }

    #[test]
    fn a_batch_is_split_after_its_last_attempt() {
        let last = Attempt {
            records: 2,
            failures: 2,
            ..first(Instant::now())
        };
        assert_eq!(decide(&answered(500, None), &last), RetryAction::Split);
        assert_eq!(decide(&RequestOutcome::TimedOut, &last), RetryAction::Split);
        let mut rng = fastrand::Rng::with_seed(1);
        let one = PartialFailures::Positions(vec![1]);
        let RetryAction::RetryPartial { rest, .. } =
            policy().decide(&answered(200, None), one, &last, &mut rng)
        else {
            panic!("not a partial failure");
        };
        assert!(matches!(
            *rest,
            RetryAction::DontRetry(Disposition::Deferred { .. })
        ));
    }

    #[test]
    fn a_response_that_repeats_the_status_is_described_once() {
        let RequestOutcome::Answered(response) = answered(422, None) else {
            panic!("no response");
        };
        let outcome = RequestOutcome::Answered(EndpointResponse {
            text: "422".to_owned(),
            ..response
        });
        assert_eq!(describe(&outcome), "422");
    }

    #[test]
    fn only_the_failed_records_of_a_batch_are_retried() {
        let now = Instant::now();
        let mut rng = fastrand::Rng::with_seed(1);
        let attempt = Attempt {
            records: 3,
            ..first(now)
        };
        let mut decide = |failures, attempt: &Attempt| {
            policy().decide(&answered(200, None), failures, attempt, &mut rng)
        };
        assert_eq!(
            decide(PartialFailures::None, &attempt),
            RetryAction::Successful
        );
        let action = decide(PartialFailures::Positions(vec![1]), &attempt);
        let RetryAction::RetryPartial { failed, rest } = action else {
            panic!("{action:?}");
        };
        assert_eq!(failed, [1]);
        assert!(matches!(*rest, RetryAction::Retry { .. }));
        let action = decide(PartialFailures::Unidentified, &attempt);
        assert!(matches!(action, RetryAction::Retry { .. }));
    }

    #[test]
    fn delays_spread_evenly_below_a_ceiling_that_doubles() {
        let mut rng = fastrand::Rng::with_seed(7);
        for failures in 1..=40 {
            let ceiling = (0.2 * 2_f64.powi(failures - 1)).min(30.0);
            let delays = delays(400, failures as u32, &mut rng);
            assert!(delays.iter().all(|delay| (0.0..=ceiling).contains(delay)));
            // Full jitter: every quarter of the range gets its share.
            for quarter in 0..4 {
                let range =
                    f64::from(quarter) * ceiling / 4.0..f64::from(quarter + 1) * ceiling / 4.0;
                let share = delays.iter().filter(|delay| range.contains(delay)).count();
                assert!((60..140).contains(&share), "{failures} {quarter} {share}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_delays() {
        let delays = |seed| delays(9, 1, &mut fastrand::Rng::with_seed(seed));
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
    }

    /// The delays after the attempt with this number, in seconds.
    fn delays(count: usize, number: u32, rng: &mut fastrand::Rng) -> Vec<f64> {
        let now = Instant::now();
        let policy = RetryPolicy {
            max_attempts: u32::MAX,
            ..policy()
        };
        let attempt = Attempt {
            failures: number - 1,
            ..first(now)
        };
        let mut delay = || {
            let outcome = RequestOutcome::TimedOut;
            match policy.decide(&outcome, PartialFailures::None, &attempt, rng) {
                RetryAction::Retry { at, .. } => (at - now).as_secs_f64(),
                action => panic!("{action:?}"),
            }
        };
        (0..count).map(|_| delay()).collect()
    }
}
