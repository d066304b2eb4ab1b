//! The messages that one call publishes, and the wait for their delivery reports.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::status::{PublishError, PublishStatus};

/// Collects the status of each message of a call, by its index.
pub struct PublishBatch {
    state: Mutex<BatchState>,
    completed: Notify,
}

struct BatchState {
    statuses: Vec<Option<PublishStatus>>,
    /// The indexes of messages that were in the client's queue when they timed out or were purged.
    purged: Vec<usize>,
    /// The number of messages without a status.
    pending: usize,
}

impl PublishBatch {
    /// A batch of `size` messages without a status.
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(BatchState {
                statuses: vec![None; size],
                purged: Vec::new(),
                pending: size,
            }),
            completed: Notify::new(),
        })
    }

    /// Sets the status of a message. The first status is final.
    pub(crate) fn complete(&self, index: usize, status: PublishStatus) {
        let mut state = self.lock();
        if let Some(slot @ None) = state.statuses.get_mut(index) {
            *slot = Some(status);
            state.pending -= 1;
            if state.pending == 0 {
                self.completed.notify_one();
            }
        }
    }

    /// Completes a message that timed out or was purged while it was in the client's queue.
    pub(crate) fn complete_purged(&self, index: usize) {
        self.lock().purged.push(index);
        self.complete(
            index,
            PublishStatus::NotStored(PublishError::NotAcknowledged),
        );
    }

    /// Waits until every message has a status.
    pub async fn completed(&self) {
        while self.lock().pending > 0 {
            self.completed.notified().await;
        }
    }

    /// The status of each message. A message without a delivery report is possibly stored.
    ///
    /// A message that was purged from the queue is possibly stored too if the client `has_connected`: it may have been
    /// sent before. A leader that is replaced while it waits for its replicas returns NOT_LEADER whether or not they
    /// have the message, and the client queues the message again.
    pub fn statuses(&self, has_connected: impl FnOnce() -> bool) -> Vec<PublishStatus> {
        const UNKNOWN: PublishStatus = PublishStatus::PossiblyStored(PublishError::NotAcknowledged);
        let state = self.lock();
        let mut statuses: Vec<PublishStatus> = state
            .statuses
            .iter()
            .map(|status| status.unwrap_or(UNKNOWN))
            .collect();
        if !state.purged.is_empty() && has_connected() {
            for index in &state.purged {
                if let Some(status @ PublishStatus::NotStored(_)) = statuses.get_mut(*index) {
                    *status = UNKNOWN;
                }
            }
        }
        statuses
    }

    fn lock(&self) -> MutexGuard<'_, BatchState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::status::Receipt;

    #[tokio::test]
    async fn completes_with_the_last_message_and_keeps_the_first_status() {
        let batch = PublishBatch::new(2);
        let stored = PublishStatus::Stored(Receipt {
            partition: 0,
            offset: 1,
            timestamp: None,
        });
        batch.complete(1, stored);
        batch.complete(1, PublishStatus::NotStored(PublishError::TooLarge));
        batch.complete(7, stored);
        assert_eq!(
            batch.statuses(|| true),
            [
                PublishStatus::PossiblyStored(PublishError::NotAcknowledged),
                stored
            ]
        );
        let waiting = Arc::clone(&batch);
        let waiter = tokio::spawn(async move { waiting.completed().await });
        batch.complete(0, stored);
        waiter.await.unwrap();
        assert_eq!(batch.statuses(|| true), [stored, stored]);
    }

    #[test]
    fn a_purged_message_is_not_stored_only_if_the_client_never_connected() {
        let batch = PublishBatch::new(2);
        batch.complete_purged(0);
        let rejected = PublishStatus::NotStored(PublishError::Rejected);
        batch.complete(1, rejected);
        let not_stored = PublishStatus::NotStored(PublishError::NotAcknowledged);
        assert_eq!(batch.statuses(|| false), [not_stored, rejected]);
        let possibly_stored = PublishStatus::PossiblyStored(PublishError::NotAcknowledged);
        assert_eq!(batch.statuses(|| true), [possibly_stored, rejected]);
    }
}
