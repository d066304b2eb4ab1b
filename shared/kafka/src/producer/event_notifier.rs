//! Notifies the async runtime of a producer's events through a pipe, so that no thread has to poll the producer.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka_sys as sys;
use tokio::net::unix::pipe::{self, Receiver};

/// Writes a byte to a pipe when an event is added to an empty queue (`rd_kafka_queue_io_event_enable`).
///
/// Events that were queued before the registration cause no notification: drain the queue before the first wait.
///
/// Must be dropped before its producer.
pub(crate) struct EventNotifier {
    queue: *mut sys::rd_kafka_queue_t,
    /// Owns the descriptor that librdkafka writes to.
    _sender: OwnedFd,
}

// SAFETY: a queue handle is reference-counted and locked within librdkafka; every call on it is thread-safe.
unsafe impl Send for EventNotifier {}
// SAFETY: as for `Send`.
unsafe impl Sync for EventNotifier {}

impl EventNotifier {
    /// Registers a pipe at the producer's main queue, and returns the end that becomes readable. Call this within the
    /// tokio runtime.
    ///
    /// # Errors
    /// No pipe can be created.
    pub(crate) fn register<C: ProducerContext>(
        producer: &BaseProducer<C>,
    ) -> io::Result<(Self, Receiver)> {
        let (sender, receiver) = pipe::pipe()?;
        let sender = sender.into_nonblocking_fd()?;
        // SAFETY: the producer's handle is alive, and the queue is a new reference. The payload is copied, and the
        // descriptor lives as long as `_sender`.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_get_main(producer.client().native_ptr());
            sys::rd_kafka_queue_io_event_enable(queue, sender.as_raw_fd(), c"!".as_ptr().cast(), 1);
            queue
        };
        let notifier = Self {
            queue,
            _sender: sender,
        };
        Ok((notifier, receiver))
    }

    /// True while events are queued.
    pub(crate) fn has_events(&self) -> bool {
        // SAFETY: the queue lives until `self` is dropped.
        unsafe { sys::rd_kafka_queue_length(self.queue) > 0 }
    }
}

impl Drop for EventNotifier {
    fn drop(&mut self) {
        // SAFETY: this type owns the reference, and releases it once. The registration ends before the pipe is closed.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.queue, -1, std::ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.queue);
        }
    }
}
