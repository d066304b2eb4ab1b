//! The status of a message in its delivery report.
#![allow(unsafe_code)]

use rdkafka::message::BorrowedMessage;
use rdkafka_sys as sys;

/// True if the message of this delivery report is certainly not stored: it was never sent, or the broker rejected it
/// (`RD_KAFKA_MSG_STATUS_NOT_PERSISTED`).
pub(crate) fn is_not_stored(message: &BorrowedMessage<'_>) -> bool {
    // SAFETY: the pointer is valid while the report is borrowed; the call only reads the message's status.
    let status = unsafe { sys::rd_kafka_message_status(message.ptr()) };
    status == sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED
}
