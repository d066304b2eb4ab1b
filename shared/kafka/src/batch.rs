//! Reads a consumer's queue in batches, through librdkafka's C interface.
//!
//! `rd_kafka_consume_batch_queue` takes the queue's lock once for a batch; the safe wrapper takes it for each record. It
//! also returns the offset at which a partition ended, which the wrapper drops.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr;
use std::slice;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys::{
    RDKafkaErrorCode, rd_kafka_consume_batch_queue, rd_kafka_err2str, rd_kafka_header_get_all,
    rd_kafka_headers_t, rd_kafka_message_destroy, rd_kafka_message_headers, rd_kafka_message_t,
    rd_kafka_message_timestamp, rd_kafka_queue_destroy, rd_kafka_queue_get_consumer,
    rd_kafka_queue_t, rd_kafka_resp_err_t, rd_kafka_timestamp_type_t,
};

use crate::log;

/// The maximum number of items of one batch.
const BATCH: usize = 2000;

/// The queue of a consumer that assigned itself partitions, and the batch that was read from it last.
pub struct Queue<'c> {
    queue: *mut rd_kafka_queue_t,
    buffer: Vec<*mut rd_kafka_message_t>,
    /// The items of the buffer before this index have been returned.
    next: usize,
    consumer: PhantomData<&'c ()>,
}

/// An item of the queue. The items of one partition have the order of its log.
pub enum Item<'c> {
    /// A record.
    Record(Record<'c>),
    /// The end of the partition's log was read. The next record has this offset or a higher one.
    End {
        /// Partition.
        partition: i32,
        /// The reader's position.
        offset: i64,
    },
    /// The partition cannot be read.
    Failed {
        /// Partition.
        partition: i32,
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// librdkafka's text, redacted.
        reason: String,
    },
}

impl Item<'_> {
    /// The partition that the item is about.
    pub fn partition(&self) -> i32 {
        match self {
            Self::Record(record) => record.partition(),
            Self::End { partition, .. } | Self::Failed { partition, .. } => *partition,
        }
    }

    /// The bytes of the record's key and value.
    pub fn size(&self) -> usize {
        match self {
            Self::Record(record) => record.message.key_len + record.message.len,
            Self::End { .. } | Self::Failed { .. } => 0,
        }
    }
}

/// A record in the memory of the client, which is freed when this is dropped.
pub struct Record<'c> {
    message: Owned<'c>,
}

impl<'c> Queue<'c> {
    /// The queue of this consumer. `None` if the consumer has no group id and therefore no queue.
    pub fn of<C: ConsumerContext>(consumer: &'c BaseConsumer<C>) -> Option<Self> {
        // SAFETY: the borrow of the consumer keeps its handle alive for 'c; the queue is a new reference.
        let queue = unsafe { rd_kafka_queue_get_consumer(consumer.client().native_ptr()) };
        log::forward(consumer);
        (!queue.is_null()).then(|| Self {
            queue,
            buffer: Vec::with_capacity(BATCH),
            next: 0,
            consumer: PhantomData,
        })
    }

    /// Waits up to `timeout` for items and reads a batch of those that are there; [`Queue::next_item`] returns them.
    /// Does nothing while the last batch has items. Returns the number of items in the batch.
    pub fn fetch(&mut self, timeout: Duration) -> usize {
        if self.next < self.buffer.len() {
            return self.buffer.len() - self.next;
        }
        self.clear();
        // A batch call with a timeout waits until its batch is full. So read what is queued without a timeout; if that is
        // nothing, wait for one item.
        match self.fill(BATCH, Duration::ZERO) {
            0 if !timeout.is_zero() => self.fill(1, timeout),
            count => count,
        }
    }

    /// The next item of the batch; `None` if all have been returned.
    pub fn next_item(&mut self) -> Option<Item<'c>> {
        let message = *self.buffer.get(self.next)?;
        self.next += 1;
        Some(item(Owned {
            message,
            consumer: PhantomData,
        }))
    }

    fn fill(&mut self, size: usize, timeout: Duration) -> usize {
        let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the buffer is empty and has room for `size` pointers; the call writes as many as it returns.
        unsafe {
            let read =
                rd_kafka_consume_batch_queue(self.queue, timeout, self.buffer.as_mut_ptr(), size);
            let read = usize::try_from(read).unwrap_or(0);
            self.buffer.set_len(read);
            read
        }
    }

    fn clear(&mut self) {
        while self.next_item().is_some() {}
        self.buffer.clear();
        self.next = 0;
    }
}

