//! The topic record: which topic a consumer group has read, and which endpoints the next run should not ask yet.
//!
//! Kafka deletes a group's commits together with the topic, and with them the topic id in their metadata. This record is
//! in the metadata of a commit for another topic, so it remains. It shows that a topic was deleted and created again.
//!
//! # Format
//!
//! ```text
//! metadata = "fdt2." [topic-id] "." pauses "." topic-name
//! ```
//!
//! [`pauses`] describes the pauses. Version 2 of the format is the prefix `fdt2.`. Version 1 (`fdt1.`) has no
//! pauses and not the dot after them. Metadata with any other prefix is not a record.

use crate::pauses::{self, Pause};

/// The prefix of the metadata, with the version of the format.
const MAGIC: &str = "fdt2.";

/// The prefix of version 1.
const MAGIC_1: &str = "fdt1.";

/// The most bytes of a topic id. Kafka's are 22 bytes long (KIP-516).
const MAX_ID: usize = 64;

/// The most bytes of a topic's name (`org.apache.kafka.common.internals.Topic`).
const MAX_NAME: usize = 249;

/// The id of a topic that a group has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The topic's id, as text. It contains no dot. Empty if the broker reports none.
    pub id: String,
    /// The topic's name.
    pub name: String,
    /// The endpoints that the next run should not ask yet.
    pub pauses: Vec<Pause>,
}

impl TopicRecord {
    /// Encodes the record as metadata, of at most 2,368 bytes: Kafka's default limit is 4,096
    /// (`offset.metadata.max.bytes`).
    pub fn encode(&self) -> String {
        let pauses = pauses::encode(&self.pauses);
        format!("{MAGIC}{}.{pauses}.{}", self.id, self.name)
    }

    /// Decodes metadata. `None` if it is not a record. Malformed pauses are left out.
    pub fn decode(metadata: &str) -> Option<Self> {
        let (id, pauses, name) = match metadata.strip_prefix(MAGIC) {
            Some(rest) => {
                let (id, rest) = rest.split_once('.')?;
                let (pauses, name) = rest.split_once('.')?;
                (id, pauses::decode(pauses), name)
            }
            None => {
                let (id, name) = metadata.strip_prefix(MAGIC_1)?.split_once('.')?;
                (id, Vec::new(), name)
            }
        };
        let is_id = |c: char| c.is_ascii_graphic();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let is_valid = id.len() <= MAX_ID
            && id.chars().all(is_id)
            && (1..=MAX_NAME).contains(&name.len())
            && name.chars().all(is_name);
        is_valid.then(|| Self {
            id: id.to_owned(),
            name: name.to_owned(),
            pauses,
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
                pauses: vec![Pause { route: 7, until: 9 }],
            };
            assert_eq!(TopicRecord::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn reads_version_1_and_ignores_malformed_pauses() {
        let record = Some(TopicRecord {
            id: "id".to_owned(),
            name: "a.b".to_owned(),
            pauses: Vec::new(),
        });
        for metadata in [
            "fdt1.id.a.b",
            "fdt2.id..a.b",
            "fdt2.id.AAAA.a.b",
            "fdt2.id.%.a.b",
        ] {
            assert_eq!(TopicRecord::decode(metadata), record, "{metadata}");
        }
    }

    #[test]
    fn rejects_other_metadata() {
        let long_id = format!("fdt2.{}..orders", "x".repeat(MAX_ID + 1));
        let long_name = format!("fdt2.id..{}", "x".repeat(MAX_NAME + 1));
        for metadata in [
            "",
            "fdt1.",
            "fdt1.id",
            "fdt1.id.",
            "fdt2.id",
            "fdt2.id.orders",
            "fdt2.id..",
            "fdt3.id..orders",
            "fd1.id.KgAAAAAAAAAAAA",
            " fdt2.id..orders",
            "fdt2.i d..orders",
            "fdt2.id..or ders",
            "fdt2.id..orders\n",
            "fdt2.id..\u{e9}",
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
            pauses: Vec::new(),
        };
        assert_eq!(offset_map::topic_of(&record.encode()), None);
    }

    proptest! {
        #[test]
        fn hostile_metadata_causes_no_panic(text in "(fdt[12]\\.)?\\PC{0,300}") {
            if let Some(record) = TopicRecord::decode(&text) {
                prop_assert_eq!(TopicRecord::decode(&record.encode()), Some(record));
            }
        }
    }
}
