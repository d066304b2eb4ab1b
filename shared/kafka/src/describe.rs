//! Asks the broker what the safe wrapper has no words for: a topic's id, and who is in a group.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::metadata::Metadata;
use rdkafka_sys::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new,
    rd_kafka_AdminOptions_set_request_timeout, rd_kafka_AdminOptions_t,
    rd_kafka_ConsumerGroupDescription_error, rd_kafka_ConsumerGroupDescription_member,
    rd_kafka_ConsumerGroupDescription_member_count, rd_kafka_ConsumerGroupDescription_t,
    rd_kafka_DescribeConsumerGroups, rd_kafka_DescribeConsumerGroups_result_groups,
    rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
    rd_kafka_MemberDescription_consumer_id, rd_kafka_MemberDescription_host,
    rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names,
    rd_kafka_TopicDescription_error, rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_base64str,
    rd_kafka_Uuid_least_significant_bits, rd_kafka_Uuid_most_significant_bits, rd_kafka_admin_op_t,
    rd_kafka_controllerid, rd_kafka_error_code, rd_kafka_event_DescribeConsumerGroups_result,
    rd_kafka_event_DescribeTopics_result, rd_kafka_event_destroy, rd_kafka_event_error,
    rd_kafka_event_t, rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll,
    rd_kafka_queue_t, rd_kafka_resp_err_t,
};

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// The id that the broker gave it.
    pub id: String,
    /// The address it came from.
    pub host: String,
}

/// True if one of the cluster's brokers is its controller, as far as the client knows from this metadata. Requests
/// that only the controller answers wait for one until their time is over; the embedded broker names one that is not
/// there.
pub fn has_controller<C: ClientContext>(client: &Client<C>, metadata: &Metadata) -> bool {
    // SAFETY: the handle is alive; without patience the call looks up what is known.
    let controller = unsafe { rd_kafka_controllerid(client.native_ptr(), 0) };
    metadata
        .brokers()
        .iter()
        .any(|broker| broker.id() == controller)
}

/// The topic's id (KIP-516), in the text form that Kafka's own tools print. `None` where the broker tells none.
pub fn topic_id<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    metadata: &Metadata,
    patience: Duration,
) -> Option<String> {
    if !has_controller(client, metadata) {
        return None;
    }
    let name = CString::new(topic).ok()?;
    let mut names = [name.as_ptr()];
    let ask = |options: *const rd_kafka_AdminOptions_t, queue: *mut rd_kafka_queue_t| {
        // SAFETY: the names outlive the call, which copies them; the collection is destroyed once.
        unsafe {
            let topics = rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), 1);
            rd_kafka_DescribeTopics(client.native_ptr(), topics, options, queue);
            rd_kafka_TopicCollection_destroy(topics);
        }
    };
    let answer = Answer::to(
        client,
        rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        patience,
        ask,
    )?;
    // SAFETY: everything read here belongs to the event, which `answer` keeps alive; null is checked at each step.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(answer.0);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count == 0 {
            return None;
        }
        let error = rd_kafka_TopicDescription_error(*topics);
        if !error.is_null()
            && rd_kafka_error_code(error) != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let id = rd_kafka_TopicDescription_topic_id(*topics);
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

/// The members of a group, whatever its protocol; none for a group that does not exist. `None` where the broker
/// does not answer or refuses to tell.
pub fn group_members<C: ClientContext>(
    client: &Client<C>,
    group: &str,
    patience: Duration,
) -> Option<Vec<GroupMember>> {
    let name = CString::new(group).ok()?;
    let mut names = [name.as_ptr()];
    let ask = |options: *const rd_kafka_AdminOptions_t, queue: *mut rd_kafka_queue_t| {
        // SAFETY: the names outlive the call, which copies them.
        unsafe {
            rd_kafka_DescribeConsumerGroups(
                client.native_ptr(),
                names.as_mut_ptr(),
                1,
                options,
                queue,
            )
        };
    };
    let answer = Answer::to(
        client,
        rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS,
        patience,
        ask,
    )?;
    // SAFETY: as above.
    unsafe {
        let result = rd_kafka_event_DescribeConsumerGroups_result(answer.0);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let groups = rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        if groups.is_null() || count == 0 {
            return None;
        }
        let error = rd_kafka_ConsumerGroupDescription_error(*groups);
        if !error.is_null() {
            return match rd_kafka_error_code(error) {
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Some(members(*groups)),
                rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND => Some(Vec::new()),
                _ => None,
            };
        }
        Some(members(*groups))
    }
}

/// The members that a description lists.
///
/// # Safety
/// The description belongs to an event that the caller holds.
unsafe fn members(group: *const rd_kafka_ConsumerGroupDescription_t) -> Vec<GroupMember> {
    // SAFETY: as the caller promises; the texts are C strings of the same event, copied at once.
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
    // SAFETY: as the caller promises.
    (!start.is_null()).then(|| {
        unsafe { CStr::from_ptr(start) }
            .to_string_lossy()
            .into_owned()
    })
}

/// An admin request's answer.
struct Answer(*mut rd_kafka_event_t);

impl Answer {
    fn to<C: ClientContext>(
        client: &Client<C>,
        operation: rd_kafka_admin_op_t,
        patience: Duration,
        ask: impl FnOnce(*const rd_kafka_AdminOptions_t, *mut rd_kafka_queue_t),
    ) -> Option<Self> {
        let timeout = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: queue and options are ours and destroyed once; the request keeps references of its own.
        unsafe {
            let queue = rd_kafka_queue_new(client.native_ptr());
            let options = rd_kafka_AdminOptions_new(client.native_ptr(), operation);
            rd_kafka_AdminOptions_set_request_timeout(options, timeout, ptr::null_mut(), 0);
            ask(options, queue);
            let event = rd_kafka_queue_poll(queue, timeout);
            rd_kafka_AdminOptions_destroy(options);
            rd_kafka_queue_destroy(queue);
            if event.is_null() {
                return None;
            }
            let answer = Self(event);
            (rd_kafka_event_error(event) == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR)
                .then_some(answer)
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: ours, destroyed once.
        unsafe { rd_kafka_event_destroy(self.0) }
    }
}
