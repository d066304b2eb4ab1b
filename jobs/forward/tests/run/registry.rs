//! Records whose schemas are in a schema registry.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use avro::{Schema, confluent};
use serde_json::json;
use testkit::container::Batch;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::records;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

use super::{DEAD_LETTER_TOPIC, Run, Stage, TOPIC, bodies, user};

/// The built-in schema with a field whose default the reader does not have.
pub(super) const WIDER: &str = r#"{"type":"record","name":"User","fields":[
    {"name":"id","type":"int"},{"name":"age","type":"int"},
    {"name":"name","type":"string"},{"name":"email","type":"string"}]}"#;
const OTHER: &str = r#"{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}"#;
const BUILT_IN: u32 = 1;
pub(super) const WIDER_ID: u32 = 2;
const OTHER_ID: u32 = 3;
pub(super) const UNKNOWN: u32 = 9;

/// A registry with the API of Confluent's.
pub(super) fn registry() -> Endpoint {
    let schemas = BTreeMap::from([
        (BUILT_IN, avro::BUILT_IN_SCHEMA.1),
        (WIDER_ID, WIDER),
        (OTHER_ID, OTHER),
    ]);
    Endpoint::start(move |request| {
        let id = request.target.strip_prefix("/schemas/ids/");
        let id = id.and_then(|id| id.split('?').next()?.parse().ok());
        match id.and_then(|id: u32| schemas.get(&id)) {
            Some(schema) => Answer::ok().body(json!({"schema": schema}).to_string()),
            None => not_found(40403),
        }
    })
    .unwrap()
}

fn not_found(code: u32) -> Answer {
    Answer::status(404).body(json!({"error_code": code, "message": "not found"}).to_string())
}

fn is_id(request: &Request) -> bool {
    request.target.starts_with("/schemas/ids/")
}

/// How many schemas were requested by id.
fn requested_ids(registry: &Endpoint) -> usize {
    let requests = registry.requests();
    requests.iter().filter(|request| is_id(request)).count()
}

fn write(stage: &Stage, records: &[NewRecord]) {
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, records).unwrap();
}

/// A record of [`WIDER`], framed.
fn wider(name: &str) -> NewRecord {
    let user = json!({"id": 1010, "age": 7, "name": name, "email": "e@x.org"});
    let datum = Schema::parse(WIDER).unwrap().from_json(&user).unwrap();
    NewRecord::to(0, confluent::frame(WIDER_ID, &datum))
}

fn built_in(name: &str) -> NewRecord {
    NewRecord::to(1, confluent::frame(BUILT_IN, &user(1010, name)))
}

fn command(stage: &Stage, registry: &str, arguments: &[&str]) -> Command {
    let mut command = stage.forward(arguments);
    command
        .env("SCHEMA_REGISTRY_URL", registry)
        .env("SCHEMA_REGISTRY_TIMEOUT", "300ms");
    command
}

fn run(stage: &Stage, registry: &Endpoint, arguments: &[&str]) -> Run {
    let mut command = command(stage, &registry.url(), arguments);
    Run::from_output(&command.output().unwrap())
}

/// The dead letters by cause.
fn causes(stage: &Stage) -> BTreeMap<String, usize> {
    let mut causes = BTreeMap::new();
    for letter in records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap() {
        *causes
            .entry(letter.header("frontdoor.cause").unwrap())
            .or_default() += 1;
    }
    causes
}

#[test]
fn framed_records_are_decoded_with_the_schema_of_their_id_and_delivered_as_configured() {
    let stage = Stage::accepting();
    let registry = registry();
    let mut in_header = NewRecord::to(0, user(1010, "header"));
    in_header.headers = vec![(
        confluent::VALUE_SCHEMA_ID.to_owned(),
        Some(b"\0\0\0\0\x01".to_vec()),
    )];
    write(&stage, &[wider("wide"), built_in("same"), in_header]);
    let run = run(&stage, &registry, &[]);
    run.assert(0, &json!({"planned": 3, "delivered": 3}));
    let mut expected = ["wide", "same", "header"]
        .map(|name| user(1010, name))
        .to_vec();
    expected.sort();
    assert_eq!(bodies(&stage.a), expected);
    let fingerprint = Schema::parse(avro::BUILT_IN_SCHEMA.1)
        .unwrap()
        .fingerprint();
    let fingerprint = runtime::text::hex(&fingerprint);
    for request in stage.a.requests() {
        let header = request.header("avro-schema-fingerprint");
        assert_eq!(header, Some(fingerprint.as_str()));
    }
    assert_eq!(requested_ids(&registry), 2, "one request for each id");
}

