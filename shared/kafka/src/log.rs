//! Sends a client's own log lines where ours go, also where we read its queue ourselves.
//!
//! The safe wrapper takes log lines out of the queue that it polls. Nobody polls it when records are taken in batches:
//! then librdkafka answers for its lines itself, and would write them to standard error, between ours.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys::{rd_kafka_set_logger, rd_kafka_t};

/// Lines up to this level say that the client itself is broken (syslog's "critical").
const CRITICAL: c_int = 2;

/// From now on every line that librdkafka answers for is one of ours.
pub(super) fn take_over<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    // SAFETY: the handle is alive, as the borrow of the consumer shows; the callback is valid for ever.
    unsafe { rd_kafka_set_logger(consumer.client().native_ptr(), Some(hear)) }
}

unsafe extern "C" fn hear(
    _: *const rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if facility.is_null() || line.is_null() {
        return;
    }
    // SAFETY: librdkafka hands over two strings that end in NUL and live as long as the call.
    let (facility, line) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(line)) };
    tell(level, &facility.to_string_lossy(), &line.to_string_lossy());
}

/// A line at one of syslog's levels. librdkafka's warnings concern a connection, which is retried, so they are told at
/// debug.
pub fn tell(level: c_int, facility: &str, line: &str) {
    let line = crate::config::quoted(line);
    if level <= CRITICAL {
        tracing::error!(facility, "{line}");
    } else {
        tracing::debug!(facility, "{line}");
    }
}
