//! The permissions that a run of the job needs.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::Metadata;

use crate::describe::{Operation, Permission, group_permission, has_controller, topic_permission};
use crate::reader::Reader;

/// What the user of a [`Reader`] may do, as far as the broker reports it (KIP-430).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// READ on the reader's topic.
    pub read_topic: Permission,
    /// READ on the group.
    pub read_group: Permission,
    /// READ on the dead-letter topic, for the topic record.
    pub read_dead_letters: Permission,
    /// WRITE on the dead-letter topic.
    pub write_dead_letters: Permission,
}

impl Reader {
    /// Whether the user may write to a topic, within `timeout`. Nothing is written or created.
    pub fn write_permission(&self, topic: &str, timeout: Duration) -> Permission {
        let end = Instant::now() + timeout;
        let client = self.consumer.client();
        let metadata = client.fetch_metadata(Some(topic), timeout);
        let Ok(metadata) = metadata else {
            return Permission::NotReported;
        };
        let denied = RDKafkaErrorCode::TopicAuthorizationFailed;
        let mut topics = metadata.topics().iter();
        // Without DESCRIBE the broker does not say whether the topic exists.
        if topics.any(|topic| topic.error().map(RDKafkaErrorCode::from) == Some(denied)) {
            return Permission::Denied;
        }
        if !exists(&metadata) {
            return Permission::NoTopic;
        }
        // Without a controller the request waits until its timeout.
        if !has_controller(client, &metadata) {
            return Permission::NotReported;
        }
        let remaining = end
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        topic_permission(client, topic, Operation::Write, remaining)
    }

    /// Asks the broker, within `timeout`. Nothing is read, written or created.
    pub fn permissions(
        &self,
        group: &str,
        dead_letter_topic: &str,
        timeout: Duration,
    ) -> Permissions {
        let end = Instant::now() + timeout;
        let remaining = || {
            end.saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1))
        };
        let client = self.consumer.client();
        let metadata = client.fetch_metadata(Some(&self.topic), remaining());
        // Without a controller the requests wait until their timeout.
        if !metadata.is_ok_and(|metadata| has_controller(client, &metadata)) {
            let dead_letters = client.fetch_metadata(Some(dead_letter_topic), remaining());
            return Permissions {
                read_topic: Permission::NotReported,
                read_group: Permission::NotReported,
                read_dead_letters: Permission::NotReported,
                write_dead_letters: match dead_letters {
                    Ok(metadata) if !exists(&metadata) => Permission::NoTopic,
                    _ => Permission::NotReported,
                },
            };
        }
        let on_topic = |topic, operation| topic_permission(client, topic, operation, remaining());
        Permissions {
            read_topic: on_topic(&self.topic, Operation::Read),
            read_group: group_permission(client, group, Operation::Read, remaining()),
            read_dead_letters: on_topic(dead_letter_topic, Operation::Read),
            write_dead_letters: on_topic(dead_letter_topic, Operation::Write),
        }
    }
}

fn exists(metadata: &Metadata) -> bool {
    let mut topics = metadata.topics().iter();
    topics.any(|topic| !topic.partitions().is_empty())
}
