//! The requests of each format of a route.

use std::io::Write;

use testkit::endpoint::Request;

use super::*;

const TIMESTAMP: i64 = 1_700_000_000_123;

/// The requests of a run over two records, for a route with these members.
fn requests(members: &str) -> Vec<Request> {
    let stage = Stage::accepting();
    let records: Vec<NewRecord> = ["one", "two"]
        .into_iter()
        .map(|name| NewRecord {
            key: Some(b"1010".to_vec()),
            headers: vec![("idempotency-key".to_owned(), Some(name.into()))],
            timestamp: Some(TIMESTAMP),
            ..NewRecord::to(0, user(1010, name))
        })
        .collect();
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, &records).unwrap();
    run_with(&stage, members).assert(0, &json!({"planned": 2, "delivered": 2}));
    let mut requests = stage.a.requests();
    requests.sort_by_key(|request| request.body.clone());
    requests
}

/// Runs with one route to A that takes every record.
pub(super) fn run_with(stage: &Stage, members: &str) -> Run {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let url = stage.a.url();
    write!(
        file,
        "version: 1\nroutes: [{{name: A, when: 'true', url: '{url}', {members}}}]"
    )
    .unwrap();
    let mut command = stage.forward(&["--order", "partition"]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path());
    Run::from_output(&command.output().unwrap())
}

fn data(name: &str) -> Value {
    json!({"id": 1010, "name": name, "email": "e@x.org"})
}

fn item(offset: i64, name: &str) -> Value {
    json!({
        "idempotency_key": name, "topic": TOPIC, "partition": 0, "offset": offset, "timestamp": TIMESTAMP,
        "value": data(name),
    })
}

fn event(offset: i64, name: &str, event_type: &str) -> Value {
    json!({
        "specversion": "1.0", "id": name, "source": "/orders", "type": event_type,
        "datacontenttype": "application/json", "time": "2023-11-14T22:13:20.123Z", "partitionkey": "1010",
        "kafkatopic": TOPIC, "kafkapartition": 0, "kafkaoffset": offset.to_string(), "data": data(name),
    })
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn assert_batch(request: &Request, content_type: &str) {
    assert_eq!(request.header("content-type"), Some(content_type));
    assert_eq!(request.header("idempotency-key"), None);
}

#[test]
fn a_json_request_is_the_record() {
    let requests = requests("format: json");
    assert_eq!(requests.len(), 2);
    for (request, name) in requests.iter().zip(["one", "two"]) {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            request.header("idempotency-key"),
            Some(&*format!("{name:?}"))
        );
        let text = format!(r#"{{"id":1010,"name":"{name}","email":"e@x.org"}}"#);
        assert_eq!(request.body, text.as_bytes());
    }
}

#[test]
fn a_batch_of_json_has_keys_and_coordinates() {
    let array = requests("format: json, batch: 10");
    assert_eq!(array.len(), 1);
    assert_batch(&array[0], "application/json");
    assert_eq!(body(&array[0]), json!([item(0, "one"), item(1, "two")]));

    let lines = requests("format: ndjson, batch: 10");
    assert_eq!(lines.len(), 1);
    assert_batch(&lines[0], "application/x-ndjson");
    let text = String::from_utf8(lines[0].body.to_vec()).unwrap();
    let items: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(items, [item(0, "one"), item(1, "two")]);
}

#[test]
fn a_binary_event_has_its_attributes_in_headers() {
    let requests = requests("format: {cloudevents: {mode: binary, source: /orders}}");
    let request = &requests[0];
    assert_eq!(body(request), data("one"));
    for (name, expected) in [
        ("content-type", "application/json"),
        ("idempotency-key", "\"one\""),
        ("ce-specversion", "1.0"),
        ("ce-id", "one"),
        ("ce-source", "/orders"),
        ("ce-type", "User"),
        ("ce-time", "2023-11-14T22:13:20.123Z"),
        ("ce-partitionkey", "1010"),
        ("ce-kafkatopic", TOPIC),
        ("ce-kafkapartition", "0"),
        ("ce-kafkaoffset", "0"),
    ] {
        assert_eq!(request.header(name), Some(expected), "{name}");
    }
}

#[test]
fn structured_and_batched_events_are_in_the_body() {
    let structured =
        requests("format: {cloudevents: {mode: structured, type: org.user, source: /orders}}");
    assert_eq!(structured.len(), 2);
    let content_type = structured[0].header("content-type");
    assert_eq!(content_type, Some("application/cloudevents+json"));
    assert_eq!(body(&structured[0]), event(0, "one", "org.user"));

    let batched = requests("format: {cloudevents: {mode: batched, source: /orders}}, batch: 10");
    assert_eq!(batched.len(), 1);
    assert_batch(&batched[0], "application/cloudevents-batch+json");
    let events = json!([event(0, "one", "User"), event(1, "two", "User")]);
    assert_eq!(body(&batched[0]), events);
}

#[test]
fn an_avro_request_is_a_datum_or_a_container_file() {
    let datums = requests("format: avro");
    assert_eq!(datums.len(), 2);
    assert_eq!(datums[0].body, user(1010, "one"));
    let file = requests("format: avro, batch: 10");
    assert_eq!(file.len(), 1);
    assert_batch(&file[0], "application/vnd.apache.avro");
    assert!(file[0].body.starts_with(b"Obj\x01"));
}

#[test]
fn a_record_without_json_is_a_dead_letter_with_the_reason() {
    // Valid, because only Node counts for the depth of a datum. JSON counts every record.
    const SCHEMA: &str = r#"{"type":"record","name":"Node","fields":[
        {"name":"a","type":{"type":"record","name":"A","fields":[
            {"name":"b","type":{"type":"record","name":"B","fields":[
                {"name":"next","type":["null","Node"]}]}}]}}]}"#;
    let stage = Stage::accepting();
    let mut deep = vec![2; 220];
    deep.push(0);
    stage.write_to(0, vec![deep, vec![0]]);
    let mut schema = tempfile::NamedTempFile::new().unwrap();
    schema.write_all(SCHEMA.as_bytes()).unwrap();
    let mut routes = tempfile::NamedTempFile::new().unwrap();
    let url = stage.a.url();
    write!(
        routes,
        "version: 1\nroutes: [{{name: A, when: 'true', url: '{url}', format: json}}]"
    )
    .unwrap();
    let mut command = stage.forward(&[]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("AVRO_SCHEMA", schema.path())
        .env("ROUTES", routes.path());
    let run = Run::from_output(&command.output().unwrap());
    run.assert(
        10,
        &json!({"planned": 2, "delivered": 1, "dead_lettered": 1}),
    );
    assert_eq!(stage.a.count(), 1);
    let letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    let header = |name| letters[0].header(name).unwrap();
    assert_eq!(header("frontdoor.cause"), "invalid-request");
    assert_eq!(header("frontdoor.route"), "A");
    assert_eq!(header("__connect.errors.stage"), "TRANSFORMATION");
}
