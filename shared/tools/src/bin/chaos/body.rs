//! Reads the records of a request in each form, without the code under test.

use serde_json::{Map, Value};
use testkit::container::Batch;
use testkit::endpoint::Request;
use testkit::user::User;

use crate::checker::FINGERPRINT;
use crate::form::Form;

/// What a request contains.
#[derive(Debug)]
pub(crate) struct Body {
    /// The form of the body.
    pub(crate) form: Form,
    /// The records.
    pub(crate) items: Vec<Item>,
    /// The request names the schema of the job as that of the records, if its form can name a schema.
    pub(crate) names_schema: bool,
}

/// A record in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// The record as a datum of the job's schema.
    pub(crate) datum: Vec<u8>,
    /// Its idempotency key.
    pub(crate) key: String,
    /// Its partition and offset, if the form has them.
    pub(crate) place: Option<(i32, i64)>,
}

impl Body {
    /// Reads a request; `None` if its body is malformed, or contradicts its headers.
    pub(crate) fn read(request: &Request) -> Option<Self> {
        let body = &request.body;
        let (form, items) = match request.header("content-type")? {
            "application/octet-stream" => {
                let item = Item {
                    datum: body.to_vec(),
                    key: header_key(request)?,
                    place: None,
                };
                (Form::Datum, vec![item])
            }
            "application/vnd.apache.avro" => (Form::ContainerFile, container(body)?),
            "application/json" if request.header("ce-specversion").is_some() => {
                (Form::BinaryEvent, vec![binary_event(request)?])
            }
            "application/json" if body.starts_with(b"{") => {
                let item = Item {
                    datum: datum(&serde_json::from_slice(body).ok()?)?,
                    key: header_key(request)?,
                    place: None,
                };
                (Form::Json, vec![item])
            }
            "application/json" => (Form::JsonArray, array(body, item)?),
            "application/x-ndjson" => {
                let lines = body.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
                let items = lines.map(|line| item(&serde_json::from_slice(line).ok()?));
                (Form::NdJson, items.collect::<Option<_>>()?)
            }
            "application/cloudevents+json" => {
                let item = event(&serde_json::from_slice(body).ok()?)?;
                if header_key(request)? != item.key {
                    return None;
                }
                (Form::StructuredEvent, vec![item])
            }
            "application/cloudevents-batch+json" => (Form::EventBatch, array(body, event)?),
            _ => return None,
        };
        let names_schema = match form {
            Form::ContainerFile => has_schema(body),
            Form::JsonArray | Form::NdJson | Form::EventBatch => true,
            _ => request.header("avro-schema-fingerprint") == Some(FINGERPRINT),
        };
        Some(Self {
            form,
            items,
            names_schema,
        })
    }
}

/// The idempotency key of a request with one record.
fn header_key(request: &Request) -> Option<String> {
    let quoted = request.header("idempotency-key")?;
    let key = quoted.strip_prefix('"')?.strip_suffix('"')?;
    Some(key.to_owned())
}

fn container(body: &[u8]) -> Option<Vec<Item>> {
    let batch = Batch::read(body)?;
    let (data, keys) = (batch.data(User::length)?, batch.keys());
    let items = data.into_iter().zip(&keys).map(|(datum, key)| Item {
        datum,
        key: key.clone(),
        place: None,
    });
    let items: Vec<Item> = items.collect();
    (items.len() == keys.len() && !items.is_empty()).then_some(items)
}

/// Whether a container file has the fields of the job's schema.
fn has_schema(body: &[u8]) -> bool {
    let batch = Batch::read(body);
    let json = batch.and_then(|batch| batch.metadata.get("avro.schema").cloned());
    let schema = json.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let fields = schema.and_then(|schema| schema["fields"].as_array().cloned());
    let names = fields.unwrap_or_default();
    names
        .iter()
        .map(|field| &field["name"])
        .eq(&["id", "name", "email"])
}

fn array(body: &[u8], read: fn(&Value) -> Option<Item>) -> Option<Vec<Item>> {
    let values: Vec<Value> = serde_json::from_slice(body).ok()?;
    values.iter().map(read).collect()
}

/// The datum of a record as JSON. It has all fields and no other member.
fn datum(value: &Value) -> Option<Vec<u8>> {
    let members = value.as_object()?;
    let text = |name: &str| Some(members.get(name)?.as_str()?.to_owned());
    let user = User {
        id: members.get("id")?.as_i64()?.try_into().ok()?,
        name: text("name")?,
        email: text("email")?,
    };
    (members.len() == 3).then(|| user.encode())
}

/// A record of a JSON array, or of JSON lines.
fn item(value: &Value) -> Option<Item> {
    value["timestamp"].as_i64()?;
    let partition = value["partition"].as_i64()?.try_into().ok()?;
    Some(Item {
        datum: datum(&value["value"])?,
        key: value["idempotency_key"].as_str()?.to_owned(),
        place: Some((partition, value["offset"].as_i64()?)),
    })
}

/// A CloudEvent in the JSON format.
fn event(value: &Value) -> Option<Item> {
    let attributes = value.as_object()?;
    let partition = attributes.get("kafkapartition")?.as_i64()?;
    of_event(attributes, partition, datum(attributes.get("data")?)?)
}

/// A CloudEvent whose attributes are headers.
fn binary_event(request: &Request) -> Option<Item> {
    const NAMES: [&str; 6] = ["specversion", "id", "source", "type", "time", "kafkaoffset"];
    let header = |name: &str| percent_decoded(request.header(&format!("ce-{name}"))?);
    let mut attributes = Map::new();
    for name in NAMES {
        attributes.insert(name.to_owned(), header(name)?.into());
    }
    attributes.insert("datacontenttype".to_owned(), "application/json".into());
    let partition = header("kafkapartition")?.parse().ok()?;
    let datum = datum(&serde_json::from_slice(&request.body).ok()?)?;
    let item = of_event(&attributes, partition, datum)?;
    (header_key(request)? == item.key).then_some(item)
}

