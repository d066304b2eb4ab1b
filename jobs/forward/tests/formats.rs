//! Validates what the job writes against the schemas in docs/schemas.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Output};

use forward::exit::RunOutcome;
use forward::route_config::RouteConfig;
use kafka::diagnosis::CAUSES;
use offsets::pauses::Pause;
use offsets::topic_record::TopicRecord;
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

    /// A command of the job, with the settings of these tests that are none of a run.
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
    const DOCUMENT: &str = include_str!("../../../docs/OPERATIONS.md");
    const SCHEMA: &str = include_str!("../../../docs/schemas/check-report.schema.json");
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
fn the_results_of_a_test_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let (routes, samples) = (folder.path().join("routes"), folder.path().join("samples"));
    let text = "version: 1
routes:
- {name: A, when: id == 1010, url: 'http://a', auth: {bearer: '${env:NOWHERE}'}, kafka_headers: [x]}
- {name: B, when: id == 1020, url: 'https://b', format: json, batch: 5}
- {name: C, when: 1 / id > 0, url: 'https://c'}
";
    std::fs::write(&routes, text).unwrap();
    let value = |id: i32| json!({"id": id, "name": "n", "email": "e"});
    let lines = [
        json!({"value": value(1010), "expect": "A"}),
        json!({"value": value(1020), "expect": "Z"}),
        json!({"value": value(1010), "headers": {"x": "\n"}}),
        json!({"value": value(0)}),
        json!({"value": value(7), "expect": null}),
        json!({"value": null}),
        json!({"valeu": null}),
    ];
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(&samples, lines.join("\n")).unwrap();
    for unmatched in ["skip", "dead_letter", "stop"] {
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("ROUTES", &routes)
            .env("UNMATCHED", unmatched)
            .env("TOMBSTONES", "dead_letter")
            .args(["test", "--output", "json", "--records"])
            .arg(&samples)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(65));
        let report = report(&output);
        assert_valid("test-report", &report);
        let results: Vec<&Value> = report["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|sample| &sample["result"])
            .collect();
        let (passed, failed, invalid) = ("passed", "failed", "invalid");
        assert_eq!(
            json!(results),
            json!([passed, failed, invalid, invalid, passed, passed, invalid])
        );
    }
}

#[test]
fn explanations_and_the_status_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let shown = |name: &str, arguments: &[&str], code: i32| {
        let output = Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
            .env("KAFKA_TOPIC", TOPIC)
            .env("API_TYPE_A_URL", stage.a.url())
            .env("API_TYPE_B_URL", stage.b.url())
            .env("TOMBSTONES", "dead_letter")
            .args(arguments)
            .args(["--output", "json"])
            .output()
            .unwrap();
        let report = report(&output);
        assert_eq!(output.status.code(), Some(code), "{report:#}");
        assert_valid(name, &report);
        report
    };
    // The embedded broker finds no offsets by time, so no dead letters and no records of a search.
    let states = [
        "committed",
        "committed",
        "committed",
        "deferred",
        "completed_beyond_commit",
        "completed_beyond_commit",
        "completed_beyond_commit",
    ];
    for (offset, state) in states.iter().enumerate() {
        let found = shown("explain-report", &["explain", &format!("0@{offset}")], 0);
        assert_eq!(found["records"][0]["state"], *state, "{found:#}");
    }
    let beyond = shown("explain-report", &["explain", "orders/0@7"], 1);
    assert_eq!(beyond["records"][0]["state"], "beyond_end");
    let found = shown("explain-report", &["explain", "--key", "key"], 1);
    assert_eq!(found["search"], "complete");

    let found = shown(
        "status-report",
        &["status", "--by-route", "--max-lag", "0"],
        30,
    );
    assert_eq!(found["pending"]["records"], 1, "{found:#}");
    assert_eq!(found["routes"][1]["pending"], 1);
    assert_eq!(found["dead_letters"]["complete"], true);
}

