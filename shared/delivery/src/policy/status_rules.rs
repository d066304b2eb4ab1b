//! A route's own meaning of status codes, in place of the table in [`status`](super::status).

use std::ops::RangeInclusive;

use super::status::{self, StatusClass};

/// A route's rules for status codes. A status without a rule has the class of [`status::classify`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusRules {
    rules: Vec<(RangeInclusive<u16>, StatusRule)>,
    /// Those of requests for tombstones, if they differ.
    tombstones: Option<Box<StatusRules>>,
}

/// What a rule makes of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusRule {
    /// The endpoint has the record, for example 409 of an endpoint that knows the record already.
    Success,
    /// The record is sent again.
    Retry,
    /// The endpoint never accepts the record: it becomes a dead letter.
    Drop,
}

impl StatusRule {
    /// Whether a rule may name this status. None may name 1xx, which is no final response, and 3xx: a redirect often
    /// leads to a login page, and dead letters or successes would hide that. A success is never a reason to drop a
    /// record, and an error of the server no success.
    pub fn allows(self, status: u16) -> bool {
        matches!(
            (self, status),
            (Self::Success | Self::Retry, 200..=299)
                | (_, 400..=499)
                | (Self::Retry | Self::Drop, 500..=599)
        )
    }

    fn class(self) -> StatusClass {
        match self {
            Self::Success => StatusClass::Accepted,
            Self::Retry => StatusClass::Retryable,
            Self::Drop => StatusClass::RecordRejected,
        }
    }
}

impl StatusRules {
    /// Adds a rule for these statuses. False, and no change: the rule may not name one of them, another rule names one of
    /// them, or there are none.
    #[must_use]
    pub fn add(&mut self, statuses: RangeInclusive<u16>, rule: StatusRule) -> bool {
        let is_free = |status| rule.allows(status) && self.rule(status).is_none();
        let is_valid = !statuses.is_empty() && statuses.clone().all(is_free);
        if is_valid {
            self.rules.push((statuses, rule));
        }
        is_valid
    }

    /// Sets other rules for requests of tombstones, for example that 404 is a success: the endpoint has deleted the record
    /// already.
    pub fn set_for_tombstones(&mut self, rules: Self) {
        self.tombstones = Some(Box::new(rules));
    }

    /// The rules for requests of tombstones, or of other records.
    pub(crate) fn of(&self, is_tombstone: bool) -> &Self {
        match &self.tombstones {
            Some(rules) if is_tombstone => rules,
            _ => self,
        }
    }

    /// The class of a status.
    pub fn classify(&self, status: u16) -> StatusClass {
        self.rule(status)
            .map_or_else(|| status::classify(status), StatusRule::class)
    }

    /// Whether a response with this status means that the endpoint has the record.
    pub(crate) fn is_accepted(&self, status: u16) -> bool {
        self.classify(status) == StatusClass::Accepted
    }

    /// Whether the circuit breaker counts this status as a failure of the endpoint.
    pub(crate) fn is_endpoint_failure(&self, status: u16) -> bool {
        status::is_failure(status, self.classify(status))
    }

    fn rule(&self, status: u16) -> Option<StatusRule> {
        let mut rules = self.rules.iter();
        rules
            .find(|(statuses, _)| statuses.contains(&status))
            .map(|(_, rule)| *rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(rules: &[(RangeInclusive<u16>, StatusRule)]) -> StatusRules {
        let mut all = StatusRules::default();
        for (statuses, rule) in rules {
            assert!(all.add(statuses.clone(), *rule), "{statuses:?}");
        }
        all
    }

    #[test]
    fn without_rules_the_table_decides() {
        for status in 0..=999 {
            let class = StatusRules::default().classify(status);
            assert_eq!(class, status::classify(status));
        }
    }

    #[test]
    fn a_rule_replaces_the_class_of_its_statuses_only() {
        let rules = rules(&[
            (409..=409, StatusRule::Success),
            (400..=404, StatusRule::Retry),
            (500..=599, StatusRule::Drop),
        ]);
        for (status, class) in [
            (409, StatusClass::Accepted),
            (404, StatusClass::Retryable),
            (405, StatusClass::Deferred),
            (503, StatusClass::RecordRejected),
            (200, StatusClass::Accepted),
            (302, StatusClass::Deferred),
        ] {
            assert_eq!(rules.classify(status), class, "{status}");
        }
        for (status, is_failure) in [(409, false), (503, false), (404, true), (405, true)] {
            assert_eq!(rules.is_endpoint_failure(status), is_failure, "{status}");
        }
    }

    #[test]
    fn tombstones_can_have_other_rules() {
        let mut all = rules(&[(409..=409, StatusRule::Success)]);
        assert!(all.of(true).is_accepted(409));
        all.set_for_tombstones(rules(&[(404..=404, StatusRule::Success)]));
        assert!(all.of(true).is_accepted(404) && !all.of(true).is_accepted(409));
        assert!(all.of(false).is_accepted(409) && !all.of(false).is_accepted(404));
    }

    #[test]
    fn redirects_and_contradictions_are_not_possible() {
        use StatusRule::{Drop, Retry, Success};
        for (rule, statuses) in [
            (Success, 100..=199),
            (Success, 302..=302),
            (Success, 500..=500),
            (Retry, 300..=300),
            (Retry, 200..=600),
            (Drop, 200..=200),
            (Drop, 399..=400),
            (Drop, 0..=0),
            #[allow(clippy::reversed_empty_ranges)]
            (Retry, 504..=500),
        ] {
            assert!(
                !StatusRules::default().add(statuses.clone(), rule),
                "{statuses:?}"
            );
        }
        let mut rules = rules(&[(400..=409, Retry)]);
        assert!(!rules.add(409..=420, Drop));
        assert!(!rules.add(405..=405, Retry));
        assert_eq!(rules.classify(420), status::classify(420));
    }
}