fn of_event(attributes: &Map<String, Value>, partition: i64, datum: Vec<u8>) -> Option<Item> {
    let text = |name: &str| attributes.get(name)?.as_str();
    let is_valid = text("specversion")? == "1.0"
        && text("type")? == "User"
        && text("datacontenttype")? == "application/json"
        && text("source")?.starts_with("kafka:")
        && !text("time")?.is_empty();
    is_valid.then_some(Item {
        datum,
        key: text("id")?.to_owned(),
        place: Some((
            partition.try_into().ok()?,
            text("kafkaoffset")?.parse().ok()?,
        )),
    })
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = tail;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    const FORMS_OF_EVENTS: [&str; 2] = [
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
    ];

    fn request(content_type: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Request {
        let all = [("content-type", content_type)];
        Request {
            number: 0,
            connection: 0,
            turn: 0,
            at: Instant::now(),
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: all
                .iter()
                .chain(headers)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: body.into().into(),
            answered: None,
        }
    }

    fn record() -> Value {
        json!({"id": 1010, "name": "é", "email": "é@example.com"})
    }

    fn expected(place: Option<(i32, i64)>) -> Item {
        Item {
            datum: User::new(1010, "é").encode(),
            key: "c/t/3/7".to_owned(),
            place,
        }
    }

    fn event_value() -> Value {
        json!({
            "specversion": "1.0", "id": "c/t/3/7", "source": "kafka:c/t", "type": "User", "time": "2026-11-27T00:00:00Z",
            "datacontenttype": "application/json", "kafkapartition": 3, "kafkaoffset": "7", "data": record(),
        })
    }

    fn item_value() -> Value {
        json!({
            "idempotency_key": "c/t/3/7", "topic": "t", "partition": 3, "offset": 7, "timestamp": 1, "value": record(),
        })
    }

    const KEY: (&str, &str) = ("idempotency-key", "\"c/t/3/7\"");

    #[test]
    fn each_form_is_read() {
        let place = Some((3, 7));
        let schema = ("avro-schema-fingerprint", FINGERPRINT);
        let event_headers = [
            KEY,
            schema,
            ("ce-specversion", "1.0"),
            ("ce-id", "c/t%2F3/7"),
            ("ce-source", "kafka:c/t"),
            ("ce-type", "User"),
            ("ce-time", "2026-11-27T00:00:00Z"),
            ("ce-kafkapartition", "3"),
            ("ce-kafkaoffset", "7"),
        ];
        let two = |value: Value| json!([value, value]).to_string();
        let lines = format!("{0}\n{0}\n", item_value());
        for (form, content_type, headers, body, place, count) in [
            (
                Form::Json,
                "application/json",
                &[KEY, schema][..],
                record().to_string(),
                None,
                1,
            ),
            (
                Form::JsonArray,
                "application/json",
                &[],
                two(item_value()),
                place,
                2,
            ),
            (Form::NdJson, "application/x-ndjson", &[], lines, place, 2),
            (
                Form::BinaryEvent,
                "application/json",
                &event_headers,
                record().to_string(),
                place,
                1,
            ),
            (
                Form::StructuredEvent,
                FORMS_OF_EVENTS[0],
                &[KEY, schema],
                event_value().to_string(),
                place,
                1,
            ),
            (
                Form::EventBatch,
                FORMS_OF_EVENTS[1],
                &[],
                two(event_value()),
                place,
                2,
            ),
        ] {
            let read = Body::read(&request(content_type, headers, body)).unwrap();
            assert_eq!(read.form, form);
            assert!(read.names_schema);
            assert_eq!(read.items, vec![expected(place); count]);
        }
        let datum = User::new(1010, "é").encode();
        let read = Body::read(&request("application/octet-stream", &[KEY], datum)).unwrap();
        assert_eq!(
            (read.items, read.names_schema),
            (vec![expected(None)], false)
        );
    }

    #[test]
    fn a_missing_member_or_another_key_is_malformed() {
        for name in [
            "specversion",
            "id",
            "source",
            "type",
            "time",
            "datacontenttype",
            "kafkapartition",
            "kafkaoffset",
            "data",
        ] {
            let mut event = event_value();
            event.as_object_mut().unwrap().remove(name);
            assert!(
                Body::read(&request(FORMS_OF_EVENTS[0], &[KEY], event.to_string())).is_none(),
                "{name}"
            );
            assert!(
                Body::read(&request(
                    FORMS_OF_EVENTS[1],
                    &[],
                    json!([event]).to_string()
                ))
                .is_none(),
                "{name}"
            );
        }
        for name in [
            "idempotency_key",
            "partition",
            "offset",
            "timestamp",
            "value",
        ] {
            let mut item = item_value();
            item.as_object_mut().unwrap().remove(name);
            let body = json!([item]).to_string();
            assert!(
                Body::read(&request("application/json", &[], body)).is_none(),
                "{name}"
            );
        }
        let other = [("idempotency-key", "\"c/t/3/8\"")];
        let event = event_value().to_string();
        assert!(Body::read(&request(FORMS_OF_EVENTS[0], &other, event)).is_none());
        let mut more = record();
        more["age"] = 1.into();
        assert!(Body::read(&request("application/json", &[KEY], more.to_string())).is_none());
        let line = item_value().to_string();
        assert!(Body::read(&request("application/x-ndjson", &[], line)).is_none());
    }
}
