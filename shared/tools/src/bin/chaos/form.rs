//! The forms in which an endpoint receives records.

use serde_json::{Value, json};

use crate::rng::Rng;

/// The form of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An Avro datum.
    Datum,
    /// An Avro container file.
    ContainerFile,
    /// A JSON object.
    Json,
    /// A JSON array.
    JsonArray,
    /// A JSON value on each line.
    NdJson,
    /// A CloudEvent in headers and body.
    BinaryEvent,
    /// A CloudEvent in the body.
    StructuredEvent,
    /// An array of CloudEvents.
    EventBatch,
}

impl Form {
    /// All forms.
    pub(crate) const ALL: [Self; 8] = [
        Self::Datum,
        Self::ContainerFile,
        Self::Json,
        Self::JsonArray,
        Self::NdJson,
        Self::BinaryEvent,
        Self::StructuredEvent,
        Self::EventBatch,
    ];

    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Datum => "Avro datum",
            Self::ContainerFile => "Avro container file",
            Self::Json => "JSON",
            Self::JsonArray => "JSON array",
            Self::NdJson => "JSON lines",
            Self::BinaryEvent => "CloudEvents, binary",
            Self::StructuredEvent => "CloudEvents, structured",
            Self::EventBatch => "CloudEvents, batched",
        }
    }

    /// The member `format` of a route.
    pub(crate) fn format(self) -> Value {
        match self {
            Self::Datum | Self::ContainerFile => json!("avro"),
            Self::Json | Self::JsonArray => json!("json"),
            Self::NdJson => json!("ndjson"),
            Self::BinaryEvent => json!({"cloudevents": {"mode": "binary"}}),
            Self::StructuredEvent => json!({"cloudevents": {"mode": "structured"}}),
            Self::EventBatch => json!({"cloudevents": {"mode": "batched"}}),
        }
    }

    /// A random batch size of a route with this form.
    pub(crate) fn batch(self, rng: &mut Rng) -> usize {
        let sizes = match self {
            Self::Datum | Self::Json | Self::BinaryEvent | Self::StructuredEvent => [1, 1, 1],
            Self::ContainerFile | Self::JsonArray => [8, 8, 25],
            Self::NdJson | Self::EventBatch => [1, 8, 25],
        };
        sizes[rng.below(sizes.len() as u64) as usize]
    }
}
