//! The variables of expressions, and their identifiers after the types are inferred.

use crate::kafka_fields::KafkaField;

/// The variable of the whole record. A field of this name is `record.record`.
pub(super) const RECORD: &str = "record";

/// The variable of what Kafka stores beside the value. A field of this name is `record.kafka`.
pub(super) const KAFKA: &str = "kafka";

/// The identifier of the whole record in an inferred expression. No field has a name with this character.
pub(super) const WHOLE_RECORD: &str = "@record";

/// What the identifiers of Kafka's fields begin with in an inferred expression.
const KAFKA_PREFIX: &str = "@kafka.";

/// The variables of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Available {
    /// Those of a condition: the fields of the record.
    Fields,
    /// Those of a value: the fields of the record, the whole record, and `kafka`.
    Record,
    /// Those of a value for a tombstone: `kafka`.
    Tombstone,
}

/// The field of `kafka` that an identifier of an inferred expression stands for.
pub(super) fn kafka_field(identifier: &str) -> Option<KafkaField> {
    KafkaField::named(identifier.strip_prefix(KAFKA_PREFIX)?)
}

/// The identifier of a field of `kafka` in an inferred expression.
pub(super) fn kafka_identifier(name: &str) -> String {
    format!("{KAFKA_PREFIX}{name}")
}
