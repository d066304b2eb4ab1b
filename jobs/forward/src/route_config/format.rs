//! The format of a route's request bodies.

use std::sync::Arc;

use avro::Schema;
use delivery::request::{
    CloudEvents, ContainerFile, Datum, EventMode, Json, JsonArray, JsonMapping, NdJson,
    PayloadFormat, SchemaJson,
};
use serde::Deserialize;

const MAX_ATTRIBUTE: usize = 1_024;

/// The format of request bodies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// A datum; with batches a container file.
    #[default]
    Avro,
    /// A JSON object; with batches an array.
    Json,
    /// JSON lines.
    NdJson,
    /// CloudEvents with JSON data.
    CloudEvents {
        /// How an event is in a request.
        mode: EventMode,
        /// The attribute `type`; `None`: the schema's full name.
        event_type: Option<String>,
        /// The attribute `source`; `None`: cluster and topic.
        source: Option<String>,
    },
}

/// The format, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormatText {
    Avro,
    Json,
    NdJson,
    CloudEvents(CloudEventsText),
}

/// The members of `cloudevents`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CloudEventsText {
    mode: ModeText,
    r#type: Option<String>,
    source: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeText {
    Binary,
    Structured,
    Batched,
}

impl Format {
    /// Checks the text of a route that has requests of up to `batch` records.
    ///
    /// # Errors
    /// An attribute is invalid, or the format has no batches.
    pub(super) fn resolve(text: Option<FormatText>, batch: usize) -> Result<Self, String> {
        let CloudEventsText {
            mode,
            r#type,
            source,
        } = match text {
            None | Some(FormatText::Avro) => return Ok(Self::Avro),
            Some(FormatText::Json) => return Ok(Self::Json),
            Some(FormatText::NdJson) => return Ok(Self::NdJson),
            Some(FormatText::CloudEvents(events)) => events,
        };
        let mode = match mode {
            ModeText::Binary => EventMode::Binary,
            ModeText::Structured => EventMode::Structured,
            ModeText::Batched => EventMode::Batched,
        };
        if batch > 1 && mode != EventMode::Batched {
            return Err(format!(
                "batch is {batch}, and a request of cloudevents in this mode holds one event: use mode batched, or batch 1"
            ));
        }
        for (name, value) in [("type", &r#type), ("source", &source)] {
            let is_valid = |text: &String| {
                (1..=MAX_ATTRIBUTE).contains(&text.len()) && !text.chars().any(char::is_control)
            };
            if value.as_ref().is_some_and(|text| !is_valid(text)) {
                return Err(format!(
                    "the {name} of cloudevents must have 1 to {MAX_ATTRIBUTE} bytes without control characters"
                ));
            }
        }
        // A URI-reference (RFC 3986) has no spaces and only ASCII.
        if source
            .as_ref()
            .is_some_and(|text| !text.chars().all(|c| c.is_ascii_graphic()))
        {
            return Err("the source of cloudevents must be a URI reference".to_owned());
        }
        Ok(Self::CloudEvents {
            mode,
            event_type: r#type,
            source,
        })
    }

    /// Whether requests contain datums of any schema unchanged, if they hold one record.
    pub fn keeps_datums(&self) -> bool {
        *self == Self::Avro
    }

    /// The format for datums of this schema, in requests of up to `batch` records. `body`: the JSON of a record; `None`:
    /// the record itself.
    pub fn payload(
        &self,
        schema: &Schema,
        batch: usize,
        body: Option<Arc<dyn JsonMapping>>,
    ) -> Arc<dyn PayloadFormat> {
        let mapping = body.unwrap_or_else(|| Arc::new(SchemaJson::new(schema.clone())));
        match self {
            Self::Avro if batch > 1 => Arc::new(ContainerFile::new(schema.json())),
            Self::Avro => Arc::new(Datum),
            Self::Json if batch > 1 => Arc::new(JsonArray::new(mapping)),
            Self::Json => Arc::new(Json::new(mapping)),
            Self::NdJson => Arc::new(NdJson::new(mapping)),
            Self::CloudEvents {
                mode,
                event_type,
                source,
            } => {
                let event_type = event_type.as_deref().unwrap_or(schema.name());
                Arc::new(CloudEvents::new(*mode, event_type, source.clone(), mapping))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RouteConfig;
    use super::*;
    use settings::Settings;

    fn format(members: &str) -> Result<Format, String> {
        let text = format!(
            "version: 1\nroutes:\n- {{name: A, when: 'true', url: 'http://a', {members}}}\n"
        );
        let routes = RouteConfig::parse(&text, &Settings::default())?;
        Ok(routes[0].format.clone())
    }

    #[test]
    fn each_format_is_accepted() {
        for (members, expected) in [
            ("", Format::Avro),
            ("format: avro, batch: 2", Format::Avro),
            ("format: json, batch: 2", Format::Json),
            ("format: ndjson", Format::NdJson),
            (
                "format: {cloudevents: {mode: binary}}",
                Format::CloudEvents {
                    mode: EventMode::Binary,
                    event_type: None,
                    source: None,
                },
            ),
            (
                "format: {cloudevents: {mode: batched, type: a.b, source: /s}}, batch: 9",
                Format::CloudEvents {
                    mode: EventMode::Batched,
                    event_type: Some("a.b".to_owned()),
                    source: Some("/s".to_owned()),
                },
            ),
        ] {
            assert_eq!(format(members), Ok(expected), "{members}");
        }
    }

    #[test]
    fn an_invalid_format_is_an_error_at_the_start() {
        for (members, expected) in [
            ("format: xml", "unknown variant"),
            ("format: {cloudevents: {}}", "missing field `mode`"),
            ("format: {cloudevents: {mode: x}}", "unknown variant"),
            (
                "format: {cloudevents: {mode: binary, id: 1}}",
                "unknown field `id`",
            ),
            (
                "format: {cloudevents: {mode: structured}}, batch: 2",
                "use mode batched",
            ),
            (
                "format: {cloudevents: {mode: binary, type: ''}}",
                "the type of cloudevents must have 1",
            ),
            (
                "format: {cloudevents: {mode: binary, source: 'a b'}}",
                "must be a URI reference",
            ),
        ] {
            let error = format(members).unwrap_err();
            assert!(error.contains(expected), "{members}: {error}");
        }
    }
}
