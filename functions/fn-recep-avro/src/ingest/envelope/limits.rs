//! The limits of one message: those of the setting, of the broker's profile and of the topic. Pure.

use kafka::config::{OCI_MAX_MESSAGE_BYTES, Profile};
use kafka::describe::TopicLimits;

use super::timestamp::TimestampLimits;

/// `max.message.bytes` of Apache Kafka, if it is not configured.
const KAFKA_MAX_MESSAGE_BYTES: usize = 1_048_588;

/// The limits of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ingest) struct MessageLimits {
    /// Bytes of a record batch with the message alone.
    pub(in crate::ingest) max_bytes: usize,
    /// What sets it, for error messages.
    pub(in crate::ingest) source: &'static str,
    pub(in crate::ingest) timestamps: TimestampLimits,
}

impl MessageLimits {
    /// The limits that are known: of the topic, if the broker has described it, otherwise of the profile. `setting` is
    /// `MAX_MESSAGE`, which only lowers the limit.
    pub(in crate::ingest) fn new(
        setting: Option<usize>,
        profile: Profile,
        topic: Option<&TopicLimits>,
    ) -> Self {
        let (broker, source) = match (topic, profile) {
            (Some(topic), _) => (topic.max_message_bytes, "max.message.bytes of the topic"),
            (None, Profile::OciStreaming) => (OCI_MAX_MESSAGE_BYTES, "the limit of OCI Streaming"),
            (None, _) => (
                KAFKA_MAX_MESSAGE_BYTES,
                "Kafka's default of max.message.bytes, since the broker does not describe the topic",
            ),
        };
        let (max_bytes, source) = match setting {
            Some(setting) if setting < broker => (setting, "MAX_MESSAGE"),
            _ => (broker, source),
        };
        Self {
            max_bytes,
            source,
            timestamps: topic.map_or_else(TimestampLimits::default, |topic| TimestampLimits {
                max_before_ms: topic.max_before_ms,
                max_after_ms: topic.max_after_ms,
                retention_ms: topic.retention_ms,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topic_decides_and_the_setting_lowers_its_limit() {
        let topic = TopicLimits {
            max_message_bytes: 65_536,
            max_before_ms: None,
            max_after_ms: None,
            retention_ms: None,
        };
        let limit = |setting, profile, topic| MessageLimits::new(setting, profile, topic).max_bytes;
        use Profile::{Kafka, OciStreaming};
        for (setting, profile, topic, expected) in [
            (None, Kafka, Some(&topic), 65_536),
            (Some(1_000), Kafka, Some(&topic), 1_000),
            (Some(1_000_000), Kafka, Some(&topic), 65_536),
            (None, Kafka, None, 1_048_588),
            (Some(1_000), Kafka, None, 1_000),
            (Some(3_000_000), Kafka, None, 1_048_588),
            (None, OciStreaming, None, 1_048_576),
            (Some(1_000), OciStreaming, None, 1_000),
        ] {
            assert_eq!(
                limit(setting, profile, topic),
                expected,
                "{setting:?} {profile:?}"
            );
        }
    }
}
