//! What became of a record that was handed to delivery.

use record::Message;

/// Proof that the endpoint took a record: only a 2xx answer makes one, and only `delivery` reads answers.
#[derive(Debug)]
pub struct Receipt {
    status: u16,
    attempts: u32,
}

impl Receipt {
    /// The endpoint has answered 2xx.
    pub(super) fn new(status: u16, attempts: u32) -> Self {
        debug_assert!((200..300).contains(&status));
        Self { status, attempts }
    }

    /// The status, 200 to 299.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// How many requests it took.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

/// The end of a record's way in this run.
#[derive(Debug)]
pub enum DeliveryOutcome {
    /// The endpoint has it.
    Delivered(Receipt),
    /// The endpoint refused it for good; it belongs in the dead-letter topic.
    Rejected {
        /// The final status, if it came to an answer.
        status: Option<u16>,
        /// What the endpoint said, at most 1 KiB.
        reason: String,
    },
    /// Not delivered in this run, for the endpoint's sake: the next run sends it.
    Deferred {
        /// Why.
        reason: String,
    },
}

/// One message and its outcome, from delivery back to the run.
#[derive(Debug)]
pub struct Completion {
    /// The route's place in the table of routes.
    pub route: usize,
    /// The message, as it was handed over.
    pub message: Message,
    /// What became of it.
    pub outcome: DeliveryOutcome,
}
