//! What the client's user may do with a topic or a group (KIP-430).

use std::ffi::CString;
use std::slice;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka_sys::{
    rd_kafka_AclOperation_t, rd_kafka_ConsumerGroupDescription_authorized_operations,
    rd_kafka_ConsumerGroupDescription_error, rd_kafka_TopicDescription_authorized_operations,
    rd_kafka_TopicDescription_error, rd_kafka_error_code, rd_kafka_error_t, rd_kafka_resp_err_t,
};

use super::{AuthorizedOperations, described_group, described_topic, request_group, request_topic};

/// An operation of Kafka's access control lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// READ: fetch records of a topic; join a group and commit.
    Read,
    /// WRITE: produce to a topic.
    Write,
}

/// Whether an operation is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It is.
    Granted,
    /// It is not.
    Denied,
    /// The topic does not exist.
    NoTopic,
    /// The broker does not report it, or did not answer.
    NotReported,
}

/// Whether the client's user may do this with the topic. No topic is created.
pub fn topic_permission<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    operation: Operation,
    timeout: Duration,
) -> Permission {
    let described = CString::new(topic)
        .ok()
        .and_then(|name| request_topic(client, &name, AuthorizedOperations::Included, timeout));
    let Some(response) = described else {
        return Permission::NotReported;
    };
    // SAFETY: everything read here belongs to the event, which `response` keeps alive; null is checked at each step.
    unsafe {
        let Some(topic) = described_topic(&response) else {
            return Permission::NotReported;
        };
        let mut count = 0;
        let error = rd_kafka_TopicDescription_error(topic);
        let operations = rd_kafka_TopicDescription_authorized_operations(topic, &mut count);
        permission(error, operations, count, operation)
    }
}

/// Whether the client's user may do this with the group. The group need not exist.
pub fn group_permission<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    operation: Operation,
    timeout: Duration,
) -> Permission {
    let described = CString::new(group)
        .ok()
        .and_then(|name| request_group(client, &name, AuthorizedOperations::Included, timeout));
    let Some(response) = described else {
        return Permission::NotReported;
    };
    // SAFETY: everything read here belongs to the event, which `response` keeps alive; null is checked at each step.
    unsafe {
        let Some(group) = described_group(&response) else {
            return Permission::NotReported;
        };
        let mut count = 0;
        let error = rd_kafka_ConsumerGroupDescription_error(group);
        let operations = rd_kafka_ConsumerGroupDescription_authorized_operations(group, &mut count);
        permission(error, operations, count, operation)
    }
}

/// # Safety
/// `error` is null or an error of librdkafka; `operations` is null or the start of `count` operations.
unsafe fn permission(
    error: *const rd_kafka_error_t,
    operations: *const rd_kafka_AclOperation_t,
    count: usize,
    wanted: Operation,
) -> Permission {
    use rd_kafka_resp_err_t::{
        RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_NO_ERROR,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    };
    if !error.is_null() {
        // SAFETY: guaranteed by the caller.
        match unsafe { rd_kafka_error_code(error) } {
            RD_KAFKA_RESP_ERR_NO_ERROR => {}
            // DESCRIBE is denied. READ and WRITE imply it.
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            | RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED => return Permission::Denied,
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => return Permission::NoTopic,
            _ => return Permission::NotReported,
        }
    }
    if operations.is_null() {
        return Permission::NotReported;
    }
    // SAFETY: guaranteed by the caller.
    let operations = unsafe { slice::from_raw_parts(operations, count) };
    let wanted = match wanted {
        Operation::Read => rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_READ,
        Operation::Write => rd_kafka_AclOperation_t::RD_KAFKA_ACL_OPERATION_WRITE,
    };
    match operations.contains(&wanted) {
        true => Permission::Granted,
        false => Permission::Denied,
    }
}
