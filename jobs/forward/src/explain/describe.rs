//! What is in a record, and what a run does with it. Pure.

use avro::confluent::{self, SchemaHeader, VALUE_SCHEMA_ID};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use offsets::progress::Class;
use record::Message;
use routes::Routes;
use runtime::text::hex;
use writer_schemas::{Found, SchemaRef, WriterSchema, WriterSchemas};

use super::report::{
    BytesReport, DecisionReport, Framing, RecordReport, RouteReport, SchemaReport,
};
use crate::dead_letter::Cause;
use crate::pipeline::{Destination, RecordRouter, schema_headers};
use crate::request_preview::{BodyEncoding, RequestPreview};
use crate::route_test::report::Action;

/// The most bytes of a record as JSON.
const MAX_JSON: usize = 1 << 20;

/// The number of bytes that are shown of a value that is not decoded.
const SHOWN_BYTES: usize = 64;

/// The content of a record, and the conditions of the routes for it. A schema that only the registry has must be known.
pub(crate) fn content(
    message: &Message,
    schemas: &WriterSchemas,
    routes: &Routes,
) -> (RecordReport, Vec<RouteReport>) {
    let headers = message.headers.iter();
    let mut report = RecordReport {
        timestamp: message.timestamp,
        key: message.key.as_deref().map(bytes),
        headers: headers
            .map(|(name, value)| (name.clone(), value.as_deref().map(bytes)))
            .collect(),
        size: message.value.as_ref().map(bytes::Bytes::len),
        framing: None,
        schema: None,
        value: None,
        fault: None,
        hex: None,
    };
    let Some(value) = message.value.as_deref() else {
        return (report, Vec::new());
    };
    let evaluated = match schemas.find(value, &schema_headers(&message.headers)) {
        Found::Known { schema, datum } => {
            let framing = framing(value, datum);
            report.framing = Some(framing);
            report.schema = Some(schema_report(schema, value, framing, message));
            decoded(schema, datum, schemas, routes, &mut report)
        }
        Found::Missing(reference) => Err(format!("the schema with {reference} is not known")),
        Found::Unknown(reason) => Err(reason),
    };
    match evaluated {
        Ok(routes) => (report, routes),
        Err(fault) => {
            report.fault = Some(fault);
            report.hex = Some(hex(&value[..value.len().min(SHOWN_BYTES)]));
            (report, Vec::new())
        }
    }
}

/// The schema that a record was written with, if it is known.
pub(crate) fn schema(message: &Message, schemas: &WriterSchemas) -> Option<SchemaReport> {
    let value = message.value.as_deref()?;
    match schemas.find(value, &schema_headers(&message.headers)) {
        Found::Known { schema, datum } => {
            Some(schema_report(schema, value, framing(value, datum), message))
        }
        Found::Missing(_) | Found::Unknown(_) => None,
    }
}

/// The routes for a datum, whose JSON is set.
///
/// # Errors
/// The datum is not valid, or has no value of the reader's schema.
fn decoded(
    schema: &WriterSchema,
    datum: &[u8],
    schemas: &WriterSchemas,
    routes: &Routes,
    report: &mut RecordReport,
) -> Result<Vec<RouteReport>, String> {
    let mut resolved = Vec::new();
    let datum = schema.resolve(datum, &mut resolved);
    let datum = datum.map_err(|error| error.to_string())?;
    let evaluations = routes.explain(datum).map_err(|fault| fault.to_string())?;
    match schemas.reader().to_json(datum) {
        Ok(json) if json.to_string().len() <= MAX_JSON => report.value = Some(json),
        Ok(_) => {
            report.fault = Some(format!("the record as JSON has more than {MAX_JSON} bytes"));
        }
        Err(fault) => report.fault = Some(fault.to_string()),
    }
    let mut is_taken = false;
    let reports = evaluations.into_iter().map(|evaluation| {
        let matches = evaluation.result.as_ref().ok().copied();
        let takes = matches == Some(true) && !is_taken;
        // A condition without a value ends the search for a route.
        is_taken |= matches != Some(false);
        RouteReport {
            route: evaluation.route,
            when: evaluation.when,
            matches,
            error: evaluation.result.err(),
            takes,
            fields: evaluation.fields,
        }
    });
    Ok(reports.collect())
}

/// What a run does with a message, and the class of its progress; `None` if it is skipped.
pub(super) fn decision(
    router: &mut RecordRouter<'_>,
    previews: &[RequestPreview],
    message: Message,
) -> (DecisionReport, Option<Class>) {
    let mut report = DecisionReport {
        action: Action::Skip,
        route: None,
        cause: None,
        reason: None,
        request: None,
    };
    let dead_letter = |report: &mut DecisionReport, cause: Cause, reason| {
        report.action = Action::DeadLetter;
        report.cause = Some(cause.name());
        report.reason = Some(reason);
    };
    match router.route_stored(message) {
        Destination::Skipped => (report, None),
        Destination::Stopped => {
            report.action = Action::Stop;
            (report, Some(previews.len()))
        }
        Destination::DeadLetter(cause, reason) => {
            dead_letter(&mut report, cause, reason);
            (report, Some(previews.len()))
        }
        Destination::Route(route, message) => {
            if let Some(preview) = previews.get(route) {
                report.route = Some(preview.route.clone());
                match preview.request(message) {
                    Ok(request) => {
                        report.action = Action::Deliver;
                        report.request = Some(request);
                    }
                    Err(reason) => dead_letter(&mut report, Cause::InvalidRequest, reason),
                }
            }
            (report, Some(route))
        }
    }
}

