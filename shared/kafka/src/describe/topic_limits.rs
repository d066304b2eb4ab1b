//! The limits that a topic's configuration sets for its messages.

use std::ffi::CString;
use std::time::Duration;

use rdkafka::client::{Client, ClientContext};
use rdkafka::metadata::Metadata;
use rdkafka_sys::{
    rd_kafka_AdminOptions_t, rd_kafka_ConfigEntry_name, rd_kafka_ConfigEntry_value,
    rd_kafka_ConfigResource_configs, rd_kafka_ConfigResource_destroy,
    rd_kafka_ConfigResource_error, rd_kafka_ConfigResource_new, rd_kafka_DescribeConfigs,
    rd_kafka_DescribeConfigs_result_resources, rd_kafka_ResourceType_t, rd_kafka_admin_op_t,
    rd_kafka_event_DescribeConfigs_result, rd_kafka_queue_t, rd_kafka_resp_err_t,
};

use super::{AdminResponse, AuthorizedOperations, has_controller, text};

/// The limits of a topic's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicLimits {
    /// `max.message.bytes`: the bytes of a record batch.
    pub max_message_bytes: usize,
    /// `message.timestamp.before.max.ms`: how far a timestamp may be before the broker's time, in milliseconds. `None`: the
    /// broker does not check timestamps.
    pub max_before_ms: Option<i64>,
    /// `message.timestamp.after.max.ms`: the same for a later timestamp.
    pub max_after_ms: Option<i64>,
    /// `retention.ms`: the age in milliseconds, by its timestamp, at which the broker deletes a record. `None`: the broker
    /// does not delete records by their age, or replaces timestamps.
    pub retention_ms: Option<i64>,
}

/// The limits that the topic's configuration sets (DescribeConfigs). `None` if the cluster has no controller, the broker did
/// not answer in time, or it does not permit or support the request.
pub fn topic_limits<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    metadata: &Metadata,
    timeout: Duration,
) -> Option<TopicLimits> {
    if !has_controller(client, metadata) {
        return None;
    }
    let name = CString::new(topic).ok()?;
    let send = |options: *const rd_kafka_AdminOptions_t, queue: *mut rd_kafka_queue_t| {
        // SAFETY: the name and the resource outlive the calls, which copy them; the resource is destroyed once.
        unsafe {
            let kind = rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let resource = rd_kafka_ConfigResource_new(kind, name.as_ptr());
            if !resource.is_null() {
                let mut resources = [resource];
                rd_kafka_DescribeConfigs(
                    client.native_ptr(),
                    resources.as_mut_ptr(),
                    1,
                    options,
                    queue,
                );
                rd_kafka_ConfigResource_destroy(resource);
            }
        }
    };
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS;
    let omitted = AuthorizedOperations::Omitted;
    let response = AdminResponse::wait(client, operation, omitted, timeout, send)?;
    limits(&entries(&response)?)
}

/// Names and values of the only resource of a response.
fn entries(response: &AdminResponse) -> Option<Vec<(String, String)>> {
    let mut count = 0;
    // SAFETY: everything read here belongs to the event, which `response` keeps alive; null is checked at each step.
    unsafe {
        let result = rd_kafka_event_DescribeConfigs_result(response.0);
        if result.is_null() {
            return None;
        }
        let resources = rd_kafka_DescribeConfigs_result_resources(result, &mut count);
        if resources.is_null() || count == 0 {
            return None;
        }
        let resource = *resources;
        if rd_kafka_ConfigResource_error(resource)
            != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return None;
        }
        let entries = rd_kafka_ConfigResource_configs(resource, &mut count);
        if entries.is_null() {
            return None;
        }
        let entry = |index| {
            let entry = *entries.add(index);
            let value = text(rd_kafka_ConfigEntry_value(entry))?;
            Some((text(rd_kafka_ConfigEntry_name(entry))?, value))
        };
        Some((0..count).filter_map(entry).collect())
    }
}

fn limits(entries: &[(String, String)]) -> Option<TopicLimits> {
    let value = |name: &str| {
        let (_, value) = entries.iter().find(|(known, _)| known == name)?;
        Some(value.as_str())
    };
    // With LogAppendTime the broker replaces timestamps and does not check them.
    let is_checked = value("message.timestamp.type") == Some("CreateTime");
    let millis = |name| value(name)?.parse().ok().filter(|_| is_checked);
    let policies = value("cleanup.policy").unwrap_or_default();
    let is_deleted = policies.split(',').any(|policy| policy.trim() == "delete");
    Some(TopicLimits {
        max_message_bytes: value("max.message.bytes")?.parse().ok()?,
        // -1: no limit.
        retention_ms: millis("retention.ms").filter(|retention| is_deleted && *retention >= 0),
        max_before_ms: millis("message.timestamp.before.max.ms"),
        max_after_ms: millis("message.timestamp.after.max.ms"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config<'a>(
        timestamps: &'a str,
        cleanup: &'a str,
        retention: &'a str,
    ) -> Vec<(String, String)> {
        [
            ("max.message.bytes", "65536"),
            ("message.timestamp.type", timestamps),
            ("message.timestamp.after.max.ms", "3600000"),
            ("message.timestamp.before.max.ms", "9223372036854775807"),
            ("cleanup.policy", cleanup),
            ("retention.ms", retention),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    #[test]
    fn timestamps_are_limited_only_if_the_broker_keeps_them() {
        let expected = TopicLimits {
            max_message_bytes: 65_536,
            max_before_ms: Some(i64::MAX),
            max_after_ms: Some(3_600_000),
            retention_ms: Some(604_800_000),
        };
        let kept = config("CreateTime", "delete", "604800000");
        assert_eq!(limits(&kept), Some(expected.clone()));
        let unchecked = TopicLimits {
            max_before_ms: None,
            max_after_ms: None,
            retention_ms: None,
            ..expected
        };
        let replaced = config("LogAppendTime", "delete", "604800000");
        assert_eq!(limits(&replaced), Some(unchecked));
        assert_eq!(limits(&[]), None);
    }

    #[test]
    fn records_are_deleted_by_age_only_with_the_policy_and_a_limit() {
        for (cleanup, retention, expected) in [
            ("delete", "60000", Some(60_000)),
            ("compact,delete", "60000", Some(60_000)),
            ("compact", "60000", None),
            ("", "60000", None),
            ("delete", "-1", None),
        ] {
            let described = limits(&config("CreateTime", cleanup, retention)).unwrap();
            assert_eq!(described.retention_ms, expected, "{cleanup} {retention}");
        }
    }
}
