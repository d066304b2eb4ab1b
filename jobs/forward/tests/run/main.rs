#![allow(clippy::unwrap_used, clippy::expect_used)] // A test fails by panicking.

//! `forward run` as a process, with the embedded broker and HTTP endpoints.

mod answers;
mod authorization;
mod backpressure;
mod dead_letters;
mod every;
mod explain;
mod fairness;
mod formats;
mod give_up;
mod init;
mod metrics;
mod offline_check;
mod pauses;
mod proxies;
mod registry;
mod route_test;
mod run_report;
mod schemas;
mod shapes;
mod stage;
mod status_page;
mod templates;
mod token_tls;
mod windows;
mod workers;

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::records;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

use stage::{Run, Stage, bodies, output_of, user, wait};

const TOPIC: &str = "FrontDoorTopic";
const DEAD_LETTER_TOPIC: &str = "FrontDoorTopic-dead-letter";

#[test]
fn delivers_each_record_unchanged_to_its_route_once() {
    let stage = Stage::accepting();
    let (john, paul, mary) = (user(10029, "John"), user(1010, "Paul"), user(1020, "Mary"));
    stage.write(&[john, paul.clone(), mary.clone()]);
    let first = stage.run(&[]);
    first.assert(
        0,
        &json!({"planned": 3, "delivered": 2, "skipped": 1, "deferred": 0}),
    );
    assert_eq!(
        (bodies(&stage.a), bodies(&stage.b)),
        (vec![paul], vec![mary])
    );
    let key = stage.a.requests()[0]
        .header("idempotency-key")
        .unwrap()
        .to_owned();
    assert!(key.starts_with('"') && key.ends_with("/1/0\""), "{key}");

    let second = stage.run(&[]);
    second.assert(0, &json!({"planned": 0, "delivered": 0}));
    assert_eq!(stage.a.count() + stage.b.count(), 2);
}

#[test]
fn writing_a_dead_letter_does_not_create_the_topic() {
    let stage = Stage::accepting();
    stage.write(&[b"not a datum".to_vec()]);
    // The embedded broker creates topics on metadata requests that allow it.
    let topic = "no-such-topic";
    let run = stage.run(&["--dead-letter-topic", topic]);
    run.assert(
        74,
        &json!({"planned": 1, "delivered": 0, "dead_lettered": 0, "deferred": 1}),
    );
    assert!(run.log.contains("UnknownTopic"), "{}", run.log);
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    assert!(topics.watermarks(topic).unwrap().is_empty());
}

#[test]
fn an_undecodable_record_is_dead_lettered_unchanged_and_sent_to_no_endpoint() {
    let stage = Stage::accepting();
    let mut trailing = user(1010, "Paul");
    trailing.push(0);
    stage.write(&[
        trailing.clone(),
        user(1010, "Paul"),
        b"{\"id\":1010}".to_vec(),
    ]);
    let run = stage.run(&[]);
    run.assert(
        10,
        &json!({"planned": 3, "delivered": 1, "dead_lettered": 2, "deferred": 0}),
    );
    let dead_letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    let dead_letter = dead_letters
        .iter()
        .find(|dead_letter| dead_letter.value.as_ref() == Some(&trailing))
        .expect("a dead letter with unchanged bytes");
    assert_eq!(
        dead_letter.header("frontdoor.cause").as_deref(),
        Some("undecodable")
    );
    assert_eq!(
        dead_letter.header("__connect.errors.topic").as_deref(),
        Some(TOPIC)
    );
    assert_eq!(
        dead_letter.header("__streams.errors.offset").as_deref(),
        Some("0")
    );
    assert_eq!(
        dead_letter.header("__dlq.errors.group").as_deref(),
        Some("frontdoor")
    );
    assert_eq!(stage.a.count(), 1);
    assert_eq!(stage.run(&[]).code, 0, "a dead letter is completed");
}

