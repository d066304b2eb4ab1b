//! Admin requests that the safe wrapper does not offer: a topic's id and limits, the members of a group, and
//! permissions.

#![allow(unsafe_code)]

mod permission;
mod topic_limits;

pub use permission::{Operation, Permission, group_permission, topic_permission};
pub use topic_limits::{TopicLimits, topic_limits};

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::metadata::Metadata;
use rdkafka_sys::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
    rd_kafka_AdminOptions_set_include_authorized_operations,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_t,
    rd_kafka_ConsumerGroupDescription_error, rd_kafka_ConsumerGroupDescription_member,
    rd_kafka_ConsumerGroupDescription_member_count, rd_kafka_ConsumerGroupDescription_t,
    rd_kafka_DescribeConsumerGroups, rd_kafka_DescribeConsumerGroups_result_groups,
    rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
    rd_kafka_MemberDescription_consumer_id, rd_kafka_MemberDescription_host,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names,
    rd_kafka_TopicDescription_error, rd_kafka_TopicDescription_t,
    rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str,
    rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t,
    rd_kafka_controllerid, rd_kafka_error_code, rd_kafka_error_destroy,
    rd_kafka_event_DescribeConsumerGroups_result, rd_kafka_event_DescribeTopics_result,
    rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_t, rd_kafka_queue_destroy,
    rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t, rd_kafka_resp_err_t,
};

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the coordinator assigned.
    pub id: String,
    /// The address of the client.
    pub host: String,
}

/// True if a broker of this metadata is the cluster's controller. Call this before an admin request that only the
/// controller answers: without a controller the request waits until its timeout. librdkafka's mock broker returns a
/// controller that does not exist.
pub fn has_controller<C: ClientContext>(client: &Client<C>, metadata: &Metadata) -> bool {
    // SAFETY: the handle is alive. With a timeout of zero the call reads the client's cache.
    let controller = unsafe { rd_kafka_controllerid(client.native_ptr(), 0) };
    metadata
        .brokers()
        .iter()
        .any(|broker| broker.id() == controller)
}

/// The topic's id (KIP-516), in base64 as Kafka's tools print it. `None` if the broker returned none.
pub fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    metadata: &Metadata,
    timeout: Duration,
) -> Option<String> {
    if !has_controller(client, metadata) {
        return None;
    }
    let name = CString::new(topic).ok()?;
    let response = request_topic(client, &name, AuthorizedOperations::Omitted, timeout)?;
    // SAFETY: everything read here belongs to the event, which `response` keeps alive; null is checked at each step.
    unsafe {
        let topic = described_topic(&response)?;
        let error = rd_kafka_TopicDescription_error(topic);
        if !error.is_null()
            && rd_kafka_error_code(error) != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let id = rd_kafka_TopicDescription_topic_id(topic);
        if id.is_null()
            || (
                rd_kafka_Uuid_most_significant_bits(id),
                rd_kafka_Uuid_least_significant_bits(id),
            ) == (0, 0)
        {
            return None;
        }
        text(rd_kafka_Uuid_base64str(id))
    }
}

/// The members of a group of either protocol; empty for a group that does not exist. `None` if the broker did not
/// answer or rejected the request.
pub fn group_members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    timeout: Duration,
) -> Option<Vec<GroupMember>> {
    let name = CString::new(group).ok()?;
    let response = request_group(client, &name, AuthorizedOperations::Omitted, timeout)?;
    // SAFETY: everything read here belongs to the event, which `response` keeps alive; null is checked at each step.
    unsafe {
        let group = described_group(&response)?;
        let error = rd_kafka_ConsumerGroupDescription_error(group);
        if !error.is_null() {
            return match rd_kafka_error_code(error) {
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Some(members(group)),
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Some(Vec::new()),
                _ => None,
            };
        }
        Some(members(group))
    }
}

/// Sends DescribeTopics for one topic.
fn request_topic<C: ClientContext>(
    client: &Client<C>,
    name: &CStr,
    operations: AuthorizedOperations,
    timeout: Duration,
) -> Option<AdminResponse> {
    let mut names = [name.as_ptr()];
    let send = |options: *const rd_kafka_AdminOptions_t, queue: *mut rd_kafka_queue_t| {
        // SAFETY: the names outlive the call, which copies them; the collection is destroyed once.
        unsafe {
            let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue);
            rd_kafka_TopicCollection_destroy(topics);
        }
    };
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    AdminResponse::wait(client, operation, operations, timeout, send)
}

