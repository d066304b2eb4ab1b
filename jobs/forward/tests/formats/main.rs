//! Validates what the job writes against the schemas in docs/schemas.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod stored;

use std::process::{Command, Output};

use forward::exit::RunOutcome;
use forward::route_config::RouteConfig;
use kafka::diagnosis::CAUSES;
use serde_json::{Map, Value, json};
use settings::Settings;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::records::{self, StoredRecord};
use testkit::schemas::{self, schema};
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

const TOPIC: &str = "orders";
const DEAD_LETTERS: &str = "orders-dead-letter";
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A broker with one partition of records, and two endpoints: A rejects records that contain `rejected`, B is down.
struct Stage {
    broker: Broker,
    a: Endpoint,
    b: Endpoint,
}

impl Stage {
    fn new() -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        broker.create_topic(DEAD_LETTERS, 1).unwrap();
        let reject = |request: &Request| {
            let is_rejected = request.body.windows(8).any(|bytes| bytes == b"rejected");
            Answer::status(if is_rejected { 422 } else { 200 }).body("a response")
        };
        Self {
            broker,
            a: Endpoint::start(reject).unwrap(),
            b: Endpoint::always(Answer::status(503)).unwrap(),
        }
    }

    fn write(&self, records: &[NewRecord]) {
        let topics = Topics::connect(self.broker.bootstrap()).unwrap();
        topics.write(TOPIC, records).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap())
            .env("KAFKA_TOPIC", TOPIC)
            .env("API_TYPE_A_URL", self.a.url())
            .env("API_TYPE_B_URL", self.b.url())
            .env("CIRCUIT_COOL_DOWN", "50ms")
            .env("BACKOFF_INITIAL", "20ms")
            .env("TOMBSTONES", "dead_letter")
            .args(["run", "--output", "json"])
            .args(arguments)
            .output()
            .unwrap();
        report(&output)
    }

    /// A command of the job other than `run`, with the settings of these tests.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap())
            .env("KAFKA_TOPIC", TOPIC)
            .env("API_TYPE_A_URL", self.a.url())
            .env("API_TYPE_B_URL", self.b.url())
            .env("TOMBSTONES", "dead_letter")
            .arg(name);
        command
    }

    fn dead_letters(&self) -> Vec<StoredRecord> {
        records::all(self.broker.bootstrap(), DEAD_LETTERS).unwrap()
    }
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn user(id: i32, name: &str) -> Vec<u8> {
    User::new(id, name).encode()
}

/// One record of each kind: delivered, skipped, rejected, deferred, undecodable, without a value.
fn records() -> Vec<NewRecord> {
    let record = |value: Vec<u8>| NewRecord {
        key: Some(b"key".to_vec()),
        headers: vec![
            ("content-type".to_owned(), Some(b"avro/binary".to_vec())),
            ("empty".to_owned(), None),
        ],
        ..NewRecord::to(0, value)
    };
    vec![
        record(user(1010, "delivered")),
        record(user(7, "skipped")),
        record(user(1010, "rejected")),
        record(user(1020, "deferred")),
        record(b"\xff not a datum".to_vec()),
        NewRecord {
            value: None,
            ..record(Vec::new())
        },
        record(user(1010, "delivered")),
    ]
}

fn assert_valid(name: &str, value: &Value) {
    if let Err(error) = schemas::validate(name, value) {
        panic!("{error:#}");
    }
}

fn headers(stored: &[(String, Option<Vec<u8>>)]) -> Value {
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap()).unwrap();
    let members = stored
        .iter()
        .map(|(name, value)| (name.clone(), Value::String(text(value))));
    Value::Object(members.collect::<Map<_, _>>())
}

