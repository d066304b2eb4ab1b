//! The bounded buffer between the thread that offers messages and the worker of a route.

use std::sync::{Mutex, MutexGuard, PoisonError};

use record::Message;
use tokio::sync::Notify;

use crate::memory::memory_bytes;

/// One route's inbox. Its bounds count every message that is not completed: here, in the queue, and in flight.
#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<InboxState>,
    notify: Notify,
    max_messages: usize,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct InboxState {
    arrivals: Arrivals,
    /// Messages that are not completed.
    messages: usize,
    /// Their size in memory.
    bytes: usize,
    /// The worker is notified when this many messages have arrived.
    notify_at: usize,
    is_closed: bool,
}

/// What has arrived since the last [`Inbox::collect`].
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    /// Messages in the order in which they were offered.
    pub(crate) messages: Vec<Message>,
    /// Revoked partitions, each with the number of `messages` that were offered before.
    pub(crate) revocations: Vec<(usize, i32)>,
    /// Partial batches are sent without waiting for the linger time.
    pub(crate) flush: bool,
}

impl Inbox {
    pub(crate) fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            state: Mutex::new(InboxState {
                notify_at: 1,
                ..InboxState::default()
            }),
            notify: Notify::new(),
            max_messages,
            max_bytes,
        }
    }

    pub(crate) fn max_messages(&self) -> usize {
        self.max_messages
    }

    /// Adds a message, unless the inbox is full or closed. A message that exceeds the bounds by itself is accepted if
    /// there is no other one.
    pub(crate) fn offer(&self, message: Message) -> Result<(), Message> {
        let size = memory_bytes(&message);
        let mut state = self.lock();
        let is_full = state.messages >= self.max_messages || state.bytes + size > self.max_bytes;
        if state.is_closed || (is_full && state.messages > 0) {
            return Err(message);
        }
        state.messages += 1;
        state.bytes += size;
        state.arrivals.messages.push(message);
        if state.arrivals.messages.len() >= state.notify_at {
            state.notify_at = usize::MAX;
            drop(state);
            self.notify.notify_one();
        }
        Ok(())
    }

    pub(crate) fn revoke(&self, partition: i32) {
        let mut state = self.lock();
        let before = state.arrivals.messages.len();
        state.arrivals.revocations.push((before, partition));
        drop(state);
        self.notify.notify_one();
    }

    pub(crate) fn flush(&self) {
        self.lock().arrivals.flush = true;
        self.notify.notify_one();
    }

    /// Accepts no more messages.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.notify.notify_one();
    }

    /// Moves everything into `arrivals`, which is empty. Both keep their allocated memory.
    pub(crate) fn collect(&self, arrivals: &mut Arrivals) {
        let mut state = self.lock();
        std::mem::swap(&mut state.arrivals, arrivals);
        state.notify_at = usize::MAX;
    }

    /// Notifies the worker when this many messages have arrived: immediately if they already have.
    pub(crate) fn notify_at(&self, count: usize) {
        let mut state = self.lock();
        if state.arrivals.messages.len() >= count {
            drop(state);
            self.notify.notify_one();
        } else {
            state.notify_at = count;
        }
    }

    /// Notifies the worker.
    pub(crate) fn notify(&self) {
        self.notify.notify_one();
    }

    /// Waits for a notification.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Makes room after messages were completed.
    pub(crate) fn release(&self, messages: usize, bytes: usize) {
        let mut state = self.lock();
        state.messages -= messages;
        state.bytes -= bytes;
    }

    /// The number of messages that are not completed.
    pub(crate) fn buffered(&self) -> usize {
        self.lock().messages
    }

    fn lock(&self) -> MutexGuard<'_, InboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
