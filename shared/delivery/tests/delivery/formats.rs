//! What endpoints receive in each format.

use std::sync::Arc;

use avro::Schema;
use bytes::Bytes;
use delivery::request::{
    CloudEvents, EventMode, FixedShape, InvalidRecord, Json, JsonArray, JsonMapping, NdJson,
    PayloadFormat, Records, RequestShape, SchemaJson, Shape,
};
use delivery::{EndpointConfig, Order};
use http::Method;
use record::Message;
use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::harness::{Harness, message};

const SCHEMA: &str = r#"{"type":"record","name":"User","fields":[
    {"name":"id","type":"long"},{"name":"name","type":"string"}]}"#;
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn mapping() -> Arc<dyn JsonMapping> {
    Arc::new(SchemaJson::new(Schema::parse(SCHEMA).expect("schema")))
}

fn user(offset: i64) -> Message {
    let schema = Schema::parse(SCHEMA).expect("schema");
    let user = json!({"id": (1_i64 << 53) + 1, "name": format!("é {offset}")});
    Message {
        key: Some(Bytes::from_static("ké \"%".as_bytes())),
        value: Some(schema.from_json(&user).expect("datum").into()),
        timestamp: Some(1_700_000_000_123),
        headers: vec![(
            "traceparent".into(),
            Some(Bytes::from_static(TRACE.as_bytes())),
        )],
        ..message(3, offset)
    }
}

/// The requests for these records in a format.
fn requests(format: impl PayloadFormat + 'static, messages: Vec<Message>) -> Vec<Request> {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let count = messages.len();
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0] = EndpointConfig {
            format: Arc::new(format),
            batch_records: count,
            ..config.endpoints[0].clone()
        };
    });
    harness.offer(messages);
    harness.delivery.flush();
    harness.assert_outcomes(count, "delivered");
    endpoint.requests()
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[test]
fn json_is_the_record() {
    let requests = requests(Json::new(mapping()), vec![user(7)]);
    let [request] = &requests[..] else { panic!() };
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(
        request.header("idempotency-key"),
        Some("\"cluster/topic/3/7\"")
    );
    assert_eq!(request.header("traceparent"), Some(TRACE));
    assert_eq!(
        request.body,
        "{\"id\":9007199254740993,\"name\":\"é 7\"}".as_bytes()
    );
}

#[test]
fn an_item_of_a_json_batch_has_key_and_coordinates() {
    let item = |offset: i64| {
        json!({
            "idempotency_key": format!("cluster/topic/3/{offset}"), "topic": "orders", "partition": 3, "offset": offset,
            "timestamp": 1_700_000_000_123_i64,
            "value": {"id": 9_007_199_254_740_993_i64, "name": format!("é {offset}")},
        })
    };
    let array = requests(JsonArray::new(mapping()), vec![user(7), user(8)]);
    assert_eq!(array.len(), 1);
    assert_eq!(array[0].header("content-type"), Some("application/json"));
    assert_eq!(array[0].header("idempotency-key"), None);
    assert_eq!(body(&array[0]), json!([item(7), item(8)]));
    let lines = requests(NdJson::new(mapping()), vec![user(7), user(8)]);
    assert_eq!(
        lines[0].header("content-type"),
        Some("application/x-ndjson")
    );
    let text = String::from_utf8(lines[0].body.to_vec()).expect("UTF-8");
    assert!(text.ends_with('\n'));
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines, [item(7), item(8)]);
}