#[test]
fn the_report_of_every_kind_of_run_is_valid() {
    let stage = Stage::new();
    stage.write(&records());
    let reports = [
        (10, stage.run(&["--dry-run"])),
        (11, stage.run(&[])),
        (75, stage.run(&[])),
        (
            74,
            stage.run(&[
                "--kafka-bootstrap-servers",
                "127.0.0.1:1",
                "--start-timeout",
                "1s",
            ]),
        ),
    ];
    for (code, report) in &reports {
        assert_eq!(report["exit_code"], *code, "{report:#}");
        assert_eq!(
            report.as_object().unwrap().keys().next().unwrap(),
            "version"
        );
        assert_valid("run-report", report);
    }
    let totals = &reports[1].1["totals"];
    let expected = json!({"planned": 7, "delivered": 2, "skipped": 1, "dead_lettered": 3, "already_completed": 0,
        "deferred": 1, "empty_offsets": 0});
    assert_eq!(*totals, expected);
    let last = reports[1].1["progress"].as_array().unwrap().last().unwrap();
    for name in ["delivered", "skipped", "dead_lettered"] {
        assert_eq!(last[name], totals[name], "{name}");
    }
    for route in reports[1].1["routes"].as_array().unwrap() {
        let responses = route["statuses"].as_object().unwrap().values();
        let responses: u64 = responses.filter_map(Value::as_u64).sum();
        let ranges = route["latency_ranges_ms"].as_array().unwrap().iter();
        let counted: u64 = ranges.filter_map(|range| range["count"].as_u64()).sum();
        assert_eq!(counted, responses, "{route:#}");
        assert!(responses > 0);
    }
}

#[test]
fn the_report_of_a_check_is_valid() {
    let stage = Stage::new();
    for (topic, code) in [(TOPIC, 75), ("no-such-topic", 74)] {
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
            .env("KAFKA_TOPIC", topic)
            .env("API_TYPE_A_URL", stage.a.url())
            .env("API_TYPE_B_URL", stage.b.url())
            .env("KAFKA_TOPIK", topic)
            .args(["check", "--output", "json"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code));
        let report = report(&output);
        assert_valid("check-report", &report);
        let results: Vec<&Value> = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| &check["result"])
            .collect();
        for result in ["ok", "warning", "failed"] {
            assert!(results.contains(&&json!(result)), "{report:#}");
        }
    }
}

#[test]
fn the_causes_of_a_check_are_those_of_schema_and_document() {
    const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");
    const SCHEMA: &str = include_str!("../../../../docs/schemas/check-report.schema.json");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let check = &schema["properties"]["checks"]["items"]["properties"];
    let expected = [&CAUSES[..], &["authorization", "no_topic"]].concat();
    assert_eq!(check["cause"]["enum"], json!(expected));
    let (_, table) = DOCUMENT.split_once("| cause | what was found |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let first_cells = table.lines().filter_map(|line| line.split('|').nth(1));
    let documented: Vec<&str> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_report_schema_lists_every_outcome() {
    let schema = schema("run-report").unwrap();
    let names: Vec<&str> = RunOutcome::ALL
        .iter()
        .map(|outcome| outcome.name())
        .collect();
    let codes: Vec<u8> = RunOutcome::ALL
        .iter()
        .map(|outcome| outcome.code())
        .collect();
    assert_eq!(schema["properties"]["outcome"]["enum"], json!(names));
    assert_eq!(schema["properties"]["exit_code"]["enum"], json!(codes));
}

#[test]
fn the_routes_in_the_documents_are_valid_and_accepted() {
    let mut found = 0;
    for document in ["README.md", "docs/CONFIGURATION.md"] {
        let text = std::fs::read_to_string(format!("{ROOT}/{document}")).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            assert_valid("routes", &serde_saphyr::from_str(block).unwrap());
            // The secrets of the examples do not exist.
            if let Err(error) = RouteConfig::parse(block, &Settings::default()) {
                assert!(error.ends_with("} has no value"), "{error}");
            }
            found += 1;
        }
    }
    assert!(found > 1, "{found} examples");
}
