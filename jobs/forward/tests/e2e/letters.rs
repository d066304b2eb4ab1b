//! `forward dead-letters` on Apache Kafka: selections, and replays that are killed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::endpoint::{Answer, Endpoint};
use testkit::schemas;
use testkit::user::User;

use crate::endpoints::{accepting, accepting_after, assert_accepted_all};
use crate::run::{Run, RunProcess, TIMEOUT};
use crate::stage::Stage;

/// How many requests a kill may repeat.
pub(crate) const MAX_UNCOMMITTED: usize = 50;

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
pub(crate) fn replay_when_free(stage: &Stage, arguments: &[&str]) -> Run {
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

/// How many letters of the selection its replays have delivered.
pub(crate) fn replayed(stage: &Stage, selection: &[&str]) -> usize {
    let (_, list) = query(stage, "dead-letter-list", &[&["list"], selection].concat());
    list["replayed"].as_u64().unwrap() as usize
}

/// The bodies by idempotency key.
pub(crate) fn keys(endpoint: &Endpoint) -> BTreeMap<String, Vec<u8>> {
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
async fn a_killed_replay_is_continued_and_a_finished_one_sends_nothing() {
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
    assert!(replayed(&stage, &["--cause", "refused"]) < COUNT);
    let last = replay_when_free(&stage, &["--cause", "refused"]).expect(0);
    assert!(last.total("delivered") < COUNT as i64, "{:#}", last.report);
    assert_eq!(keys(&slow), first);
    let repeats = assert_accepted_all(&slow, "u", COUNT);
    assert!(repeats <= KILLS * MAX_UNCOMMITTED, "{repeats} repeats");

    assert_eq!(replayed(&stage, &["--cause", "refused"]), COUNT);
    assert_eq!(replayed(&stage, &["--route", "A"]), 0, "another selection");
    let count = slow.count();
    let again = replay(&stage, &["--cause", "refused"]).wait().expect(0);
    assert_eq!((again.total("delivered"), slow.count()), (0, count));
    assert_eq!(stage.dead_letters().len(), COUNT);
    // The group of the job is not moved, and the topic record is not overwritten.
    assert_eq!(stage.total_committed(), COUNT as i64 + 20);
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
    assert_eq!(replayed(&stage, &some), 0);
    replay(&stage, &some).wait().expect(0);
    let (_, list) = query(&stage, "dead-letter-list", &[&["list"], &some[..]].concat());
    assert_eq!((&list["total"], &list["replayed"]), (&3.into(), &2.into()));
    assert_eq!(list["letters"][0]["replayed"][0], "route");
    assert_eq!(list["letters"][1]["replayed"], Value::Null, "discarded");
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
