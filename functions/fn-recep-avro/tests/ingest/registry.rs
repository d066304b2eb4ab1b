//! A schema registry: framed bodies, and values that are stored with an id.

use std::time::{Duration, Instant};

use avro::{Schema, confluent};
use serde_json::{Value, json};
use testkit::agent::{Agent, Reply};
use testkit::endpoint::{Answer, Endpoint, Request};

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, expect_status, values};

const BUILT_IN: u32 = 1;
const WIDER: u32 = 2;
const OTHER: u32 = 3;
const WIDER_SCHEMA: &str = r#"{"type":"record","name":"User","fields":[
    {"name":"id","type":"int"},{"name":"age","type":"int"},
    {"name":"name","type":"string"},{"name":"email","type":"string"}]}"#;
const OTHER_SCHEMA: &str =
    r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}"#;

/// A registry with the API of Confluent's. The built-in schema is registered under `ingest-value` if `has_subject`.
fn registry(has_subject: bool) -> Endpoint {
    Endpoint::start(move |request| {
        let path = request.target.split('?').next().unwrap_or_default();
        let schema = |text: &str| Answer::ok().body(json!({"schema": text}).to_string());
        match (request.method.as_str(), path) {
            ("GET", "/schemas/ids/1") => schema(avro::BUILT_IN_SCHEMA.1),
            ("GET", "/schemas/ids/2") => schema(WIDER_SCHEMA),
            ("GET", "/schemas/ids/3") => schema(OTHER_SCHEMA),
            ("GET", "/schemas/ids/4") => schema("not a schema"),
            ("POST", "/subjects/ingest-value") if has_subject => id(),
            ("POST", "/subjects/ingest-value/versions") => id(),
            _ => Answer::status(404)
                .body(json!({"error_code": 40403, "message": "not found"}).to_string()),
        }
    })
    .unwrap()
}

fn id() -> Answer {
    Answer::ok().body(json!({"id": BUILT_IN}).to_string())
}

