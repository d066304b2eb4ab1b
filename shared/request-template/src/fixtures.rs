//! A tombstone and templates, for the unit tests.

use routes::KafkaFields;

use crate::Template;

/// The fields of a tombstone with this key.
pub(crate) fn kafka(key: &[u8]) -> KafkaFields<'_> {
    KafkaFields {
        key: Some(key),
        topic: "t",
        partition: 1,
        offset: 2,
        timestamp: None,
        idempotency_key: "k",
    }
}

/// A template without references.
pub(crate) fn template(text: &str) -> Template {
    Template::parse(text, |text| Ok(text.to_owned())).unwrap()
}