#[test]
fn plans_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let planned = |arguments: &[&str], code: i32| {
        let output = stage.command("plan").args(arguments).output().unwrap();
        let plan = report(&output);
        assert_eq!(output.status.code(), Some(code), "{plan:#}");
        assert_valid("plan", &plan);
        (plan, output.stdout)
    };
    let (plan, bytes) = planned(&["--count", "--shares", "2"], 0);
    assert_eq!(plan["partitions"][0]["start"], 3, "the deferred record");
    assert_eq!(plan["partitions"][0]["share"], 1);
    assert_eq!(plan["routes"][1]["records"], 1);
    assert_eq!(plan["expected"]["already_completed"], 3);
    assert_eq!(plan["schemas"][0]["name"], "User");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let dry_run = stage
        .command("run")
        .args(["--output", "json", "--dry-run", "--plan", "-"])
        .stdin(std::fs::File::open(file.path()).unwrap())
        .output()
        .unwrap();
    assert_eq!(report(&dry_run)["totals"]["planned"], 4);
    let executed = stage.run(&["--plan", file.path().to_str().unwrap()]);
    assert_valid("run-report", &executed);
    assert_eq!(executed["totals"]["planned"], 4);
    let (replay, _) = planned(&["--window-start", "earliest"], 0);
    assert_eq!(replay["progress"], "plan");
    let (empty, _) = planned(&["--window-end", "0:3"], 1);
    assert_eq!(empty["offsets"], 0);
}

#[test]
fn the_report_of_a_reset_is_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let (job, new) = ("frontdoor", "new");
    for (group, arguments, applied, skipped, repeated) in [
        // The deferred record is at offset 3. The others from 0 to 6 are completed.
        (job, &["--to", "earliest", "--count"][..], false, 0, 6),
        (job, &["--to", "latest", "--count"], false, 1, 0),
        // The embedded broker accepts commits without a member only for a group that never had one.
        (new, &["--to", "5", "--partition", "0", "--yes"], true, 5, 0),
        (
            new,
            &["--to", "5", "--partition", "0", "--yes"],
            false,
            0,
            0,
        ),
        (new, &["--to", "earliest", "--yes"], true, 0, 5),
    ] {
        let output = stage
            .command("reset")
            .env("KAFKA_GROUP_ID", group)
            .args(["--output", "json"])
            .args(arguments)
            .output()
            .unwrap();
        let report = report(&output);
        assert_eq!(output.status.code(), Some(0), "{report:#}");
        assert_valid("reset-report", &report);
        let found = (&report["applied"], &report["skipped"], &report["repeated"]);
        let expected = (&json!(applied), &json!(skipped), &json!(repeated));
        assert_eq!(found, expected, "{arguments:?}: {report:#}");
    }
}

#[test]
fn reports_about_dead_letters_are_valid() {
    for envelope in ["false", "true"] {
        let stage = Stage::new();
        stage.write(&records());
        stage.run(&["--dead-letter-envelope", envelope]);
        let shown = |name: &str, arguments: &[&str], code: i32| {
            let output = Command::new(env!("CARGO_BIN_EXE_forward"))
                .env_clear()
                .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
                .env("KAFKA_TOPIC", TOPIC)
                .env("API_TYPE_A_URL", stage.a.url())
                .env("API_TYPE_B_URL", stage.b.url())
                .env("DEAD_LETTER_ENVELOPE", envelope)
                .arg("dead-letters")
                .args(arguments)
                .args(["--output", "json"])
                .output()
                .unwrap();
            let report = report(&output);
            assert_eq!(output.status.code(), Some(code), "{report:#}");
            assert_valid(name, &report);
            report
        };
        let list = shown("dead-letter-list", &["list"], 0);
        let letters = list["letters"].as_array().unwrap();
        for letter in letters {
            let at = letter["coordinates"].as_str().unwrap();
            shown("dead-letter-report", &["show", at], 0);
        }
        shown("dead-letter-report", &["show", "0@999"], 1);
        let discard = ["discard", "0@0", "--reason", "a test"];
        let discarded = shown("discard-report", &discard, 0);
        assert_eq!(discarded["discarded"], 1);
        let stored = records::all(stage.broker.bootstrap(), &format!("{TOPIC}-dead-letter"));
        let stored = stored.unwrap().pop().unwrap();
        let names: Vec<&str> = stored
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "frontdoor.version",
                "frontdoor.reason",
                "frontdoor.discarded"
            ]
        );
        match stored.value {
            None => assert_eq!(envelope, "false"),
            Some(value) => {
                assert_valid("discard", &serde_json::from_slice(&value).unwrap());
            }
        }
        let list = shown("dead-letter-list", &["list"], 0);
        assert_eq!(list["discarded"], 1);
        assert_valid(
            "run-report",
            &shown("run-report", &["replay", "--dry-run"], 10),
        );
    }
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
fn the_headers_of_dead_letters_are_valid_and_follow_those_of_the_record() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let mut causes = Vec::new();
    let mut reasons = Vec::new();
    for letter in stage.dead_letters() {
        let original = &records()[0].headers;
        let (own, added) = letter.headers.split_at(original.len());
        assert_eq!(own, original);
        assert_valid("dead-letter-headers", &headers(added));
        causes.push(letter.header("frontdoor.cause").unwrap());
        reasons.push(letter.header("__connect.errors.exception.message").unwrap());
    }
    causes.sort();
    assert_eq!(causes, ["refused", "tombstone", "undecodable"]);
    assert!(
        reasons.contains(&"422: a response".to_owned()),
        "{reasons:?}"
    );
}