/// Sends DescribeConsumerGroups for one group.
fn request_group<C: ClientContext>(
    client: &Client<C>,
    name: &CStr,
    operations: AuthorizedOperations,
    timeout: Duration,
) -> Option<AdminResponse> {
    let mut names = [name.as_ptr()];
    let send = |options: *const rd_kafka_AdminOptions_t, queue: *mut rd_kafka_queue_t| {
        // SAFETY: the names outlive the call, which copies them.
        unsafe {
            let client = client.native_ptr();
            rd_kafka_DescribeConsumerGroups(client, names.as_mut_ptr(), 1, options, queue)
        };
    };
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
    AdminResponse::wait(client, operation, operations, timeout, send)
}

/// The only topic of a response to DescribeTopics; it lives as long as the response.
fn described_topic(response: &AdminResponse) -> Option<*const rd_kafka_TopicDescription_t> {
    let mut count = 0;
    // SAFETY: the event is alive; null is checked at each step.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(response.0);
        if result.is_null() {
            return None;
        }
        let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
        (!topics.is_null() && count > 0).then(|| *topics)
    }
}

/// The only group of a response to DescribeConsumerGroups; it lives as long as the response.
fn described_group(response: &AdminResponse) -> Option<*const rd_kafka_ConsumerGroupDescription_t> {
    let mut count = 0;
    // SAFETY: the event is alive; null is checked at each step.
    unsafe {
        let result = rd_kafka_event_DescribeConsumerGroups_result(response.0);
        if result.is_null() {
            return None;
        }
        let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        (!groups.is_null() && count > 0).then(|| *groups)
    }
}

/// Copies the members of a description.
///
/// # Safety
/// The description belongs to an event that the caller keeps alive.
unsafe fn members(group: *const rd_kafka_ConsumerGroupDescription_t) -> Vec<GroupMember> {
    // SAFETY: guaranteed by the caller. The texts are C strings of the same event, and are copied.
    unsafe {
        (0..rd_kafka_ConsumerGroupDescription_member_count(group))
            .map(|index| rd_kafka_ConsumerGroupDescription_member(group, index))
            .map(|member| GroupMember {
                id: text(rd_kafka_MemberDescription_consumer_id(member)).unwrap_or_default(),
                host: text(rd_kafka_MemberDescription_host(member)).unwrap_or_default(),
            })
            .collect()
    }
}

/// A copy of the text at `start`, `None` for a null pointer.
///
/// # Safety
/// `start` is null or a C string.
unsafe fn text(start: *const c_char) -> Option<String> {
    // SAFETY: guaranteed by the caller.
    (!start.is_null()).then(|| {
        unsafe { CStr::from_ptr(start) }
            .to_string_lossy()
            .into_owned()
    })
}

/// Whether an admin request asks for the operations that the client's user is authorized for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AuthorizedOperations {
    Included,
    Omitted,
}

/// The response to an admin request.
struct AdminResponse(*mut rd_kafka_event_t);

impl AdminResponse {
    /// Sends a request and waits for its response. `None` after the timeout or an error.
    fn wait<C: ClientContext>(
        client: &Client<C>,
        operation: rd_kafka_admin_op_t,
        operations: AuthorizedOperations,
        timeout: Duration,
        send: impl FnOnce(*const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
    ) -> Option<Self> {
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: queue and options are created here and destroyed once; the request keeps its own references.
        unsafe {
            let queue = rd_kafka_queue_new(client.native_ptr());
            let options = rd_kafka_AdminOptions_new(client.native_ptr(), operation);
            rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
            if operations == AuthorizedOperations::Included {
                let error = rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
                if !error.is_null() {
                    rd_kafka_error_destroy(error);
                }
            }
            send(options, queue);
            let event = rd_kafka_queue_poll(queue, millis);
            rd_kafka_AdminOptions_destroy(options);
            rd_kafka_queue_destroy(queue);
            if event.is_null() {
                return None;
            }
            let response = Self(event);
            (rd_kafka_event_error(event) == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then_some(response)
        }
    }
}

impl Drop for AdminResponse {
    fn drop(&mut self) {
        // SAFETY: this type owns the event, and destroys it once.
        unsafe { rd_kafka_event_destroy(self.0) }
    }
}