#[test]
fn the_datum_can_be_delivered_as_written() {
    let stage = Stage::accepting();
    let registry = registry();
    write(&stage, &[wider("wide")]);
    run(&stage, &registry, &["--delivery-schema", "writer"]).assert(0, &json!({"delivered": 1}));
    let request = stage.a.requests().remove(0);
    let schema = Schema::parse(WIDER).unwrap();
    assert_eq!(schema.to_json(&request.body).unwrap()["age"], 7);
    let fingerprint = runtime::text::hex(&schema.fingerprint());
    assert_eq!(
        request.header("avro-schema-fingerprint"),
        Some(fingerprint.as_str())
    );
}

#[test]
fn batches_hold_the_resolved_datums() {
    let stage = Stage::accepting();
    let registry = registry();
    let names: Vec<String> = (0..40).map(|index| format!("name-{index}")).collect();
    let records: Vec<NewRecord> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            if index % 2 == 0 {
                wider(name)
            } else {
                built_in(name)
            }
        })
        .collect();
    write(&stage, &records);
    let routes = json!({"version": 1, "routes": [{"name": "A", "when": "id == 1010", "url": stage.a.url(), "batch": 10}]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), routes.to_string()).unwrap();
    let mut command = command(&stage, &registry.url(), &[]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path());
    let run = Run::from_output(&command.output().unwrap());
    run.assert(0, &json!({"planned": 40, "delivered": 40}));
    let mut delivered: Vec<Vec<u8>> = Vec::new();
    for request in stage.a.requests() {
        let batch = Batch::read(&request.body).unwrap();
        delivered.extend(batch.data(User::length).unwrap());
    }
    delivered.sort();
    let mut expected: Vec<_> = names.iter().map(|name| user(1010, name)).collect();
    expected.sort();
    assert_eq!(delivered, expected);
}

#[test]
fn unknown_and_incompatible_schemas_are_dead_letters_and_the_others_are_delivered() {
    let stage = Stage::accepting();
    let registry = registry();
    let mut written = vec![
        built_in("good"),
        NewRecord::to(0, confluent::frame(OTHER_ID, b"\xe4\x0f")),
    ];
    for _ in 0..50 {
        written.push(NewRecord::to(
            0,
            confluent::frame(UNKNOWN, &user(1010, "x")),
        ));
    }
    write(&stage, &written);
    let ended = run(&stage, &registry, &["--dead-letter-max-ratio", "1"]);
    ended.assert(
        10,
        &json!({"planned": 52, "delivered": 1, "dead_lettered": 51}),
    );
    let expected = [
        ("undecodable".to_owned(), 1),
        ("unknown-schema".to_owned(), 50),
    ];
    assert_eq!(causes(&stage), BTreeMap::from(expected));
    assert_eq!(
        requested_ids(&registry),
        3,
        "an unknown id is requested once"
    );
    let letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    let values: Vec<_> = letters
        .iter()
        .filter_map(|letter| letter.value.clone())
        .collect();
    let framed = confluent::frame(UNKNOWN, &user(1010, "x"));
    assert_eq!(values.iter().filter(|value| **value == framed).count(), 50);
}

#[test]
fn without_a_registry_a_framed_record_is_an_unknown_schema_with_a_hint() {
    let stage = Stage::accepting();
    write(&stage, &[built_in("framed")]);
    let ended = stage.run(&[]);
    ended.assert(10, &json!({"planned": 1, "dead_lettered": 1}));
    let reason = ended.report["dead_letters"]["samples"][0]["reason"].to_string();
    assert!(reason.contains("SCHEMA_REGISTRY_URL"), "{reason}");
}

#[test]
fn an_unavailable_registry_ends_the_run_and_makes_no_dead_letter() {
    let stage = Stage::accepting();
    let registry = registry();
    write(
        &stage,
        &[NewRecord::to(1, user(1010, "raw")), wider("wide")],
    );
    registry.refuse_connections(true);
    let ended = run(&stage, &registry, &[]);
    ended.assert(74, &json!({"planned": 2, "dead_lettered": 0}));
    assert!(ended.log.contains("reading schema 2"), "{}", ended.log);
    assert_eq!(causes(&stage), BTreeMap::new());
    registry.refuse_connections(false);
    let next = run(&stage, &registry, &[]);
    assert_eq!(next.code, 0, "{}", next.log);
    assert_eq!(ended.total("delivered") + next.total("delivered"), 2);
    assert_eq!(bodies(&stage.a).len(), 2);
}