impl Drop for Queue<'_> {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: this type owns the reference, and destroys it once, before the consumer, which 'c keeps alive.
        unsafe { rd_kafka_queue_destroy(self.queue) }
    }
}

/// A message of a batch call; it does not outlive the consumer.
struct Owned<'c> {
    message: *mut rd_kafka_message_t,
    consumer: PhantomData<&'c ()>,
}

impl Deref for Owned<'_> {
    type Target = rd_kafka_message_t;

    fn deref(&self) -> &rd_kafka_message_t {
        // SAFETY: the batch call returned this message, which is not null and lives until this is dropped.
        unsafe { &*self.message }
    }
}

impl Drop for Owned<'_> {
    fn drop(&mut self) {
        // SAFETY: returned by the batch call, destroyed once.
        unsafe { rd_kafka_message_destroy(self.message) }
    }
}

fn item(message: Owned<'_>) -> Item<'_> {
    match message.err {
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Item::Record(Record { message }),
        rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF => Item::End {
            partition: message.partition,
            offset: message.offset,
        },
        error => {
            // SAFETY: librdkafka's error descriptions are static.
            let description = unsafe { CStr::from_ptr(rd_kafka_err2str(error)) };
            // SAFETY: the payload of an error is its text.
            let text = unsafe { bytes(&message, message.payload, message.len) };
            let reason = text.map_or_else(
                || description.to_string_lossy().into_owned(),
                |text| log::redacted(&String::from_utf8_lossy(text)),
            );
            Item::Failed {
                partition: message.partition,
                code: error.into(),
                reason,
            }
        }
    }
}

/// The bytes at `start`, `None` for a null pointer.
///
/// # Safety
/// `start` is null, or the start of `length` bytes that belong to the message.
unsafe fn bytes(_: &rd_kafka_message_t, start: *const c_void, length: usize) -> Option<&[u8]> {
    // SAFETY: guaranteed by the caller. The bytes have the lifetime of the message.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), length) })
}

impl Record<'_> {
    /// Partition.
    pub fn partition(&self) -> i32 {
        self.message.partition
    }

    /// Offset.
    pub fn offset(&self) -> i64 {
        self.message.offset
    }

    /// The key, if there is one.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length of this message's key.
        unsafe { bytes(&self.message, self.message.key, self.message.key_len) }
    }

    /// The value; `None` is a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length of this message's value.
        unsafe { bytes(&self.message, self.message.payload, self.message.len) }
    }

    /// Milliseconds since 1970. `None` if the record has no timestamp.
    pub fn timestamp(&self) -> Option<i64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and `kind` is a local variable.
        let timestamp = unsafe { rd_kafka_message_timestamp(&*self.message, &mut kind) };
        (timestamp >= 0).then_some(timestamp)
    }

    /// The headers, in order.
    pub fn headers(&self) -> Vec<(String, Option<Bytes>)> {
        let mut found = Vec::new();
        self.each_header(|name, value| {
            // A name is UTF-8 (KIP-82), and the producer's API accepts nothing else: in a dead letter, invalid bytes are
            // replaced by U+FFFD.
            let name = name.to_string_lossy().into_owned();
            found.push((name, value.map(Bytes::copy_from_slice)));
        });
        found
    }

    /// Calls `each` with the name and the value of every header, in order. Copies nothing.
    pub fn each_header(&self, mut each: impl FnMut(&CStr, Option<&[u8]>)) {
        let mut headers: *mut rd_kafka_headers_t = ptr::null_mut();
        // SAFETY: the message is alive and owns the headers. A name is a C string, and a value has `size` bytes.
        unsafe {
            if rd_kafka_message_headers(&*self.message, &mut headers)
                != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                return;
            }
            let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) =
                (ptr::null(), ptr::null(), 0);
            for index in 0.. {
                if rd_kafka_header_get_all(headers, index, &mut name, &mut value, &mut size)
                    != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                {
                    return;
                }
                each(CStr::from_ptr(name), bytes(&self.message, value, size));
            }
        }
    }
}