#[test]
fn a_rejected_record_is_dead_lettered_and_the_others_are_delivered() {
    let reject = |request: &testkit::endpoint::Request| {
        if request.body.windows(3).any(|bytes| bytes == b"bad") {
            Answer::status(422).body("no such customer")
        } else {
            Answer::ok()
        }
    };
    let stage = Stage::new(
        Endpoint::start(reject).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    let data: Vec<_> = (0..50)
        .map(|n| user(1010, if n == 20 { "bad" } else { "good" }))
        .collect();
    stage.write(&data);
    stage.run(&[]).assert(
        10,
        &json!({"planned": 50, "delivered": 49, "dead_lettered": 1, "deferred": 0}),
    );
    let dead_letters = records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap();
    assert_eq!(dead_letters[0].value.as_deref(), Some(&data[20][..]));
    let reason = dead_letters[0]
        .header("__connect.errors.exception.message")
        .unwrap();
    assert!(
        reason.contains("422") && reason.contains("no such customer"),
        "{reason}"
    );
}

#[test]
fn an_unavailable_endpoint_leaves_only_its_records_to_the_next_run() {
    let answer = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(503));
    let status = std::sync::Arc::clone(&answer);
    let a =
        Endpoint::start(move |_| Answer::status(status.load(std::sync::atomic::Ordering::Relaxed)))
            .unwrap();
    let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
    let data: Vec<_> = (0..200)
        .map(|n| user(if n % 4 < 2 { 1010 } else { 1020 }, &format!("n{n}")))
        .collect();
    stage.write(&data);
    let first = stage.run(&[]);
    first.assert(
        11,
        &json!({"planned": 200, "delivered": 100, "deferred": 100}),
    );
    assert_eq!(stage.b.count(), 100);
    let failed = stage.a.count();

    answer.store(200, std::sync::atomic::Ordering::Relaxed);
    let second = stage.run(&[]);
    second.assert(0, &json!({"delivered": 100, "deferred": 0}));
    assert_eq!(stage.b.count(), 100, "records of B are not sent again");
    assert_eq!(
        stage.a.count() - failed,
        100,
        "each record of A is sent once"
    );
    let keys = |endpoint: &Endpoint| -> std::collections::BTreeSet<String> {
        endpoint
            .requests()
            .iter()
            .filter_map(|request| request.header("idempotency-key").map(str::to_owned))
            .collect()
    };
    assert_eq!(
        keys(&stage.a).len(),
        100,
        "a record has the same key in both runs"
    );
}

