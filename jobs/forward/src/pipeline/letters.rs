//! A window over a dead-letter topic: which of its records are delivered, and what becomes of those that are rejected again.

use record::Message;

use super::Pipeline;
use crate::dead_letter::{Cause, DeadLetter};

type Original<'r> = dyn Fn(Message) -> Option<Message> + 'r;

/// Takes the original records out of the records of a dead-letter topic.
pub struct LetterFilter<'r> {
    target: LetterTarget,
    original: Box<Original<'r>>,
}

/// Where the original records go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LetterTarget {
    /// To the endpoints of their routes.
    #[default]
    Routes,
    /// To a topic, undecoded. The pipeline has one route then, which counts them, and no delivery threads.
    Topic,
}

impl<'r> LetterFilter<'r> {
    /// `original`: the record to deliver for a record of the topic, at the same coordinates and with its idempotency key;
    /// `None`: it is skipped. The same record must have the same result.
    pub fn new(target: LetterTarget, original: impl Fn(Message) -> Option<Message> + 'r) -> Self {
        Self {
            target,
            original: Box::new(original),
        }
    }

    /// True if the records go to a topic.
    pub(crate) fn is_to_topic(&self) -> bool {
        self.target == LetterTarget::Topic
    }

    /// The original record; `None` if the record is skipped.
    pub(super) fn original(&self, message: Message) -> Option<Message> {
        (self.original)(message)
    }
}

impl Pipeline<'_> {
    /// True if the records go to a topic.
    pub(super) fn is_to_topic(&self) -> bool {
        self.letters.is_some_and(LetterFilter::is_to_topic)
    }

    /// A record of a dead-letter topic is rejected again: it is a dead letter already, and is not written again. It counts as
    /// dead-lettered, and the next run with the same selection delivers it again.
    pub(super) fn keep_letter(
        &mut self,
        class: usize,
        message: Message,
        cause: Cause,
        reason: String,
    ) {
        let (partition, offset) = (message.at.partition, message.at.offset);
        self.commits.on_answered(class);
        self.partitions.on_rejected_again(partition, class, offset);
        self.dead_letters.keep(&DeadLetter {
            message,
            class,
            cause,
            reason,
            route: self.router.name(class),
            answer: None,
        });
    }
}