#[test]
fn the_envelopes_of_dead_letters_are_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&["--dead-letter-envelope", "true"]);
    let letters = stage.dead_letters();
    assert_eq!(letters.len(), 3);
    for letter in letters {
        let envelope: Value = serde_json::from_slice(&letter.value.unwrap()).unwrap();
        assert_eq!(envelope["headers"][1], json!(["empty", null]));
        assert_valid("dead-letter-envelope", &envelope);
    }
}

#[test]
fn the_answers_of_a_route_and_their_report_are_valid() {
    let stage = Stage::new();
    for topic in ["accepted", "refused"] {
        stage.broker.create_topic(topic, 1).unwrap();
    }
    stage.write(&records());
    let routes = tempfile::NamedTempFile::new().unwrap();
    let answers = json!({"success_topic": "accepted", "error_topic": "refused", "headers": ["Content-Type"], "max_body": 4});
    let table = json!({"version": 1, "routes": [
        {"name": "A", "when": "id == 1010", "url": stage.a.url(), "answers": answers}]});
    assert_valid("routes", &table);
    std::fs::write(&routes, table.to_string()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", stage.broker.bootstrap())
        .env("KAFKA_TOPIC", TOPIC)
        .env("ROUTES", routes.path())
        .args(["run", "--output", "json"])
        .output()
        .unwrap();
    let report = report(&output);
    assert_valid("run-report", &report);
    assert_eq!(
        report["routes"][0]["answers"],
        json!({"success": 2, "error": 1})
    );
    for (topic, count) in [("accepted", 2), ("refused", 1)] {
        let stored = records::all(stage.broker.bootstrap(), topic).unwrap();
        assert_eq!(stored.len(), count);
        for answer in stored {
            assert_eq!(answer.key.as_deref(), Some(&b"key"[..]));
            let value: Value = serde_json::from_slice(&answer.value.unwrap()).unwrap();
            assert_valid("answer", &value);
        }
    }
}

#[test]
fn the_metadata_of_a_commit_is_valid() {
    let stage = Stage::new();
    stage.write(&records());
    stage.run(&[]);
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    let committed = &topics.committed("frontdoor", TOPIC).unwrap()[&0];
    assert_eq!(committed.offset, 3, "the deferred record");
    assert_valid("commit-metadata", &json!(committed.metadata));
}

#[test]
fn a_topic_record_is_valid() {
    let record = TopicRecord {
        id: "Xy-3_topic0123456789aa".to_owned(),
        name: "orders.v2".to_owned(),
        pauses: vec![Pause { route: 1, until: 2 }],
    };
    assert_valid("topic-record", &json!(record.encode()));
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
