//! Detects that the topic was deleted and created again. Pure.
//!
//! The metadata of the group's commits names the topic's id. Kafka deletes these commits together with the topic, so the
//! id is in the group's topic record too (`offsets::topic_record`).

use kafka::list_offsets::TopicOffsets;
use kafka::topic_record::StoredTopicRecord;
use offsets::offset_map;
use offsets::pauses::Pause;
use offsets::topic_record::TopicRecord;
use offsets::window::{PartitionOffsets, WindowStart};

use crate::config::Config;

/// True if only the topic record can show whether the topic is the same: it has an id, and no commit names it.
pub fn needs_record(config: &Config, topic: &TopicOffsets) -> bool {
    config.window_start == WindowStart::Committed
        && topic
            .topic_id
            .as_deref()
            .is_some_and(|id| !is_named(id, &topic.partition_offsets))
}

fn is_named(topic_id: &str, partitions: &[PartitionOffsets]) -> bool {
    partitions.iter().any(|partition| {
        partition.committed.is_some() && offset_map::topic_of(&partition.metadata) == Some(topic_id)
    })
}

/// A sentence if the topic record has another id than the topic.
pub fn describe(topic_id: Option<&str>, record: Option<&TopicRecord>) -> Option<String> {
    let (id, record) = (topic_id?, record?);
    let is_known = !record.id.is_empty();
    (is_known && record.id != id).then(|| {
        format!(
            "topic {} was deleted and created again (its id was {}, and is {id}): records of the deleted topic that this \
             group had not read are lost, and their number is unknown",
            record.name, record.id
        )
    })
}

/// The topic record for this topic, with the pauses of its routes' endpoints.
pub fn record(config: &Config, topic: &TopicOffsets, pauses: Vec<Pause>) -> StoredTopicRecord {
    StoredTopicRecord {
        record: TopicRecord {
            id: topic.topic_id.clone().unwrap_or_default(),
            name: config.kafka.topic.clone(),
            pauses,
        },
        topic: config.dead_letter_topic.clone(),
    }
}

#[cfg(test)]
mod tests {
    use offsets::offset_map::{OffsetMap, Scope};

    use super::*;

    fn without_commit() -> PartitionOffsets {
        PartitionOffsets {
            partition: 0,
            low: 0,
            high: 10,
            committed: None,
            metadata: String::new(),
            start_time_offset: None,
            end_time_offset: None,
        }
    }

    #[test]
    fn only_a_commit_with_the_id_of_the_topic_names_it() {
        let map = OffsetMap {
            scanned: 5,
            gaps: Vec::new(),
        };
        let committed = |topic: &str| {
            let scope = Scope {
                topic: topic.to_owned(),
                routes: 1,
            };
            PartitionOffsets {
                committed: Some(5),
                metadata: offset_map::encode(&map, 5, &scope, 4096),
                ..without_commit()
            }
        };
        assert!(is_named("new", &[without_commit(), committed("new")]));
        assert!(!is_named("new", &[without_commit(), committed("old")]));
        assert!(!is_named("new", &[committed("")]));
        assert!(!is_named("new", &[without_commit()]));
        let without_metadata = PartitionOffsets {
            metadata: String::new(),
            ..committed("new")
        };
        assert!(!is_named("new", &[without_metadata]));
    }

    #[test]
    fn a_record_of_another_id_shows_that_the_topic_was_created_again() {
        let record = TopicRecord {
            id: "old".to_owned(),
            name: "orders".to_owned(),
            pauses: Vec::new(),
        };
        let found = describe(Some("new"), Some(&record)).unwrap();
        assert!(
            found.contains("topic orders was deleted and created again"),
            "{found}"
        );
        assert_eq!(describe(Some("old"), Some(&record)), None);
        assert_eq!(describe(None, Some(&record)), None);
        let without_id = TopicRecord {
            id: String::new(),
            ..record
        };
        assert_eq!(describe(Some("new"), Some(&without_id)), None);
        assert_eq!(describe(Some("new"), None), None);
    }
}
