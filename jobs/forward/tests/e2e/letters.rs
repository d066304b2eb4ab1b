//! `forward dead-letters` on Apache Kafka: replays that are killed, and dead letters of other programs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::endpoint::{Answer, Endpoint};
use testkit::schemas;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepting, accepting_after, assert_accepted_all};
use crate::run::{Run, RunProcess, TIMEOUT};
use crate::stage::Stage;

/// How many requests a kill may repeat.
const MAX_UNCOMMITTED: usize = 50;

fn command(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    command.arg("dead-letters").args(arguments);
    command
}

/// Starts a replay.
pub(crate) fn replay(stage: &Stage, arguments: &[&str]) -> RunProcess {
    let mut command = command(stage, &["replay", "--output", "json"]);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    RunProcess::new(command.spawn().unwrap())
}

/// Replays when the membership of a killed replay has ended.
fn replay_when_free(stage: &Stage, arguments: &[&str]) -> Run {
    let end = Instant::now() + TIMEOUT;
    loop {
        let run = replay(stage, arguments).wait();
        if run.code != 20 || Instant::now() > end {
            return run;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The exit code and the report.
pub(crate) fn query(stage: &Stage, schema: &str, arguments: &[&str]) -> (i32, Value) {
    let output = command(stage, arguments)
        .args(["--output", "json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    schemas::validate(schema, &report).unwrap();
    (output.status.code().unwrap(), report)
}

/// The bodies by idempotency key.
fn keys(endpoint: &Endpoint) -> BTreeMap<String, Vec<u8>> {
    let requests = endpoint.requests().into_iter();
    requests
        .map(|request| {
            let key = request.header("idempotency-key").unwrap().to_owned();
            (key, request.body.to_vec())
        })
        .collect()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_killed_replay_goes_on_and_a_finished_one_sends_nothing() {
    const COUNT: usize = 600;
    const KILLS: usize = 2;
    let rejecting = Endpoint::always(Answer::status(422)).unwrap();
    let stage = Stage::new("replay", 3)
        .await
        .to(&rejecting, &accepting())
        .with("DEAD_LETTER_MAX_RATIO", "1")
        .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string());
    stage.write_users(1010, "u", COUNT, 3);
    stage.write_users(7, "skipped", 20, 3);
    stage.run().expect(10);
    let first = keys(&rejecting);
    assert_eq!(first.len(), COUNT);

    let slow = accepting_after(Duration::from_millis(20));
    let stage = stage.to(&slow, &accepting());
    for kill in 1..=KILLS {
        let started = Instant::now();
        loop {
            let mut process = replay(&stage, &["--cause", "refused"]);
            // Until then the membership of the killed replay lasts.
            while process.is_running() && !slow.wait_for(kill * COUNT / 4, Duration::from_millis(5))
            {
            }
            if process.is_running() {
                process.kill();
                break;
            }
            process.wait().expect(20);
            assert!(started.elapsed() < TIMEOUT);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    let last = replay_when_free(&stage, &["--cause", "refused"]).expect(0);
    assert!(last.total("delivered") < COUNT as i64, "{:#}", last.report);
    assert_eq!(keys(&slow), first);
    let repeats = assert_accepted_all(&slow, "u", COUNT);
    assert!(repeats <= KILLS * MAX_UNCOMMITTED, "{repeats} repeats");

    let count = slow.count();
    let again = replay(&stage, &["--cause", "refused"]).wait().expect(0);
    assert_eq!((again.total("delivered"), slow.count()), (0, count));
    assert_eq!(stage.dead_letters().len(), COUNT);
    // The group of the job is not moved, and the topic record is not overwritten.
    assert_eq!(stage.total_committed(), COUNT as i64 + 20);
}

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Option<Vec<u8>>)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), Some(value.as_bytes().to_vec())))
        .collect()
}

/// A dead letter of another program. `family`: the beginning of its headers.
fn foreign(family: &str, topic: &str, offset: usize, more: &[(&str, &str)]) -> NewRecord {
    let name = |part: &str| format!("{family}{part}");
    let mut headers = headers(more);
    for (part, value) in [
        ("topic", topic),
        ("partition", "0"),
        ("offset", &offset.to_string()),
    ] {
        headers.push((name(part), Some(value.as_bytes().to_vec())));
    }
    NewRecord {
        headers,
        ..NewRecord::to(0, User::new(1010, &format!("u-{offset}")).encode())
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn dead_letters_of_other_programs_are_listed_and_replayed() {
    let (stage, a, _b) = Stage::accepting("foreign", 1).await;
    let written = stage.write_users(1010, "u", 3, 1);
    assert_eq!(written.len(), 3);
    let topic = stage.topic.as_str();
    let connect = [
        ("__connect.errors.exception.class.name", "x.DataException"),
        ("__connect.errors.exception.message", "no schema"),
    ];
    let streams = [("__streams.errors.exception", "x.StreamsException")];
    let share = [("__dlq.errors.message", "Offset rejected by client.")];
    let mut without_copy = foreign("__dlq.errors.", topic, 3, &share);
    without_copy.value = None;
    let letters = stage.dead_letter_topic();
    let later = NewRecord {
        headers: headers(&[("frontdoor.cause", "refused"), ("frontdoor.version", "9")]),
        ..NewRecord::to(0, "x")
    };
    stage
        .topics
        .write(
            &letters,
            &[
                foreign("__connect.errors.", topic, 0, &connect),
                foreign("__streams.errors.", topic, 1, &streams),
                foreign("__dlq.errors.", topic, 2, &share),
                without_copy,
                later,
                NewRecord::to(0, "no dead letter"),
            ],
        )
        .unwrap();

    let (code, list) = query(&stage, "dead-letter-list", &["list"]);
    assert_eq!((code, &list["total"]), (0, &Value::from(4)), "{list:#}");
    let rows = list["letters"].as_array().unwrap().iter();
    let families: Vec<&str> = rows.map(|row| row["family"].as_str().unwrap()).collect();
    assert_eq!(
        families,
        [
            "kafka_connect",
            "kafka_streams",
            "share_group",
            "share_group"
        ]
    );
    assert_eq!(list["unrecognized"]["count"], 2);
    let reason = list["unrecognized"]["reason"].as_str().unwrap();
    assert_eq!(
        reason,
        "a dead letter of version 9: this program reads version 1"
    );
    for (arguments, code, total) in [
        (["--since", "1h"], 0, 4),
        (["--until", "1h"], 1, 0),
        (["--since", "2026-01-01T00:00:00Z"], 0, 4),
        (["--cause", "x.DataException"], 0, 1),
    ] {
        let (exit, list) = query(
            &stage,
            "dead-letter-list",
            &[&["list"], &arguments[..]].concat(),
        );
        assert_eq!(
            (exit, list["total"].as_i64()),
            (code, Some(total)),
            "{arguments:?}"
        );
    }
    let (code, shown) = query(&stage, "dead-letter-report", &["show", "0@0"]);
    assert_eq!(
        (code, &shown["record"]["value"]["name"]),
        (0, &"u-0".into())
    );
    assert_eq!(shown["letter"]["reason"], "no schema");
    let (code, shown) = query(&stage, "dead-letter-report", &["show", "0@4"]);
    let problem = shown["problem"].as_str().unwrap();
    assert!(code == 1 && problem.contains("version 9"), "{problem}");

    // The keys are those under which the job delivers the records.
    stage.run().expect(0);
    let first = keys(&a);
    let b = accepting();
    let stage = stage.to(&b, &accepting());
    let run = replay(&stage, &[]).wait().expect(0);
    assert_eq!((run.total("delivered"), run.total("skipped")), (3, 3));
    assert_eq!(keys(&b), first);
    let again = replay(&stage, &[]).wait().expect(0);
    assert_eq!((again.total("delivered"), b.count()), (0, 3));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_selection_by_offsets_and_a_discarded_letter() {
    let rejecting = Endpoint::always(Answer::status(422).body("no such customer")).unwrap();
    let stage = Stage::new("selection", 1)
        .await
        .to(&rejecting, &accepting());
    stage.write_users(1010, "u", 6, 1);
    stage.run().expect(10);
    let letters = stage.dead_letter_topic();
    let (code, report) = query(
        &stage,
        "discard-report",
        &[
            "discard",
            &format!("{letters}/0@1"),
            "--reason",
            "a load test",
        ],
    );
    assert_eq!((code, &report["discarded"]), (0, &Value::from(1)));
    let (_, list) = query(&stage, "dead-letter-list", &["list", "--since", "1h"]);
    assert_eq!((&list["total"], &list["discarded"]), (&6.into(), &1.into()));
    assert_eq!(list["letters"][1]["discarded"], "a load test");

    let a = accepting();
    let stage = stage.to(&a, &accepting());
    let names = |endpoint: &Endpoint| -> BTreeSet<String> {
        let requests = endpoint.requests().into_iter();
        let users = requests.map(|request| User::decode(&request.body).unwrap());
        users.map(|user| user.name).collect()
    };
    let some = ["--partition", "0", "--offsets", "0-2"];
    replay(&stage, &some).wait().expect(0);
    assert_eq!(names(&a), ["u-0", "u-2"].map(str::to_owned).into());
    replay(&stage, &["0@5"]).wait().expect(0);
    assert_eq!(names(&a), ["u-0", "u-2", "u-5"].map(str::to_owned).into());
    replay(&stage, &["--since", "1h", "--route", "A"])
        .wait()
        .expect(0);
    let all = ["u-0", "u-2", "u-3", "u-4", "u-5"].map(str::to_owned);
    assert_eq!(names(&a), all.into());
    assert_eq!(stage.dead_letters().len(), 7);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_killed_replay_to_the_source_loses_nothing() {
    const COUNT: usize = 20_000;
    let (stage, _a, _b) = Stage::accepting("to-source", 1).await;
    let letters: Vec<NewRecord> = (0..COUNT)
        .map(|number| foreign("__connect.errors.", &stage.topic, number, &[]))
        .collect();
    let letter_topic = stage.dead_letter_topic();
    stage.topics.write(&letter_topic, &letters).unwrap();
    let stage = stage.with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string());
    let written = |stage: &Stage| -> usize {
        let ends = stage.topics.watermarks(&stage.topic).unwrap();
        usize::try_from(ends.values().map(|(_, end)| end).sum::<i64>()).unwrap()
    };
    let mut process = replay(&stage, &["--to", "source"]);
    while process.is_running() && written(&stage) < COUNT / 10 {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(process.is_running(), "the replay was too fast");
    process.kill();
    assert!(written(&stage) < COUNT);
    let last = replay_when_free(&stage, &["--to", "source"]).expect(0);
    assert!(last.total("delivered") < COUNT as i64, "{:#}", last.report);
    let total = written(&stage);
    assert!(total <= COUNT + MAX_UNCOMMITTED, "{total}");
    let records = testkit::records::all(&stage.bootstrap, &stage.topic).unwrap();
    let distinct: BTreeSet<String> = records
        .iter()
        .map(|record| record.header("idempotency-key").unwrap())
        .collect();
    assert_eq!(distinct.len(), COUNT);
    replay(&stage, &["--to", "source"]).wait().expect(0);
    assert_eq!(written(&stage), total);
}
