//! The form in which datums are stored.

use std::borrow::Cow;

use avro::confluent;
use bytes::Bytes;

use super::validate::{Origin, ValidatedBody};

/// `STORE_AS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreAs {
    /// The raw datum of the configured schema.
    Datum,
    /// The id of the schema in the registry, and the datum as it was written.
    Confluent,
    /// As the request had it.
    Received,
}

/// The values of the messages, in the order of the body.
pub(super) struct StoredValues<'a> {
    pub(super) values: Vec<Cow<'a, [u8]>>,
    /// Whether the values are raw datums of the configured schema. Otherwise each value names its schema.
    pub(super) are_datums: bool,
}

impl StoreAs {
    /// Whether the values need the registry's id of the configured schema.
    pub(super) fn needs_id(self, body: &ValidatedBody<'_>) -> bool {
        self == Self::Confluent && !matches!(body.origin, Origin::Framed(_))
    }

    /// The values that are stored. `id` is the registry's id of the configured schema, if it is [needed](Self::needs_id).
    pub(super) fn values<'a>(
        self,
        body: &'a ValidatedBody<'_>,
        received: &'a Bytes,
        id: Option<u32>,
    ) -> StoredValues<'a> {
        let datums = body.data.iter();
        match (self, &body.origin, id) {
            (Self::Confluent | Self::Received, Origin::Framed(_), _)
            | (Self::Received, Origin::SingleObject, _) => StoredValues {
                values: vec![Cow::Borrowed(received)],
                are_datums: false,
            },
            (Self::Confluent, _, Some(id)) => StoredValues {
                values: datums
                    .map(|datum| confluent::frame(id, datum).into())
                    .collect(),
                are_datums: false,
            },
            _ => StoredValues {
                values: datums.map(Cow::Borrowed).collect(),
                are_datums: true,
            },
        }
    }
}
