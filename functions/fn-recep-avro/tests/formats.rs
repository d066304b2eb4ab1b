//! Validates what the ingest function writes against the schemas in docs/schemas.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use avro::{Schema, container, single_object};
use serde_json::{Map, Value, json};
use testkit::agent::{Agent, Call, Reply};
use testkit::broker::Broker;
use testkit::records;
use testkit::schemas;

const TOPIC: &str = "orders";
const SCHEMA: &str = include_str!("../../../schemas/user.avsc");
const FORMATS: &str = include_str!("../../../docs/FORMATS.md");
const SYNC: [u8; 16] = [7; 16];

fn user(name: &str) -> Vec<u8> {
    let record = json!({"id": 1010, "name": name, "email": "e@x.org"});
    Schema::parse(SCHEMA).unwrap().from_json(&record).unwrap()
}

async fn function(bootstrap: &str, topic: &str) -> Agent {
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
        ("KAFKA_TOPIC", topic),
        ("MAX_BODY", "2MB"),
        ("MAX_RECORDS", "2"),
        ("PUBLISH_TIMEOUT", "1s"),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    Agent::start(program, &settings).await.unwrap()
}

fn post(body: impl Into<bytes::Bytes>) -> Call {
    Call::http("POST", "/", body)
}

fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

fn assert_valid(name: &str, value: &Value) {
    if let Err(error) = schemas::validate(name, value) {
        panic!("{error:#}");
    }
}

/// The problem document must be valid, and its type must be listed for this status.
fn assert_problem(reply: &Reply, status: u16) -> Value {
    let problem = json(reply);
    assert_eq!(reply.status, status, "{problem:#}");
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(problem["status"], status);
    assert_valid("problem", &problem);
    let kind = problem["type"].as_str().unwrap();
    let kind = kind.strip_prefix("urn:problem-type:frontdoor:").unwrap();
    let rows = FORMATS.lines().filter(|line| line.starts_with("| "));
    let mut listed =
        rows.filter(|row| row.contains(&status.to_string()) && row.contains(&format!("`{kind}`")));
    assert!(listed.next().is_some(), "{kind} is not in docs/FORMATS.md");
    problem
}

#[tokio::test]
async fn responses_and_messages_are_valid() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let mut function = function(broker.bootstrap(), TOPIC).await;
    let datum = post(user("Paul"))
        .header("Idempotency-Key", "\"a key\"")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .header("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
        .header("baggage", "tenant=a%20b;internal,user=1")
        .header("ce-specversion", "1.0")
        .header("ce-id", "A-1")
        .header("ce-source", "/users")
        .header("ce-type", "org.example.user");
    let reply = function.call(datum).await.unwrap();
    assert_eq!(reply.status, 202);
    assert!(json(&reply).is_object());
    assert_valid("accepted", &json(&reply));
    let records = [user("Ana"), user("Bruno")];
    let file = container::write(SCHEMA, SYNC, &[], &records);
    let reply = function
        .call(post(file).header("Idempotency-Key", "\"file\""))
        .await
        .unwrap();
    assert_eq!(json(&reply).as_array().unwrap().len(), 2);
    assert_valid("accepted", &json(&reply));

    let stored = records::all(broker.bootstrap(), TOPIC).unwrap();
    assert_eq!(stored.len(), 3);
    for name in ["traceparent", "tracestate", "baggage"] {
        assert!(
            stored.iter().any(|record| record.header(name).is_some()),
            "{name}"
        );
    }
    for message in stored {
        let text = |value: Option<Vec<u8>>| String::from_utf8(value.unwrap()).unwrap();
        let headers = message.headers.into_iter();
        let headers: Map<String, Value> = headers
            .map(|(name, value)| (name, text(value).into()))
            .collect();
        assert!(headers.contains_key("idempotency-key") && headers.contains_key("call-id"));
        assert_valid("message-headers", &Value::Object(headers));
    }
}

#[tokio::test]
async fn problems_with_a_request_are_valid() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let mut function = function(broker.bootstrap(), TOPIC).await;
    let datum = user("Paul");
    let with = |body: &[u8], name: &str, value: &str| post(body.to_vec()).header(name, value);
    let mut codec = container::write(SCHEMA, SYNC, &[], &[&datum]);
    let start = codec
        .windows(4)
        .rposition(|bytes| bytes == b"null")
        .unwrap();
    codec[start..start + 4].copy_from_slice(b"lzma");
    let other = Schema::parse(r#""string""#).unwrap();
    let mut cut = container::write(SCHEMA, SYNC, &[], &[&datum]);
    cut.pop();
    let cases = [
        (post(Vec::new()), 400),
        (with(b"~", "Content-Transfer-Encoding", "base64"), 400),
        (with(&datum, "Idempotency-Key", "\"open"), 400),
        (with(&datum, "ce-id", "A-1"), 400),
        (with(&datum, "ce-id", &"x".repeat(17_000)), 431),
        (Call::http("GET", "/", Vec::new()), 405),
        (post(vec![0; 2_000_001]), 413),
        (post(container::write(SCHEMA, SYNC, &[], &[&datum; 3])), 413),
        (post(user(&"x".repeat(1_048_588))), 413),
        (with(&datum, "Content-Type", "image/png"), 415),
        (with(&datum, "Content-Type", "application/json"), 422),
        (with(&datum, "Content-Encoding", "br"), 415),
        (post(datum[..datum.len() - 1].to_vec()), 422),
        (post(cut), 422),
        (post(codec), 422),
        (post(single_object(&other, b"\x02a")), 422),
        (
            post(container::write(other.json(), SYNC, &[], &[b"\x02a"])),
            422,
        ),
    ];
    for (call, status) in cases {
        let reply = function.call(call).await.unwrap();
        assert_problem(&reply, status);
    }
}

#[tokio::test]
async fn problems_with_the_broker_are_valid() {
    let broker = Broker::start().unwrap();
    broker.create_topic(TOPIC, 1).unwrap();
    let mut function = function(broker.bootstrap(), TOPIC).await;
    assert_eq!(function.call(post(user("Paul"))).await.unwrap().status, 202);
    broker.set_down().unwrap();
    let reply = function.call(post(user("Paul"))).await.unwrap();
    let problem = assert_problem(&reply, 503);
    assert!(["no", "maybe"].contains(&problem["stored"].as_str().unwrap()));
    let file = container::write(SCHEMA, SYNC, &[], &[user("Ana"), user("Bruno")]);
    let reply = function.call(post(file)).await.unwrap();
    assert_problem(&reply, 503);
}
