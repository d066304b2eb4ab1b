//! The limits of a route: members of the routes file that replace settings of the same name. Pure.

use std::time::Duration;

use delivery::{Limits, Order};
use serde::Deserialize;

/// The default of `max_uncommitted` per request in flight: at full speed, the number of requests completed during one
/// commit.
const UNCOMMITTED_FOR_EACH: usize = 16;

/// The most requests in flight to one endpoint.
pub const MAX_IN_FLIGHT: usize = 10_000;

/// The limits that a route has of its own. A limit that is absent is that of the settings.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RouteLimits {
    rate_limit: Option<f64>,
    max_in_flight: Option<usize>,
    max_uncommitted: Option<usize>,
    request_timeout: Option<Period>,
    max_attempts: Option<u32>,
    backoff_initial: Option<Period>,
    backoff_max: Option<Period>,
    circuit_failure_threshold: Option<u32>,
    circuit_cool_down: Option<Period>,
    circuit_max_probes: Option<u32>,
}

/// A duration as settings write it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "String")]
struct Period(Duration);

impl TryFrom<String> for Period {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let duration = settings::duration(&text);
        duration
            .map(Self)
            .ok_or("expected a duration such as 500ms, 30s, 5m or 1h")
    }
}

/// The order of a route's deliveries.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum OrderText {
    None,
    Key,
    Partition,
}

impl From<OrderText> for Order {
    fn from(text: OrderText) -> Self {
        match text {
            OrderText::None => Self::None,
            OrderText::Key => Self::Key,
            OrderText::Partition => Self::Partition,
        }
    }
}

impl RouteLimits {
    /// Checks each limit.
    ///
    /// # Errors
    /// Which limit is out of its range.
    pub(super) fn validate(&self) -> Result<(), String> {
        let is_zero = |period: Option<Period>| period.is_some_and(|period| period.0.is_zero());
        let is_in_range = |rate: &f64| *rate > 0.0 && rate.is_finite();
        let (name, expected) = if self.rate_limit.is_some_and(|rate| !is_in_range(&rate)) {
            ("rate_limit", "a number above 0")
        } else if self
            .max_in_flight
            .is_some_and(|count| !(1..=MAX_IN_FLIGHT).contains(&count))
        {
            ("max_in_flight", "a whole number from 1 to 10000")
        } else if self.max_uncommitted == Some(0) {
            ("max_uncommitted", "a whole number from 1")
        } else if self.max_attempts == Some(0) {
            ("max_attempts", "a whole number from 1")
        } else if self.circuit_failure_threshold == Some(0) {
            ("circuit_failure_threshold", "a whole number from 1")
        } else if self.circuit_max_probes == Some(0) {
            ("circuit_max_probes", "a whole number from 1")
        } else if is_zero(self.request_timeout) {
            ("request_timeout", "a duration above zero")
        } else if is_zero(self.circuit_cool_down) {
            ("circuit_cool_down", "a duration above zero")
        } else {
            return Ok(());
        };
        Err(format!(
            "its limit {name} is out of range: expected {expected}"
        ))
    }

    /// The limits of the route: its own, and those of the settings. Without `max_uncommitted` in either, it follows from
    /// the route's `max_in_flight`.
    pub fn over(&self, settings: &Limits) -> Limits {
        let period = |own: Option<Period>, setting| own.map_or(setting, |own| own.0);
        let max_in_flight = self.max_in_flight.unwrap_or(settings.max_in_flight);
        let max_uncommitted = self.max_uncommitted.or(settings.max_uncommitted);
        Limits {
            rate_limit: self.rate_limit.or(settings.rate_limit),
            max_in_flight,
            max_uncommitted: max_uncommitted
                .or_else(|| max_in_flight.checked_mul(UNCOMMITTED_FOR_EACH)),
            request_timeout: period(self.request_timeout, settings.request_timeout),
            max_attempts: self.max_attempts.unwrap_or(settings.max_attempts),
            backoff_initial: period(self.backoff_initial, settings.backoff_initial),
            backoff_max: period(self.backoff_max, settings.backoff_max),
            circuit_failure_threshold: self
                .circuit_failure_threshold
                .unwrap_or(settings.circuit_failure_threshold),
            circuit_cool_down: period(self.circuit_cool_down, settings.circuit_cool_down),
            circuit_max_probes: self
                .circuit_max_probes
                .unwrap_or(settings.circuit_max_probes),
            ..*settings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_the_route_replaces_the_setting() {
        let settings = Limits {
            rate_limit: Some(10.0),
            max_attempts: 7,
            ..Limits::default()
        };
        let own = RouteLimits {
            max_in_flight: Some(2),
            request_timeout: Some(Period(Duration::from_secs(60))),
            ..RouteLimits::default()
        };
        let expected = Limits {
            max_in_flight: 2,
            request_timeout: Duration::from_secs(60),
            max_uncommitted: Some(32),
            ..settings
        };
        assert_eq!(own.over(&settings), expected);
    }

    #[test]
    fn max_uncommitted_of_the_settings_applies_to_each_route() {
        let settings = Limits {
            max_uncommitted: Some(5),
            ..Limits::default()
        };
        let own = |max_uncommitted| RouteLimits {
            max_in_flight: Some(2),
            max_uncommitted,
            ..RouteLimits::default()
        };
        assert_eq!(own(None).over(&settings).max_uncommitted, Some(5));
        assert_eq!(own(Some(9)).over(&settings).max_uncommitted, Some(9));
    }
}
