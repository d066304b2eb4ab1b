//! The policy of one route: its limits on requests and on retries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime::retry::Backoff;

use super::circuit::CircuitSettings;
use super::endpoint_group::EndpointGroup;
use super::limiter::Limiter;
use super::partial::PartialFailures;
use super::retry::{Attempt, RetryAction, RetryPolicy};
use super::status_rules::StatusRules;
use crate::config::EndpointConfig;
use crate::outcome::RequestOutcome;

/// When requests of a route are sent, and what follows from their outcomes.
#[derive(Debug)]
pub(crate) struct RoutePolicy {
    /// When requests are sent.
    pub(crate) limiter: Limiter,
    retry: RetryPolicy,
    max_pause: Duration,
    rng: fastrand::Rng,
}

impl RoutePolicy {
    /// `seed` is the seed of the backoff's jitter.
    pub(crate) fn new(
        endpoint: &EndpointConfig,
        group: Option<Arc<EndpointGroup>>,
        seed: u64,
        now: Instant,
    ) -> Self {
        let limits = &endpoint.limits;
        let circuit = CircuitSettings::from(limits);
        let doubled = 2_u32.saturating_pow(limits.circuit_max_probes);
        Self {
            max_pause: limits
                .backoff_max
                .max(limits.circuit_cool_down.saturating_mul(doubled)),
            limiter: Limiter::new(circuit, limits.rate_limit, group, now),
            retry: RetryPolicy {
                statuses: endpoint.statuses.clone(),
                max_attempts: limits.max_attempts,
                backoff: Backoff {
                    initial: limits.backoff_initial,
                    max: limits.backoff_max,
                },
            },
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Decides what happens to the records of a request: [`RetryPolicy::decide`].
    pub(crate) fn decide(
        &mut self,
        outcome: &RequestOutcome,
        partial: PartialFailures,
        attempt: &Attempt,
    ) -> RetryAction {
        self.retry.decide(outcome, partial, attempt, &mut self.rng)
    }

    /// The meaning of status codes.
    pub(crate) fn statuses(&self) -> &StatusRules {
        &self.retry.statuses
    }

    /// The longest pause of an earlier run that this run waits for: as long as it waits for a retry or for a probe.
    pub(crate) fn max_pause(&self) -> Duration {
        self.max_pause
    }

    /// The longest delay between attempts, which limits `Retry-After` too.
    pub(crate) fn max_delay(&self) -> Duration {
        self.retry.backoff.max
    }
}