/// The registry hangs while records of other partitions are delivered.
#[test]
fn a_slow_registry_delays_only_the_partitions_that_wait_for_it() {
    let stage = Stage::accepting();
    let registry = Endpoint::start(|request| match is_id(request) {
        true => Answer::ok()
            .body(json!({"schema": WIDER}).to_string())
            .after(Duration::from_millis(600)),
        false => not_found(40401),
    });
    let registry = registry.unwrap();
    write(&stage, &[wider("slow")]);
    stage.write_to(1, (0..20).map(|_| user(1010, "fast")).collect());
    let mut command = command(&stage, &registry.url(), &[]);
    command.env("SCHEMA_REGISTRY_TIMEOUT", "10s");
    let ended = Run::from_output(&command.output().unwrap());
    ended.assert(0, &json!({"planned": 21, "delivered": 21}));
    let slow = user(1010, "slow");
    let requests = stage.a.requests();
    let at = |is_slow: bool| {
        requests
            .iter()
            .filter(|request| (request.body[..] == slow[..]) == is_slow)
            .map(|request| request.at)
            .max()
            .unwrap()
    };
    assert!(at(true) - at(false) > Duration::from_millis(300));
    assert_eq!(requested_ids(&registry), 1);
}

/// A record that an earlier run decoded and deferred is not lost when the registry has deleted its schema.
#[test]
fn a_deferred_record_whose_schema_was_deleted_is_a_dead_letter() {
    let refusing = Endpoint::sequence(vec![Answer::status(503)]).unwrap();
    let stage = Stage::new(refusing, Endpoint::always(Answer::ok()).unwrap());
    let all = registry();
    let mut b = NewRecord::to(0, confluent::frame(BUILT_IN, &user(1020, "b")));
    b.partition = Some(0);
    write(&stage, &[wider("deferred"), b]);
    let first = run(&stage, &all, &["--max-attempts", "1"]);
    first.assert(11, &json!({"planned": 2, "delivered": 1, "deferred": 1}));
    let empty = Endpoint::always(not_found(40403));
    let second = run(&stage, &empty.unwrap(), &[]);
    second.assert(
        10,
        &json!({"planned": 2, "dead_lettered": 1, "already_completed": 1}),
    );
    assert_eq!(
        causes(&stage),
        BTreeMap::from([("unknown-schema".to_owned(), 1)])
    );
    let third = run(&stage, &all, &[]);
    third.assert(0, &json!({"planned": 0}));
}

/// A registry with two versions of the topic's subject, of which only the second can be read.
fn with_versions() -> Endpoint {
    let registry = Endpoint::start(|request| {
        let path = request
            .target
            .strip_prefix("/subjects/FrontDoorTopic-value/versions");
        let version = |number: u32, id: u32, schema: &str| {
            let version = json!({"version": number, "id": id, "schema": schema});
            Answer::ok().body(version.to_string())
        };
        match path.and_then(|path| path.split('?').next()) {
            Some("") => Answer::ok().body("[1,2]"),
            Some("/1") => version(1, OTHER_ID, OTHER),
            Some("/2") => version(2, WIDER_ID, WIDER),
            _ => not_found(40401),
        }
    });
    registry.unwrap()
}

#[test]
fn forward_check_asks_the_registry_and_names_versions_that_cannot_be_read() {
    let stage = Stage::accepting();
    let registry = with_versions();
    let check = |available: bool| {
        registry.refuse_connections(!available);
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
            .env("API_TYPE_A_URL", stage.a.url())
            .env("API_TYPE_B_URL", stage.b.url())
            .env("SCHEMA_REGISTRY_URL", registry.url())
            .env("SCHEMA_REGISTRY_TIMEOUT", "300ms")
            .arg("check");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = check(true);
    assert_eq!(code, Some(0), "{text}");
    let warning = "records of version 1 (id 3) of FrontDoorTopic-value cannot be read";
    assert!(
        text.contains(warning) && text.contains("2 versions in the subject"),
        "{text}"
    );
    let (code, text) = check(false);
    assert_eq!(code, Some(74), "{text}");
    assert!(text.contains("FAIL  schema registry"), "{text}");
}

/// The start of the run reads the versions of the subject, so that no record waits for them.
#[test]
fn the_versions_of_the_subject_are_known_at_the_start() {
    let stage = Stage::accepting();
    let registry = with_versions();
    write(&stage, &[wider("wide")]);
    let ended = run(&stage, &registry, &[]);
    ended.assert(0, &json!({"planned": 1, "delivered": 1}));
    assert_eq!(requested_ids(&registry), 0);
    let warning = "records of version 1 (id 3) of FrontDoorTopic-value cannot be read";
    assert!(ended.log.contains(warning), "{}", ended.log);
}

#[test]
fn a_batch_cannot_hold_datums_as_written() {
    let stage = Stage::accepting();
    let registry = registry();
    let routes = json!({"version": 1, "routes": [{"name": "A", "when": "true", "url": stage.a.url(), "batch": 2}]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), routes.to_string()).unwrap();
    let mut command = command(&stage, &registry.url(), &["--delivery-schema", "writer"]);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("DELIVERY_SCHEMA=reader"), "{log}");
}

#[test]
fn the_settings_of_the_registry_are_checked_before_the_first_connection() {
    let stage = Stage::accepting();
    let mut command = command(&stage, "registry:8081", &[]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("SCHEMA_REGISTRY_URL"), "{log}");
}
