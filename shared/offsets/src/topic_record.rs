//! The topic record: which topic a consumer group has read.
//!
//! Kafka deletes a group's commits together with the topic, and with them the topic id in their metadata. This record is
//! in the metadata of a commit for another topic, so it remains. It shows that a topic was deleted and created again.
//!
//! # Format
//!
//! ```text
//! metadata = "fdt1." topic-id "." topic-name
//! ```
//!
//! Version 1 of the format is the prefix `fdt1.`. Metadata with any other prefix is not a record.

/// The prefix of the metadata, with the version of the format.
const MAGIC: &str = "fdt1.";

/// The most bytes of a topic id. Kafka's are 22 bytes long (KIP-516).
const MAX_ID: usize = 64;

/// The most bytes of a topic's name (`org.apache.kafka.common.internals.Topic`).
const MAX_NAME: usize = 249;

/// The id of a topic that a group has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The topic's id, as text. It contains no dot.
    pub id: String,
    /// The topic's name.
    pub name: String,
}

impl TopicRecord {
    /// Encodes the record as metadata, of at most 319 bytes.
    pub fn encode(&self) -> String {
        format!("{MAGIC}{}.{}", self.id, self.name)
    }

    /// Decodes metadata. `None` if it is not a record.
    pub fn decode(metadata: &str) -> Option<Self> {
        let (id, name) = metadata.strip_prefix(MAGIC)?.split_once('.')?;
        let is_id = |c: char| c.is_ascii_graphic();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_valid = (1..=MAX_ID).contains(&id.len())
            && id.chars().all(is_id)
            && (1..=MAX_NAME).contains(&name.len())
            && name.chars().all(is_name);
        is_valid.then(|| Self {
            id: id.to_owned(),
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::offset_map;

    #[test]
    fn decodes_to_the_encoded_record() {
        let longest = "x".repeat(MAX_NAME);
        for name in ["orders", "a.b_c-9", "...", &longest] {
            let record = TopicRecord {
                id: "Xy-3_topic0123456789aa".to_owned(),
                name: name.to_owned(),
            };
            assert_eq!(TopicRecord::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn rejects_other_metadata() {
        let long_id = format!("fdt1.{}.orders", "x".repeat(MAX_ID + 1));
        let long_name = format!("fdt1.id.{}", "x".repeat(MAX_NAME + 1));
        for metadata in [
            "",
            "fdt1.",
            "fdt1.id",
            "fdt1.id.",
            "fdt1..orders",
            "fdt2.id.orders",
            "fd1.id.KgAAAAAAAAAAAA",
            " fdt1.id.orders",
            "fdt1.i d.orders",
            "fdt1.id.or ders",
            "fdt1.id.orders\n",
            "fdt1.id.\u{e9}",
            &long_id,
            &long_name,
        ] {
            assert_eq!(TopicRecord::decode(metadata), None, "{metadata:?}");
        }
    }

    #[test]
    fn a_record_is_no_offset_map() {
        let record = TopicRecord {
            id: "id".to_owned(),
            name: "orders".to_owned(),
        };
        assert_eq!(offset_map::topic_of(&record.encode()), None);
    }

    proptest! {
        #[test]
        fn hostile_metadata_causes_no_panic(text in "(fdt1\\.)?\\PC{0,300}") {
            if let Some(record) = TopicRecord::decode(&text) {
                prop_assert_eq!(record.encode(), text);
            }
        }
    }
}