#[test]
fn more_gaps_than_a_commit_can_hold_cause_repeats_with_the_same_key_and_no_loss() {
    const RECORDS: usize = 8000;
    // Every second record of route A fails, so no two completed records are adjacent.
    let failing = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fails = std::sync::Arc::clone(&failing);
    let a = Endpoint::start(move |request| {
        let odd = request.body[LAST_DIGIT] % 2 == 1;
        if odd && fails.load(std::sync::atomic::Ordering::Relaxed) {
            Answer::status(503)
        } else {
            Answer::ok()
        }
    })
    .unwrap();
    let stage = Stage::new(a, Endpoint::always(Answer::ok()).unwrap());
    let mut data: Vec<_> = (0..RECORDS)
        .map(|n| user(1010, &format!("n{:05}", n / 2)))
        .collect();
    data.extend(vec![user(1020, "other"); 1000]);
    stage.write(&data);
    let first = stage.run(&[
        "--max-attempts",
        "1",
        "--circuit-failure-threshold",
        "1000000",
    ]);
    first.assert(
        11,
        &json!({"delivered": RECORDS / 2 + 1000, "deferred": RECORDS / 2}),
    );

    failing.store(false, std::sync::atomic::Ordering::Relaxed);
    let second = stage.run(&[]);
    let notes = first.report["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "a note for each partition: {notes:?}");
    for note in notes {
        assert!(note.as_str().unwrap().contains("more gaps"), "{note}");
        assert!(
            note.as_str()
                .unwrap()
                .contains("some records of route A again"),
            "{note}"
        );
    }
    second.assert(0, &json!({"deferred": 0}));
    let repeats = second.total("delivered") - RECORDS as i64 / 2;
    assert!(repeats > 0, "the offset map had room for all gaps");
    assert!(
        second.total("already_completed") > 2000,
        "{}",
        second.report
    );
    assert_eq!(stage.b.count(), 1000, "records of B are not sent again");

    let mut keys: BTreeMap<String, Vec<bytes::Bytes>> = BTreeMap::new();
    for request in stage.a.requests() {
        let key = request.header("idempotency-key").unwrap().to_owned();
        keys.entry(key).or_default().push(request.body);
    }
    assert_eq!(keys.len(), RECORDS);
    assert!(
        keys.values()
            .all(|bodies| bodies.len() <= 2 && bodies.iter().all(|body| *body == bodies[0]))
    );
}

/// The position of the last digit of a six-character name in a datum with a two-byte id.
const LAST_DIGIT: usize = 2 + 1 + 5;

#[test]
fn an_unreachable_broker_is_reported_within_the_start_timeout() {
    let stage = Stage::accepting();
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let start = Instant::now();
    let output = stage
        .forward(&["--start-timeout", "1s"])
        .env("KAFKA_BOOTSTRAP_SERVERS", address.to_string())
        .output()
        .unwrap();
    let run = Run::from_output(&output);
    assert_eq!(run.code, 74, "{:#}", run.report);
    assert_eq!(run.report["outcome"], "source");
    assert!(run.log.contains(&address.to_string()), "{}", run.log);
    assert!(
        start.elapsed() < Duration::from_secs(15),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_missing_topic_does_not_crash_the_run() {
    let stage = Stage::accepting();
    let run = Run::from_output(
        &stage
            .forward(&["--kafka-topic", "no.such.topic"])
            .output()
            .unwrap(),
    );
    // The embedded broker creates the topic, so the window is empty. With Apache Kafka the exit code is 74.
    assert!([0, 74].contains(&run.code), "{}", run.code);
}

#[test]
fn failures_are_logged_with_run_and_offset_and_suppressed_lines_are_counted() {
    let stage = Stage::new(
        Endpoint::always(Answer::status(503)).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    let mut data = vec![user(1010, "Paul"); 300];
    data.extend(vec![vec![0xff]; 12]);
    stage.write(&data);
    let run = stage.run(&["--log-format", "json", "--dead-letter-min-count", "100"]);
    let lines: Vec<Value> = run
        .log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect();
    let lines_of = |message: &str| -> Vec<&Value> {
        let matches = |line: &&Value| line["message"].as_str().unwrap().starts_with(message);
        lines.iter().filter(matches).collect()
    };
    // Few lines for the failed requests, and five lines for the twelve undecodable records.
    let (failed, dead_lettered) = (
        lines_of("request failed"),
        lines_of("dead-lettered a record"),
    );
    assert!((1..20).contains(&failed.len()), "{}", run.log);
    assert_eq!(dead_lettered.len(), 5, "{}", run.log);
    for line in failed.iter().chain(&dead_lettered) {
        assert_eq!(line["span"]["run"], run.report["run"], "{line}");
        assert_eq!(line["topic"], TOPIC, "{line}");
        assert!(line["partition"].is_i64() && line["offset"].is_i64());
        assert!(line["not_logged"].is_i64(), "{line}");
    }
    let count = |lines: &[&Value], field: &str| -> u64 {
        lines.iter().map(|line| line[field].as_u64().unwrap()).sum()
    };
    assert_eq!(
        failed.len() as u64
            + count(&failed, "not_logged")
            + count(&lines_of("more requests failed"), "not_logged"),
        run.report["routes"][0]["attempts"].as_u64().unwrap(),
        "{}",
        run.log
    );
    for line in failed {
        assert_eq!(line["route"], "A", "{line}");
        assert!(line["attempt"].as_i64() >= Some(1), "{line}");
        assert_eq!(line["error"], "503", "{line}");
    }
    assert!(
        dead_lettered
            .iter()
            .all(|line| line["cause"] == "undecodable")
    );
    assert_eq!(lines_of("dead-lettered more records")[0]["count"], 7);
}

#[test]
fn a_misspelt_or_renamed_variable_is_ignored_with_a_warning() {
    let stage = Stage::accepting();
    let mut command = stage.forward(&[]);
    command.envs([
        ("KAFKA_TOPIK", "a"),
        ("IN_FLIGHT", "1"),
        ("HOSTNAME", "host"),
        ("KAFKA_OPTS", "-Xmx1g"),
    ]);
    let run = Run::from_output(&command.output().unwrap());
    let warnings: Vec<Value> = run
        .log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["level"] == "WARN")
        .collect();
    let named: Vec<(&str, &str)> = warnings
        .iter()
        .map(|line| {
            (
                line["variable"].as_str().unwrap(),
                line["meant"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        named,
        [
            ("IN_FLIGHT", "MAX_IN_FLIGHT"),
            ("KAFKA_TOPIK", "KAFKA_TOPIC")
        ]
    );
}

#[test]
fn too_many_undecodable_records_stop_the_run() {
    let stage = Stage::accepting();
    stage.write(
        &(0..400)
            .map(|n| format!("not a datum {n}").into_bytes())
            .collect::<Vec<_>>(),
    );
    let run = stage.run(&[]);
    assert_eq!(run.code, 65, "{:#}", run.report);
    assert_eq!(run.report["balanced"], true);
    assert_eq!(
        run.total("dead_lettered"),
        100,
        "the run stops at DEAD_LETTER_MIN_COUNT"
    );
    assert_eq!(run.total("deferred"), 300);
}
