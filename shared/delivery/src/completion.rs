//! The outcome of a message.

use record::Message;

use crate::answer::RecordAnswer;
use crate::outcome::RequestOutcome;
use crate::policy::StatusRules;

/// Proof that the endpoint has a record. Only delivery creates it, and only from a response with a status that means
/// success: 2xx, or what the route's [`StatusRules`] say.
#[derive(Debug)]
pub struct Receipt {
    status: u16,
    attempts: u32,
}

impl Receipt {
    /// `None`: the outcome is not a response with a status that means success.
    pub(crate) fn from_outcome(
        outcome: &RequestOutcome,
        attempts: u32,
        statuses: &StatusRules,
    ) -> Option<Self> {
        let RequestOutcome::Answered(response) = outcome else {
            return None;
        };
        let status = response.status.as_u16();
        let is_accepted = statuses.is_accepted(status);
        is_accepted.then_some(Self { status, attempts })
    }

    /// The status: 2xx, or one that the route's [`StatusRules`] name.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The number of requests sent with the record.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

/// What happened to a record in this run.
#[derive(Debug)]
pub enum DeliveryOutcome {
    /// The endpoint has the record.
    Delivered(Receipt),
    /// The endpoint rejects the record for good: it belongs in the dead-letter topic.
    Rejected {
        /// The status of the last response, if there was one.
        status: Option<u16>,
        /// The reason, with the beginning of the response body: about 1 KiB at most.
        reason: String,
    },
    /// The record was not delivered in this run, and the cause is not the record: the next run sends it.
    Deferred {
        /// The reason.
        reason: String,
        /// The number of requests that were sent with the record in this run. None of them was successful.
        attempts: u32,
    },
}

/// A message and its outcome.
#[derive(Debug)]
pub struct Completion {
    /// The index of the route in [`DeliveryConfig::endpoints`](crate::DeliveryConfig::endpoints).
    pub route: usize,
    /// The message, as it was offered.
    pub message: Message,
    /// What happened to it.
    pub outcome: DeliveryOutcome,
    /// The answer that the outcome follows from, if the route keeps it
    /// ([`EndpointConfig::answers`](crate::EndpointConfig::answers)). Drop it soon: a route that has kept about
    /// [`AnswerConfig::max_body`](crate::AnswerConfig::max_body) bytes for each possible request sends no further one.
    pub answer: Option<RecordAnswer>,
}
