//! The topic of reports, and `forward report` of it.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Topic};
use testkit::endpoint::{Answer, Endpoint};
use testkit::{records, schemas};

use crate::permissions;
use crate::stage::Stage;

/// Creates a topic for reports, and sets it.
async fn reporting(stage: Stage, settings: &[(&str, &str)]) -> (Stage, String) {
    let topic = format!("{}-reports", stage.topic);
    let compact = [("cleanup.policy", "compact")];
    let settings = [&compact, settings].concat();
    stage.topics.create(&topic, 3, &settings).await.unwrap();
    (stage.with("REPORT_TOPIC", &topic), topic)
}

/// The exit code of `forward report`, standard output and standard error.
fn rendered(stage: &Stage, arguments: &[&str]) -> (i32, String, String) {
    forward(stage, &[&["report"], arguments].concat())
}

/// The exit code of a command, standard output and standard error.
fn forward(stage: &Stage, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_newest_report_of_the_group_is_in_the_topic_and_rendered() {
    let (stage, a, b) = Stage::accepting("reports", 2).await;
    let (stage, topic) = reporting(stage.to(&a, &b), &[]).await;
    let (code, _, log) = rendered(&stage, &[&topic]);
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("the topic has no report of group"), "{log}");

    stage.write_users(1010, "user", 30, 2);
    let first = stage.run().expect(0);
    stage.write_users(1020, "user", 7, 2);
    let second = stage.run().expect(0);
    stage.start_with(&["--dry-run"]).wait().expect(0);

    let replay = ["--window-start", "earliest"];
    let (_, plan, _) = forward(&stage, &[&["plan"], &replay[..]].concat());
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), plan).unwrap();
    let replayed = stage.start_with(&replay).wait().expect(0);
    let planned = ["--plan", file.path().to_str().unwrap()];
    let planned = stage.start_with(&planned).wait().expect(0);
    for run in [&replayed, &planned] {
        assert_eq!(run.total("delivered"), 37);
    }

    let stored = records::all(&stage.bootstrap, &topic).unwrap();
    let (stored, others): (Vec<_>, Vec<_>) = stored
        .into_iter()
        .partition(|record| record.key.as_deref() == Some(stage.group.as_bytes()));
    let mut keys: Vec<_> = others
        .into_iter()
        .map(|record| String::from_utf8(record.key.unwrap()).unwrap())
        .collect();
    keys.sort();
    let expected = [
        &planned.report["group"],
        &format!("{}.replay", stage.group).into(),
    ];
    assert_eq!(
        keys,
        expected.map(|key: &Value| key.as_str().unwrap().to_owned())
    );
    assert!(
        keys[0].starts_with(&format!("{}.plan.", stage.group)),
        "{keys:?}"
    );
    let value = |index: usize| -> Value {
        let record = &stored[index];
        serde_json::from_slice(record.value.as_ref().unwrap()).unwrap()
    };
    assert_eq!(
        stored.len(),
        2,
        "a dry run writes no report, and a replay has another key"
    );
    assert_eq!((value(0), value(1)), (first.report, second.report.clone()));

    let (code, json, _) = rendered(&stage, &[&topic, "--output", "json"]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), second.report);
    let (_, page, _) = rendered(&stage, &[&topic, "--output", "html"]);
    assert!(page.contains("<dt>delivered</dt><dd>7</dd>"), "{page}");
    let (_, status, _) = forward(&stage, &["status", "--output", "json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    schemas::validate("status-report", &status).unwrap();
    assert_eq!(status["last_run"]["run"], second.report["run"]);
    assert_eq!(status["last_run"]["exit_code"], 0);
    let (code, _, log) = rendered(&stage, &[&topic, "--kafka-group-id", "another"]);
    assert_eq!(code, 1, "{log}");
    let (code, _, log) = rendered(&stage, &["no-such-topic"]);
    assert_eq!(code, 1, "{log}");
    let reason = "no-such-topic: there is no such file, and no such topic at ";
    assert!(log.contains(reason), "{log}");
    let unread = [
        "status",
        "--report-topic",
        "no-such-topic",
        "--output",
        "json",
    ];
    let (_, status, _) = forward(&stage, &unread);
    let status: Value = serde_json::from_str(&status).unwrap();
    schemas::validate("status-report", &status).unwrap();
    let notes = status["notes"].to_string();
    assert!(
        notes.contains(
            "the last run is not known: topic no-such-topic (REPORT_TOPIC) does not exist at "
        ),
        "{notes}"
    );
    let none = stage.with("KAFKA_BOOTSTRAP_SERVERS", "");
    let (code, _, log) = rendered(&none, &[&topic]);
    assert_eq!(code, 78, "{log}");
    assert!(log.contains("there is no file"), "{log}");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_report_that_cannot_be_written_changes_neither_the_deliveries_nor_the_exit_code() {
    let (stage, _a, _b) = Stage::accepting("unreported", 1).await;
    let missing = format!("{}-missing", stage.topic);
    let stage = stage.with("REPORT_TOPIC", &missing);
    let (_, checks) = stage.check();
    assert_eq!(checks["report_topic"]["result"], "warning");
    assert_eq!(checks["report_topic"]["cause"], "no_topic");
    for (count, reason) in [
        (5, "the topic does not exist"),
        (6, "raise max.message.bytes"),
    ] {
        stage.write_users(1010, "user", count, 1);
        let before = stage.total_committed();
        let run = stage.run().expect(0);
        assert_eq!(run.total("delivered"), count as i64);
        assert_eq!(stage.total_committed(), before + count as i64);
        let note = run.report["notes"][0].as_str().unwrap();
        let expected = format!("the report was not written to topic {missing}: ");
        assert!(
            note.starts_with(&expected) && note.contains(reason),
            "{note}"
        );
        assert!(
            run.log.contains("the report was not written"),
            "{}",
            run.log
        );
        if count == 5 {
            let small = [("max.message.bytes", "900")];
            // The run has not created it.
            stage.topics.create(&missing, 1, &small).await.unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_report_without_write_is_a_note() {
    let kafka = permissions::start();
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage::on(&kafka, "denied-reports", 1, &[]).await;
    let (stage, topic) = reporting(stage.to(&endpoint, &endpoint), &[]).await;
    let mut stage = stage;
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    let letters = stage.dead_letter_topic();
    for (resource, operation) in [
        (Topic(&stage.topic), AclOperation::Read),
        (Group(&stage.group), AclOperation::Read),
        (Topic(&letters), AclOperation::Write),
        (Topic(&letters), AclOperation::Read),
        (Topic(&topic), AclOperation::Describe),
    ] {
        kafka.allow(resource, operation).unwrap();
    }
    let end = Instant::now() + Duration::from_secs(10);
    while stage.check().1["report_topic"]["cause"] != "authorization" {
        assert!(Instant::now() < end, "{:?}", stage.check());
    }
    stage.write_users(1010, "user", 3, 1);
    let run = stage.run().expect(0);
    assert_eq!(run.total("delivered"), 3);
    let notes = run.report["notes"].to_string();
    assert!(
        notes.contains("WRITE is denied: grant the user WRITE"),
        "{notes}"
    );
    assert_eq!(records::all(kafka.bootstrap(), &topic).unwrap().len(), 0);
}