async fn function(fixture: &Fixture, registry: &Endpoint, more: &[(&'static str, &str)]) -> Agent {
    let url = registry.url();
    let mut settings = vec![
        ("SCHEMA_REGISTRY_URL", url.as_str()),
        ("SCHEMA_REGISTRY_TIMEOUT", "500ms"),
    ];
    settings.extend_from_slice(more);
    fixture.function_with(&settings).await
}

fn wider() -> Vec<u8> {
    let value = json!({"id": 1010, "age": 7, "name": "Ann", "email": "e@x.org"});
    let datum = Schema::parse(WIDER_SCHEMA).unwrap().from_json(&value);
    confluent::frame(WIDER, &datum.unwrap())
}

fn problem(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let kind = body["type"].as_str().unwrap();
    kind.trim_start_matches("urn:problem-type:frontdoor:")
        .to_owned()
}

fn requests(registry: &Endpoint, matches: impl Fn(&Request) -> bool) -> usize {
    registry
        .requests()
        .iter()
        .filter(|request| matches(request))
        .count()
}

#[tokio::test]
async fn a_framed_body_is_validated_by_its_id_and_stored_as_a_datum() {
    let (fixture, registry) = (Fixture::new(), registry(false));
    let mut function = function(&fixture, &registry, &[]).await;
    for _ in 0..3 {
        expect_status(&mut function, confluent::frame(BUILT_IN, &paul()), 202).await;
        expect_status(&mut function, wider(), 202).await;
    }
    expect_status(&mut function, paul(), 202).await;
    let mut expected = vec![paul(); 4];
    expected.extend(vec![user(1010, "Ann", "e@x.org"); 3]);
    expected.sort();
    let stored = fixture.stored();
    assert_eq!(values(&stored), expected);
    assert!(
        stored
            .iter()
            .all(|record| record.header("avro-schema-fingerprint").is_some())
    );
    assert_eq!(registry.count(), 2, "one request for each id");
}

#[tokio::test]
async fn faults_of_a_framed_body_are_told_apart() {
    let (fixture, registry) = (Fixture::new(), registry(false));
    let mut function = function(&fixture, &registry, &[]).await;
    let mut trailing = confluent::frame(BUILT_IN, &paul());
    trailing.push(0);
    for (body, kind) in [
        (confluent::frame(999, &paul()), "unknown-schema"),
        (confluent::frame(4, &paul()), "unknown-schema"),
        // The same again, when the function knows that it is not valid.
        (confluent::frame(4, &paul()), "unknown-schema"),
        (confluent::frame(BUILT_IN, b"x"), "malformed-datum"),
        (trailing, "malformed-datum"),
        (confluent::frame(OTHER, &[2]), "schema-mismatch"),
    ] {
        let reply = expect_status(&mut function, body, 422).await;
        assert_eq!(problem(&reply), kind, "{reply:?}");
    }
    // A raw datum whose id is 0 begins like a framed one.
    let zero = user(0, "abcd", "e@x.org");
    assert!(confluent::split(&zero).is_some());
    expect_status(&mut function, zero.clone(), 202).await;
    assert_eq!(values(&fixture.stored()), [zero]);
}

#[tokio::test]
async fn values_can_be_stored_with_the_id() {
    let (fixture, registry) = (Fixture::new(), registry(true));
    let mut function = function(&fixture, &registry, &[("STORE_AS", "confluent")]).await;
    for _ in 0..3 {
        expect_status(&mut function, paul(), 202).await;
    }
    expect_status(&mut function, wider(), 202).await;
    let mut expected = vec![confluent::frame(BUILT_IN, &paul()); 3];
    expected.push(wider());
    let stored = fixture.stored();
    assert_eq!(values(&stored), expected);
    assert!(
        stored
            .iter()
            .all(|record| record.header("content-type").is_none())
    );
    assert!(
        stored
            .iter()
            .all(|record| record.key.as_deref() == Some(b"1010"))
    );
    assert_eq!(requests(&registry, |request| request.method == "POST"), 1);
}

#[tokio::test]
async fn values_can_be_stored_as_received() {
    let (fixture, registry) = (Fixture::new(), registry(false));
    let mut function = function(&fixture, &registry, &[("STORE_AS", "received")]).await;
    let schema = Schema::parse(avro::BUILT_IN_SCHEMA.1).unwrap();
    let mut sent = vec![paul(), wider(), avro::single_object(&schema, &paul())];
    for body in &sent {
        expect_status(&mut function, body.clone(), 202).await;
    }
    sent.sort();
    assert_eq!(values(&fixture.stored()), sent);
}

#[tokio::test]
async fn a_schema_is_registered_only_if_the_setting_says_so() {
    let (fixture, registry) = (Fixture::new(), registry(false));
    let confluent = ("STORE_AS", "confluent");
    let mut not_allowed = function(&fixture, &registry, &[confluent]).await;
    let reply = expect_status(&mut not_allowed, paul(), 500).await;
    assert_eq!(problem(&reply), "schema-not-registered");
    assert!(fixture.stored().is_empty());
    let allowed = [confluent, ("SCHEMA_REGISTRY_AUTO_REGISTER", "true")];
    let mut allowed = function(&fixture, &registry, &allowed).await;
    expect_status(&mut allowed, paul(), 202).await;
    let versions = |request: &Request| request.target.contains("/versions");
    assert_eq!(requests(&registry, versions), 1);
}

#[tokio::test]
async fn an_outage_is_a_503_and_a_warm_function_answers() {
    let (fixture, registry) = (Fixture::new(), registry(true));
    let mut function = function(&fixture, &registry, &[("STORE_AS", "confluent")]).await;
    registry.refuse_connections(true);
    for body in [paul(), wider()] {
        let started = Instant::now();
        let reply = expect_status(&mut function, body, 503).await;
        assert_eq!(problem(&reply), "registry-unavailable");
        assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
    }
    assert!(fixture.stored().is_empty());
    registry.refuse_connections(false);
    for body in [paul(), wider()] {
        expect_status(&mut function, body, 202).await;
    }
    registry.refuse_connections(true);
    for body in [paul(), wider()] {
        expect_status(&mut function, body, 202).await;
    }
}