/// Bytes as text, or in base64.
fn bytes(bytes: &[u8]) -> BytesReport {
    match std::str::from_utf8(bytes) {
        Ok(text) => BytesReport {
            content: text.to_owned(),
            encoding: BodyEncoding::Text,
        },
        Err(_) => BytesReport {
            content: STANDARD.encode(bytes),
            encoding: BodyEncoding::Base64,
        },
    }
}

/// The datum is the end of the value. The framings have different lengths.
fn framing(value: &[u8], datum: &[u8]) -> Framing {
    match value.len() - datum.len() {
        0 => Framing::Raw,
        5 => Framing::Confluent,
        _ => Framing::SingleObject,
    }
}

fn schema_report(
    schema: &WriterSchema,
    value: &[u8],
    framing: Framing,
    message: &Message,
) -> SchemaReport {
    let registered = match framing {
        Framing::Confluent => confluent::split(value).map(|(id, _)| SchemaRef::Id(id)),
        Framing::SingleObject => None,
        Framing::Raw => {
            let mut headers = message.headers.iter();
            let header = headers.find(|(name, _)| name == VALUE_SCHEMA_ID);
            let header = header.and_then(|(_, value)| SchemaHeader::parse(value.as_deref()?));
            header.map(|header| match header {
                SchemaHeader::Id(id) => SchemaRef::Id(id),
                SchemaHeader::Guid(guid) => SchemaRef::Guid(guid),
            })
        }
    };
    SchemaReport {
        name: schema.schema().name().to_owned(),
        fingerprint: hex(&schema.schema().fingerprint()),
        registered: registered.map(|reference| reference.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use avro::Schema;
    use record::Coordinates;
    use routes::RouteDefinition;
    use serde_json::json;

    use super::*;

    const READER: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"id","type":"int"},{"name":"n","type":"int","default":5}]}"#;
    const OLDER: &str = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#;

    fn described(value: Option<Vec<u8>>) -> (RecordReport, Vec<RouteReport>) {
        let [reader, older] = [READER, OLDER].map(|json| Schema::parse(json).unwrap());
        let definitions = ["10 / id == 5", "n == 5", "true"].map(|when| RouteDefinition {
            name: when.to_owned(),
            when: when.to_owned(),
        });
        let routes = Routes::compile(definitions.to_vec(), &reader).unwrap();
        let mut schemas = WriterSchemas::new(&reader, &[older], true);
        schemas.add(SchemaRef::Id(7), OLDER, &[]).unwrap();
        let message = Message {
            at: Coordinates::parse("t/0@1", None).unwrap(),
            key: Some(vec![0xff].into()),
            value: value.map(Into::into),
            payload: None,
            origin: None,
            headers: vec![("h".to_owned(), None)],
            timestamp: None,
            client_key: None,
        };
        content(&message, &schemas, &routes)
    }

    #[test]
    fn the_record_is_shown_as_the_routes_see_it() {
        let older = Schema::parse(OLDER).unwrap();
        let framed = [
            (
                avro::single_object(&older, &[2]),
                Framing::SingleObject,
                None,
            ),
            (confluent::frame(7, &[2]), Framing::Confluent, Some("id 7")),
            (vec![2, 10], Framing::Raw, None),
        ];
        for (value, framing, registered) in framed {
            let (record, routes) = described(Some(value));
            assert_eq!(record.framing, Some(framing));
            assert_eq!(record.schema.unwrap().registered.as_deref(), registered);
            assert_eq!(record.value, Some(json!({"id": 1, "n": 5})));
            let matches: Vec<_> = routes
                .iter()
                .map(|route| (route.matches, route.takes))
                .collect();
            assert_eq!(
                matches,
                [
                    (Some(false), false),
                    (Some(true), true),
                    (Some(true), false)
                ]
            );
            assert_eq!(record.key.unwrap().encoding, BodyEncoding::Base64);
        }
    }

    #[test]
    fn a_condition_without_a_value_ends_the_search() {
        let (_, routes) = described(Some(vec![0, 10]));
        assert!(routes[0].error.as_ref().unwrap().contains("zero"));
        assert!(routes.iter().all(|route| !route.takes));
    }

    #[test]
    fn a_value_that_is_not_decoded_is_shown_as_bytes() {
        for value in [vec![0xff; 100], confluent::frame(8, &[2]), Vec::new()] {
            let shown = hex(&value[..value.len().min(64)]);
            let (record, routes) = described(Some(value));
            assert!(record.fault.is_some() && record.value.is_none() && routes.is_empty());
            assert_eq!(record.hex, Some(shown));
        }
        let (tombstone, _) = described(None);
        assert_eq!((tombstone.size, tombstone.fault), (None, None));
    }
}
