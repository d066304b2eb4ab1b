//! What became of messages, and how a call learns of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::Notify;

/// Where the broker stored a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::door) struct Receipt {
    /// Partition.
    pub(in crate::door) partition: i32,
    /// Offset.
    pub(in crate::door) offset: i64,
    /// Milliseconds since 1970; `None` where the broker tells none.
    pub(in crate::door) timestamp: Option<i64>,
}

/// Why a message was not acknowledged; in rising order of how little a repeated call would help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::door) enum Trouble {
    /// No acknowledgement in time, or the broker is away.
    Unacknowledged,
    /// The broker refused it for another reason that lasts.
    Refused,
    /// The topic does not exist.
    UnknownTopic,
    /// The broker takes no message of this size.
    TooLarge,
}

impl Trouble {
    /// What an error code of the client or the broker means for the caller.
    pub(super) fn of(code: RDKafkaErrorCode) -> Self {
        use RDKafkaErrorCode as Code;
        match code {
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::MessageBatchTooLarge => {
                Self::TooLarge
            }
            Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidTopic => Self::UnknownTopic,
            Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::PolicyViolation
            | Code::InvalidRecord
            | Code::InvalidRequiredAcks
            | Code::UnsupportedForMessageFormat => Self::Refused,
            _ => Self::Unacknowledged,
        }
    }
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::door) enum Fate {
    /// All in-sync replicas have it.
    Stored(Receipt),
    /// It certainly is not in the topic and never will be.
    NotStored(Trouble),
    /// It was on its way when we stopped waiting: it may be in the topic, or may yet get there.
    MayBeStored(Trouble),
}

impl Fate {
    /// Where it is stored, if it certainly is.
    pub(in crate::door) fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Stored(receipt) => Some(receipt),
            Self::NotStored(_) | Self::MayBeStored(_) => None,
        }
    }

    /// Why it is not certainly stored.
    pub(in crate::door) fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Stored(_) => None,
            Self::NotStored(trouble) | Self::MayBeStored(trouble) => Some(*trouble),
        }
    }
}

/// The messages of one call, each with its fate once it is known.
pub(super) struct Batch {
    state: Mutex<State>,
    done: Notify,
}

struct State {
    fates: Vec<Option<Fate>>,
    /// Places of messages that were in the client's queue when their time ran out.
    queued: Vec<usize>,
    open: usize,
}

impl Batch {
    pub(super) fn of(size: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                fates: vec![None; size],
                queued: Vec::new(),
                open: size,
            }),
            done: Notify::new(),
        })
    }

    /// Records a fate; the first word on a message is the last.
    pub(super) fn settle(&self, place: usize, fate: Fate) {
        let mut state = self.lock();
        if let Some(slot @ None) = state.fates.get_mut(place) {
            *slot = Some(fate);
            state.open -= 1;
            if state.open == 0 {
                self.done.notify_one();
            }
        }
    }

    /// The message's time ran out, or it was taken back, when it lay in the client's queue.
    pub(super) fn settle_queued(&self, place: usize) {
        self.lock().queued.push(place);
        self.settle(place, Fate::NotStored(Trouble::Unacknowledged));
    }

    /// Waits until every fate is known.
    pub(super) async fn settled(&self) {
        while self.lock().open > 0 {
            self.done.notified().await;
        }
    }

    /// The fates; a message without one is with the client, so nobody can know.
    ///
    /// Nobody knows of one that lay in the queue either, if the client has `met` a broker: it may have been sent before.
    /// A leader that is deposed while it waits for its replicas answers as if it had never led (NOT_LEADER), whether
    /// they have the message or not, and the client queues the message again.
    pub(super) fn fates(&self, met: impl FnOnce() -> bool) -> Vec<Fate> {
        const MAYBE: Fate = Fate::MayBeStored(Trouble::Unacknowledged);
        let state = self.lock();
        let mut fates: Vec<Fate> = state
            .fates
            .iter()
            .map(|fate| fate.unwrap_or(MAYBE))
            .collect();
        if !state.queued.is_empty() && met() {
            for place in &state.queued {
                if let Some(fate @ Fate::NotStored(_)) = fates.get_mut(*place) {
                    *fate = MAYBE;
                }
            }
        }
        fates
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_settled_when_its_last_fate_is_known_and_the_first_word_counts() {
        let batch = Batch::of(2);
        let stored = Fate::Stored(Receipt {
            partition: 0,
            offset: 1,
            timestamp: None,
        });
        batch.settle(1, stored);
        batch.settle(1, Fate::NotStored(Trouble::TooLarge));
        batch.settle(7, stored);
        assert_eq!(
            batch.fates(|| true),
            [Fate::MayBeStored(Trouble::Unacknowledged), stored]
        );
        let waiting = Arc::clone(&batch);
        let waiter = tokio::spawn(async move { waiting.settled().await });
        batch.settle(0, stored);
        waiter.await.unwrap();
        assert_eq!(batch.fates(|| true), [stored, stored]);
    }

    #[test]
    fn a_message_taken_back_from_the_queue_was_never_sent_only_if_there_was_nobody_to_send_it_to() {
        let batch = Batch::of(2);
        batch.settle_queued(0);
        let refused = Fate::NotStored(Trouble::Refused);
        batch.settle(1, refused);
        let never = Fate::NotStored(Trouble::Unacknowledged);
        assert_eq!(batch.fates(|| false), [never, refused]);
        let maybe = Fate::MayBeStored(Trouble::Unacknowledged);
        assert_eq!(batch.fates(|| true), [maybe, refused]);
    }

    #[test]
    fn the_trouble_that_a_repeat_helps_least_ranks_highest() {
        assert!(Trouble::TooLarge > Trouble::UnknownTopic);
        assert!(Trouble::Refused > Trouble::Unacknowledged);
        assert_eq!(
            Trouble::of(RDKafkaErrorCode::NotEnoughReplicas),
            Trouble::Unacknowledged
        );
    }
}