fn event(offset: i64) -> Value {
    json!({
        "specversion": "1.0", "id": format!("cluster/topic/3/{offset}"), "source": "kafka:cluster/orders",
        "type": "User", "datacontenttype": "application/json", "time": "2023-11-14T22:13:20.123Z",
        "partitionkey": "ké \"%", "traceparent": TRACE,
        "kafkatopic": "orders", "kafkapartition": 3, "kafkaoffset": offset.to_string(),
        "data": {"id": 9_007_199_254_740_993_i64, "name": format!("é {offset}")},
    })
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let format = CloudEvents::new(EventMode::Binary, "User", None, mapping());
    let requests = requests(format, vec![user(7)]);
    let request = &requests[0];
    for (name, value) in [
        ("content-type", "application/json"),
        ("idempotency-key", "\"cluster/topic/3/7\""),
        ("traceparent", TRACE),
        ("ce-specversion", "1.0"),
        ("ce-id", "cluster/topic/3/7"),
        ("ce-source", "kafka:cluster/orders"),
        ("ce-type", "User"),
        ("ce-time", "2023-11-14T22:13:20.123Z"),
        ("ce-partitionkey", "k%C3%A9%20%22%25"),
        ("ce-kafkatopic", "orders"),
        ("ce-kafkapartition", "3"),
        ("ce-kafkaoffset", "7"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(body(request), event(7)["data"]);
}

#[test]
fn a_structured_event_and_a_batch_have_their_attributes_in_the_body() {
    let format = |mode| CloudEvents::new(mode, "User", None, mapping());
    let structured = requests(format(EventMode::Structured), vec![user(7)]);
    let content_type = structured[0].header("content-type");
    assert_eq!(content_type, Some("application/cloudevents+json"));
    assert_eq!(body(&structured[0]), event(7));
    let batched = requests(format(EventMode::Batched), vec![user(7), user(8)]);
    let content_type = batched[0].header("content-type");
    assert_eq!(content_type, Some("application/cloudevents-batch+json"));
    assert_eq!(body(&batched[0]), json!([event(7), event(8)]));
}

#[test]
fn attributes_without_a_valid_value_are_left_out() {
    for key in [
        None,
        Some(&b""[..]),
        Some(b"\xff"),
        Some(b"a\r\nb"),
        Some("\u{ffff}".as_bytes()),
    ] {
        let message = Message {
            key: key.map(Bytes::from_static),
            timestamp: Some(i64::MAX),
            ..user(7)
        };
        let source = Some("/users".to_owned());
        let format = CloudEvents::new(EventMode::Binary, "User", source, mapping());
        let requests = requests(format, vec![message]);
        assert_eq!(requests[0].header("ce-source"), Some("/users"));
        assert_eq!(requests[0].header("ce-partitionkey"), None, "{key:?}");
        assert_eq!(requests[0].header("ce-time"), None);
    }
}

#[test]
fn a_time_up_to_the_end_of_9999_is_an_attribute() {
    for (timestamp, expected) in [
        (-62_167_219_200_001, None),
        (-62_167_219_200_000, Some("0000-01-01T00:00:00Z")),
        (-1, Some("1969-12-31T23:59:59.999Z")),
        (253_402_300_799_000, Some("9999-12-31T23:59:59Z")),
        (253_402_300_799_999, Some("9999-12-31T23:59:59.999Z")),
        (253_402_300_800_000, None),
    ] {
        let message = Message {
            timestamp: Some(timestamp),
            ..user(7)
        };
        let format = CloudEvents::new(EventMode::Binary, "User", None, mapping());
        let requests = requests(format, vec![message]);
        assert_eq!(requests[0].header("ce-time"), expected, "{timestamp}");
    }
}

#[test]
fn a_method_is_used() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].shape = Arc::new(FixedShape(Method::PUT));
    });
    harness.offer([message(0, 0)]);
    harness.assert_outcomes(1, "delivered");
    assert_eq!(endpoint.requests()[0].method, "PUT");
}

/// Sends tombstones as DELETE.
#[derive(Debug)]
struct Deletes;

impl RequestShape for Deletes {
    fn shape(&self, records: &Records<'_>) -> Result<Shape, InvalidRecord> {
        let is_tombstone = |message: &Message| message.value.is_none();
        let method = match records.messages().iter().any(is_tombstone) {
            true => Method::DELETE,
            false => Method::POST,
        };
        FixedShape(method).shape(records)
    }

    fn accepts_tombstones(&self) -> bool {
        true
    }
}

#[test]
fn a_tombstone_has_a_request_without_a_body_also_with_batches() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].format = Arc::new(JsonArray::new(mapping()));
        config.endpoints[0].batch_records = 10;
        config.endpoints[0].order = Order::Partition;
        config.endpoints[0].shape = Arc::new(Deletes);
    });
    let tombstone = |offset| Message {
        value: None,
        payload: None,
        ..user(offset)
    };
    harness.offer([user(0), user(1), tombstone(2), tombstone(3), user(4)]);
    harness.assert_outcomes(5, "delivered");
    let requests = endpoint.requests();
    let deletes: Vec<_> = requests
        .iter()
        .filter(|request| request.method == "DELETE")
        .collect();
    assert_eq!(deletes.len(), 2);
    for (request, key) in deletes
        .iter()
        .zip(["cluster/topic/3/2", "cluster/topic/3/3"])
    {
        let key = format!("{key:?}");
        assert_eq!(request.header("idempotency-key"), Some(&*key));
        assert_eq!(request.header("content-type"), None);
        assert!(request.body.is_empty());
    }
}
