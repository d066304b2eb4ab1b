//! The two calls of librdkafka that its Rust binding does not wrap: a file descriptor that wakes us when delivery
//! reports wait, and whether a failed message may be stored all the same.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rdkafka::message::BorrowedMessage;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};
use rdkafka_sys as sys;
use tokio::net::unix::pipe::{self, Receiver};

/// Writes one byte whenever the first report joins an empty queue (`rd_kafka_queue_io_event_enable`).
///
/// Events that were queued before the registration are not announced: drain the queue before the first wait.
///
/// Dropped before the producer that it belongs to.
pub(super) struct Bell {
    queue: *mut sys::rd_kafka_queue_t,
    // Held for its descriptor, which librdkafka writes to.
    _line: OwnedFd,
}

// SAFETY: a queue handle is reference-counted and locked inside librdkafka; every call on it is thread-safe.
unsafe impl Send for Bell {}
// SAFETY: as above.
unsafe impl Sync for Bell {}

impl Bell {
    /// Hangs the bell at the producer's queue; the returned end becomes readable when it rings. To be called within
    /// the runtime.
    ///
    /// # Errors
    /// No descriptors left.
    pub(super) fn hang<C: ProducerContext>(
        producer: &BaseProducer<C>,
    ) -> io::Result<(Self, Receiver)> {
        let (line, ear) = pipe::pipe()?;
        let line = line.into_nonblocking_fd()?;
        // SAFETY: the producer's handle is alive; the queue keeps a reference of its own until it is destroyed. The
        // payload is copied, and the descriptor lives as long as `_line`.
        let queue = unsafe {
            let queue = sys::rd_kafka_queue_get_main(producer.client().native_ptr());
            sys::rd_kafka_queue_io_event_enable(queue, line.as_raw_fd(), c"!".as_ptr().cast(), 1);
            queue
        };
        Ok((Self { queue, _line: line }, ear))
    }

    /// True while reports wait in the queue.
    pub(super) fn rings(&self) -> bool {
        // SAFETY: the queue lives until `self` is dropped.
        unsafe { sys::rd_kafka_queue_length(self.queue) > 0 }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        // SAFETY: our own reference, given back once; the descriptor is forgotten first, then closed.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.queue, -1, std::ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.queue);
        }
    }
}

/// True if the message of this delivery report certainly is not stored: it was never handed to the network, or the
/// broker refused it.
pub(super) fn is_not_stored(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the pointer is valid while the report is borrowed; the call only reads the message's status.
    let status = unsafe { sys::rd_kafka_message_status(message.ptr()) };
    status == sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}
