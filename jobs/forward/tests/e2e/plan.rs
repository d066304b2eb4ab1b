//! `forward plan` and `forward run --plan` on Apache Kafka.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::{Kafka, Options};
use testkit::schemas;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepting, accepting_after, answering, assert_accepted_all};
use crate::run::{Run, TIMEOUT};
use crate::stage::Stage;

/// How many requests a kill may repeat.
const MAX_UNCOMMITTED: usize = 50;

/// The exit code of `forward plan`, the plan, and standard error.
pub(crate) fn plan(stage: &Stage, arguments: &[&str]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    let output = command.arg("plan").args(arguments).output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let plan = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    if !plan.is_null() {
        schemas::validate("plan", &plan).unwrap();
    }
    (output.status.code().unwrap(), plan, log)
}

/// Plans, and returns the plan and its file.
#[track_caller]
pub(crate) fn planned(stage: &Stage, arguments: &[&str]) -> (Value, PathBuf) {
    let (code, plan, log) = plan(stage, arguments);
    assert_eq!(code, 0, "{plan:#}\n{log}");
    let file = stage.file("plan.json", &plan.to_string());
    (plan, file)
}

pub(crate) fn execute(stage: &Stage, file: &Path, more: &[&str]) -> Run {
    let flags = [&["--plan", file.to_str().unwrap()], more].concat();
    stage.start_with(&flags).wait()
}

