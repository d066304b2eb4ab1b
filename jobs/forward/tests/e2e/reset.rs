//! `forward reset` on Apache Kafka.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use kafka::config::KafkaSettings;
use kafka::group_commit::GroupCommitError;
use kafka::member::Commit;
use kafka::reader::Reader;
use kafka::settings::KAFKA;
use serde_json::{Value, json};
use settings::Settings;
use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::{Kafka, Options};
use testkit::schemas;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepted_names, accepting, accepting_after};
use crate::stage::Stage;

/// The exit code, and both outputs.
fn reset(stage: &Stage, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    let output = command.arg("reset").args(arguments).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    (output.status.code().unwrap(), text)
}

/// A run on a busy machine may exit before the broker has removed its member, which then counts until its session ends.
#[track_caller]
fn wait_until_the_group_is_empty(stage: &Stage) {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let (code, text) = reset(stage, &["--to", "latest", "--yes"]);
        if code != 20 {
            return assert_eq!(code, 0, "{text}");
        }
        assert!(Instant::now() < end, "{text}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[track_caller]
fn report(stage: &Stage, arguments: &[&str]) -> Value {
    let (code, text) = reset(stage, &[&["--output", "json"], arguments].concat());
    assert_eq!(code, 0, "{text}");
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    schemas::validate("reset-report", &report).unwrap();
    report
}

#[track_caller]
fn assert_counts(report: &Value, applied: bool, skipped: i64, repeated: i64) {
    let found = (&report["applied"], &report["skipped"], &report["repeated"]);
    let expected = (&json!(applied), &json!(skipped), &json!(repeated));
    assert_eq!(found, expected, "{report:#}");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_reset_does_what_its_preview_says() {
    let (stage, a, _b) = Stage::accepting("reset", 2).await;
    stage.write_users(1010, "u", 20, 2);
    stage.write_users(7, "skipped", 4, 2);
    stage.run().expect(0);
    let all = [(0, 12), (1, 12)].into();
    let counted = report(&stage, &["--to", "earliest", "--count"]);
    assert_counts(&counted, false, 0, 24);
    let records = json!({"complete": true, "skipped": 0, "repeated": 10});
    assert_eq!(counted["partitions"][1]["records"], records);
    assert_eq!(stage.committed(), all);
    let (code, text) = reset(&stage, &["--to", "earliest"]);
    assert_eq!(code, 0);
    assert!(
        text.contains("repeated: at most 24 records") && text.contains("this is a preview"),
        "{text}"
    );
    println!("{text}");

    assert_counts(&report(&stage, &["--to", "earliest", "--yes"]), true, 0, 24);
    assert_eq!(stage.committed(), [(0, 0), (1, 0)].into());
    let run = stage.run().expect(0);
    assert_eq!((run.total("delivered"), a.count()), (20, 40));
    let notes = run.report["notes"].as_array().unwrap();
    assert!(notes.is_empty(), "{notes:?}");

    stage.write_users(1010, "new", 6, 2);
    assert_counts(&report(&stage, &["--to", "latest"]), false, 6, 0);
    // The newest partition's records of the last hour are all of them.
    let hour = report(&stage, &["--to", "1h", "--partition", "1", "--yes"]);
    assert_counts(&hour, true, 0, 12);
    assert_eq!(stage.committed(), [(0, 12), (1, 0)].into());
    let offset = report(&stage, &["--to", "14", "--partition", "1", "--yes"]);
    assert_counts(&offset, true, 14, 0);
    assert_counts(
        &report(&stage, &["--to", "14", "--partition", "1", "--yes"]),
        false,
        0,
        0,
    );
    assert_eq!(stage.run().expect(0).total("delivered"), 3 + 1);

    for (arguments, code, sentence) in [
        (
            &["--to", "99", "--partition", "0"][..],
            78,
            "partition 0 has the offsets from 0 to 15: offset 99 does not exist yet",
        ),
        (
            &["--to", "latest", "--partition", "2"],
            78,
            "has no partition 2",
        ),
        (&["--to", "7"], 64, "add --partition"),
        (
            &["--to", "latest", "--kafka-topic", "no-such-topic"],
            74,
            "does not exist",
        ),
    ] {
        let (exit, text) = reset(&stage, &[arguments, &["--yes"]].concat());
        assert_eq!(exit, code, "{text}");
        assert!(text.contains(sentence), "{text}");
    }
    assert_eq!(stage.committed(), [(0, 15), (1, 15)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn what_is_completed_above_the_new_commit_is_not_repeated() {
    let a = accepting();
    let b = Endpoint::always(Answer::status(503)).unwrap();
    let stage = Stage::new("reset-map", 1).await.to(&a, &b);
    let user = |id, name: &str| NewRecord::to(0, User::new(id, name).encode());
    stage.write(&[
        user(1020, "given-up"),
        user(1010, "done"),
        user(1010, "done"),
        user(1020, "waits"),
        user(1010, "done"),
    ]);
    stage.run().expect(11);
    assert_eq!((stage.committed(), a.count()), ([(0, 0)].into(), 3));
    // The offsets 0 to 3 are in a gap of route B. Two of them are completed records of route A.
    let counted = report(
        &stage,
        &["--to", "1", "--partition", "0", "--count", "--yes"],
    );
    assert_counts(&counted, true, 1, 0);
    let records = json!({"complete": true, "skipped": 1, "repeated": 0});
    assert_eq!(counted["partitions"][0]["records"], records);
    let c = accepting();
    let stage = stage.with("API_TYPE_B_URL", c.url());
    stage.run().expect(0);
    assert_eq!(a.count(), 3, "no record of route A is repeated");
    assert_eq!(accepted_names(&c), ["waits"]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_broker_that_rejects_the_length_of_metadata_moves_the_commits() {
    let options = Options {
        set: vec!["offset.metadata.max.bytes=8".to_owned()],
        ..Options::default()
    };
    let kafka = Kafka::start(&options).unwrap();
    let a = accepting();
    let stage = Stage::on(&kafka, "reset-metadata", 2, &[]).await.to(&a, &a);
    stage.write_users(1010, "u", 20, 2);
    stage.run().expect(0);
    assert_counts(
        &report(&stage, &["--to", "5", "--partition", "1", "--yes"]),
        true,
        0,
        5,
    );
    assert_eq!(stage.committed(), [(0, 10), (1, 5)].into());
    assert_counts(&report(&stage, &["--to", "earliest", "--yes"]), true, 0, 15);
    assert_eq!(stage.committed(), [(0, 0), (1, 0)].into());
    assert_eq!(stage.run().expect(0).total("delivered"), 20);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_reset_is_refused_while_a_run_is_live() {
    for protocol in ["consumer", "classic"] {
        let slow = accepting_after(Duration::from_millis(100));
        let stage = Stage::new("reset-live", 2)
            .await
            .to(&slow, &accepting())
            .with("KAFKA_GROUP_PROTOCOL", protocol)
            .with("MAX_IN_FLIGHT", "1");
        stage.write_users(1010, "u", 60, 2);
        let mut process = stage.start();
        assert!(slow.wait_for(5, Duration::from_secs(60)));
        let (code, text) = reset(&stage, &["--to", "latest", "--yes"]);
        assert_eq!(code, 20, "{text}");
        assert!(text.contains("a run is live in group"), "{text}");
        let preview = report(&stage, &["--to", "latest"]);
        let note = preview["notes"][0].as_str().unwrap();
        assert!(note.contains("--yes would be refused"), "{note}");

        // The broker refuses too: a run may join the group after its members were listed.
        let flags = [
            ("kafka_bootstrap_servers", stage.bootstrap.clone()),
            ("kafka_topic", stage.topic.clone()),
        ];
        let settings = Settings::gather(&[&KAFKA], &flags, |_| None).await.unwrap();
        let kafka = KafkaSettings::from_settings(&settings).unwrap();
        let reader = Reader::new(&kafka.reader(&stage.group), &stage.topic).unwrap();
        let commit = |partition| Commit {
            partition,
            offset: 30,
            metadata: String::new(),
        };
        let commits = [0, 1].map(commit);
        let refused = reader.commit_without_members(&commits).unwrap_err();
        assert!(matches!(refused, GroupCommitError::Members(_)), "{refused}");
        assert!(process.is_running(), "the run has ended before the resets");

        let run = process.wait().expect(0);
        assert_eq!((run.total("delivered"), slow.count()), (60, 60));
        wait_until_the_group_is_empty(&stage);
        assert_counts(&report(&stage, &["--to", "earliest", "--yes"]), true, 0, 60);
    }
}
