//! The bounded way from the thread that scans to the thread that delivers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use record::Message;

/// One route's inbox. Its bounds count everything that is in hand: here, in the queue, and in flight.
#[derive(Debug)]
pub(super) struct Inbox {
    state: Mutex<State>,
    wake: Notify,
    most_messages: usize,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    mail: Mail,
    /// In hand.
    messages: usize,
    bytes: usize,
    /// With this many messages the route is woken; it says so before it sleeps.
    wake_at: usize,
    closed: bool,
}

/// What has arrived since the last look.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// In the order in which they were offered.
    pub(super) messages: Vec<Message>,
    /// Partitions that were taken away, each with the number of messages that had been offered before.
    pub(super) recalls: Vec<(usize, i32)>,
    /// No message shall wait for company.
    pub(super) flush: bool,
}

impl Inbox {
    pub(super) fn new(most_messages: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::new(State {
                wake_at: 1,
                ..State::default()
            }),
            wake: Notify::new(),
            most_messages,
            most_bytes,
        }
    }

    /// Takes a message in, unless there is no room for it or the inbox is closed. A message too large for any inbox
    /// is taken when there is nothing else.
    pub(super) fn offer(&self, message: Message) -> Result<(), Message> {
        let weight = weight(&message);
        let mut state = self.state();
        let full = state.messages >= self.most_messages || state.bytes + weight > self.most_bytes;
        if state.closed || (full && state.messages > 0) {
            return Err(message);
        }
        state.messages += 1;
        state.bytes += weight;
        state.mail.messages.push(message);
        if state.mail.messages.len() >= state.wake_at {
            state.wake_at = usize::MAX;
            drop(state);
            self.wake.notify_one();
        }
        Ok(())
    }

    pub(super) fn recall(&self, partition: i32) {
        let mut state = self.state();
        let before = state.mail.messages.len();
        state.mail.recalls.push((before, partition));
        drop(state);
        self.wake.notify_one();
    }

    pub(super) fn flush(&self) {
        self.state().mail.flush = true;
        self.wake.notify_one();
    }

    /// Nothing is taken in any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    /// Moves everything into `mail`, which is empty but for its capacity.
    pub(super) fn collect(&self, mail: &mut Mail) {
        let mut state = self.state();
        // Long vectors change hands, so that neither side allocates at full speed.
        std::mem::swap(&mut state.mail, mail);
        state.wake_at = usize::MAX;
    }

    /// Asks to be woken when that many messages have arrived; at once if they have.
    pub(super) fn wake_at(&self, count: usize) {
        let mut state = self.state();
        if state.mail.messages.len() >= count {
            drop(state);
            self.wake.notify_one();
        } else {
            state.wake_at = count;
        }
    }

    /// Wakes the route.
    pub(super) fn nudge(&self) {
        self.wake.notify_one();
    }

    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Makes room, after these messages were handed back.
    pub(super) fn release(&self, messages: usize, bytes: usize) {
        let mut state = self.state();
        state.messages -= messages;
        state.bytes -= bytes;
    }

    pub(super) fn buffered(&self) -> usize {
        self.state().messages
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message costs in memory, in bytes.
pub(super) fn weight(message: &Message) -> usize {
    let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
    let headers: usize = message
        .headers
        .iter()
        .map(|(name, value)| 64 + name.len() + length(value))
        .sum();
    size_of::<Message>() + length(&message.value) + length(&message.key) + headers
}