/// Executes when the membership of a killed run has ended.
pub(crate) fn execute_when_free(stage: &Stage, file: &Path, more: &[&str]) -> Run {
    let end = Instant::now() + TIMEOUT;
    loop {
        let run = execute(stage, file, more);
        if run.code != 20 || Instant::now() > end {
            return run;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Executes the plan, kills it twice, and executes it to its end. Returns the last run.
fn execute_with_kills(stage: &Stage, file: &Path, endpoint: &Endpoint, count: usize) -> Run {
    for kill in 1..=2 {
        let end = Instant::now() + TIMEOUT;
        loop {
            assert!(Instant::now() < end, "the run was not killed");
            let flags = ["--plan", file.to_str().unwrap()];
            let mut process = stage.start_with(&flags);
            let wait = Duration::from_millis(5);
            while process.is_running() && !endpoint.wait_for(kill * count / 4, wait) {}
            if process.is_running() {
                process.kill();
                break;
            }
            // Until then the membership of the killed run lasts.
            process.wait().expect(20);
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    execute_when_free(stage, file, &[])
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_is_executed_once_and_exactly() {
    let a = answering("rejected", Answer::status(422));
    let b = Endpoint::always(Answer::status(503)).unwrap();
    let stage = Stage::new("plan", 2).await.to(&a, &b);
    let (code, _, log) = plan(&stage, &["--kafka-topic", "no-such-topic"]);
    assert!(code == 74 && log.contains("does not exist"), "{log}");
    let (code, empty, _) = plan(&stage, &[]);
    assert_eq!((code, &empty["offsets"]), (1, &json!(0)), "{empty:#}");
    stage.write_users(1010, "u", 10, 2);
    stage.write_users(1020, "deferred", 2, 2);
    stage.write_users(1010, "later", 4, 2);
    stage.write_users(7, "skipped", 2, 2);
    stage.run().expect(11);
    stage.write_users(1010, "new", 6, 2);

    let (found, file) = planned(&stage, &["--count"]);
    assert_eq!(found["progress"], "group");
    assert_eq!(found["topic_partitions"], 2);
    let partition = &found["partitions"][0];
    // The commit is at the deferred record; what follows is completed for the other route only.
    assert_eq!(
        (&partition["start"], &partition["end"]),
        (&json!(5), &json!(12))
    );
    assert!(partition["leader_epoch"].is_i64() && partition["last_timestamp"].is_i64());
    assert_eq!(found["routes"][0]["records"], 6);
    assert_eq!(found["routes"][1]["records"], 2);
    let expected = json!({"read": 14, "complete": true, "already_completed": 4, "skipped": 2, "without_route": 0});
    assert_eq!(found["expected"], expected);
    assert_eq!(found["schemas"].as_array().unwrap().len(), 1);

    // Records that come after the plan are not part of it.
    stage.write_users(1010, "after", 6, 2);
    let before = a.count();
    let c = accepting();
    let stage = stage.with("API_TYPE_B_URL", c.url());
    let run = execute(&stage, &file, &[]).expect(0);
    assert_eq!(run.total("delivered"), 8);
    assert_eq!((a.count() - before, c.count()), (6, 2));
    assert_eq!(stage.committed(), [(0, 12), (1, 12)].into());
    // A plan that is done does nothing.
    let again = execute(&stage, &file, &[]).expect(0);
    assert_eq!(again.total("planned"), 0);
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 6);
    let again = execute(&stage, &file, &[]).expect(0);
    assert_eq!((again.total("planned"), stage.total_committed()), (0, 30));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_killed_execution_is_continued() {
    const COUNT: usize = 600;
    for (name, window, code) in [
        ("plan-killed", "committed", "group"),
        ("replay-killed", "earliest", "plan"),
    ] {
        let first = accepting();
        let stage = Stage::new(name, 3)
            .await
            .to(&first, &accepting())
            .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string());
        if code == "plan" {
            stage.write_users(1010, "u", COUNT, 3);
            stage.run().expect(0);
        } else {
            stage.write_users(1010, "u", COUNT, 3);
        }
        let before = stage.total_committed();
        let (found, file) = planned(&stage, &["--window-start", window]);
        assert_eq!(
            (&found["progress"], &found["offsets"]),
            (&json!(code), &json!(COUNT))
        );
        stage.write_users(1010, "after", 30, 3);

        let slow = accepting_after(Duration::from_millis(20));
        let stage = stage.to(&slow, &accepting());
        let last = execute_with_kills(&stage, &file, &slow, COUNT).expect(0);
        assert!(last.total("delivered") < COUNT as i64, "{:#}", last.report);
        let repeats = assert_accepted_all(&slow, "u", COUNT);
        assert!(repeats <= 2 * MAX_UNCOMMITTED, "{repeats} repeats");
        println!("{window}: {COUNT} records, 2 kills, {repeats} repeats");

        let count = slow.count();
        let again = execute(&stage, &file, &[]).expect(0);
        assert_eq!((again.total("planned"), slow.count()), (0, count));
        let after = match code {
            "group" => COUNT as i64,
            // The commits of the job stay as they are.
            _ => before,
        };
        assert_eq!(stage.total_committed(), after);
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_completed_replay_stays_completed_when_its_records_are_deleted() {
    let (stage, a, _b) = Stage::accepting("plan-done", 2).await;
    stage.write_users(1010, "u", 20, 2);
    let (_, file) = planned(&stage, &["--window-start", "earliest"]);
    execute(&stage, &file, &[]).expect(0);
    stage.write_users(1010, "after", 20, 2);
    for partition in 0..2 {
        let deleted = stage
            .topics
            .delete_before(&stage.topic, partition, 15)
            .await;
        deleted.unwrap();
    }
    let again = execute(&stage, &file, &[]).expect(0);
    assert_eq!((again.total("planned"), a.count()), (0, 20));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn what_a_run_has_completed_above_the_plan_stays_completed() {
    let a = accepting();
    let b = Endpoint::always(Answer::status(503)).unwrap();
    let stage = Stage::new("plan-above", 1).await.to(&a, &b);
    stage.write_users(1020, "deferred", 1, 1);
    stage.write_users(1010, "u", 2, 1);
    let (found, file) = planned(&stage, &[]);
    assert_eq!(found["offsets"], 3);
    stage.write_users(1010, "v", 2, 1);
    stage.write_users(1020, "also-deferred", 1, 1);
    stage.write_users(1010, "w", 2, 1);
    let run = stage.run().expect(11);
    assert_eq!((run.total("delivered"), stage.total_committed()), (6, 0));

    let c = accepting();
    let stage = stage.with("API_TYPE_B_URL", c.url());
    let run = execute(&stage, &file, &[]).expect(0);
    assert_eq!((run.total("delivered"), a.count(), c.count()), (1, 6, 1));
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), a.count(), c.count()), (1, 6, 2));
    assert_eq!(stage.total_committed(), 8);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_has_the_time_of_the_last_record_or_none() {
    let (stage, _a, _b) = Stage::accepting("plan-times", 1).await;
    // The broker deletes records that are too old.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let hour_ago = hour_ago.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let at = |timestamp, name: &str| NewRecord {
        timestamp: Some(timestamp),
        ..NewRecord::to(0, User::new(1010, name).encode())
    };
    stage.write(&[at(hour_ago, "first"), at(hour_ago + 2_000, "last")]);
    let times = |arguments: &[&str]| {
        let partition = plan(&stage, arguments).1["partitions"][0].take();
        (
            partition["first_timestamp"].as_i64(),
            partition["last_timestamp"].as_i64(),
        )
    };
    let (first, last) = (Some(hour_ago), Some(hour_ago + 2_000));
    assert_eq!(times(&[]), (first, last));
    assert_eq!(times(&["--count"]), (first, last));
    // The last offsets have no records.
    let aborted: Vec<NewRecord> = (0..20).map(|_| at(hour_ago + 3_000, "aborted")).collect();
    stage
        .topics
        .whole_transaction(&stage.topic, &aborted, false)
        .unwrap();
    assert_eq!(times(&[]), (first, None));
    assert_eq!(times(&["--count"]), (first, last));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_plan_fits_after_the_election_of_a_leader() {
    let kafka = Kafka::start(&Options::default()).unwrap();
    let a = accepting();
    let stage = Stage::on(&kafka, "plan-epoch", 1, &[]).await.to(&a, &a);
    stage.write_users(1010, "u", 30, 1);
    let (before, file) = planned(&stage, &[]);
    kafka.kill(1).await.unwrap();
    kafka.restart(1).await.unwrap();
    let epoch = |plan: &Value| plan["partitions"][0]["leader_epoch"].as_i64().unwrap();
    let after = plan(&stage, &[]).1;
    assert!(epoch(&after) > epoch(&before), "{before:#}{after:#}");
    let run = execute(&stage, &file, &[]).expect(0);
    assert_eq!((run.total("delivered"), a.count()), (30, 30));
}
