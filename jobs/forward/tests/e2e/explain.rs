//! `forward explain` for records of different fates.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Topic};
use testkit::endpoint::{Answer, Endpoint};
use testkit::schemas;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{accepting, answering};
use crate::permissions;
use crate::stage::Stage;

fn user(id: i32, name: &str) -> NewRecord {
    NewRecord {
        key: Some(name.as_bytes().to_vec()),
        timestamp: Some(1_795_335_209_000),
        ..NewRecord::to(0, User::new(id, name).encode())
    }
}

fn explain(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    command.arg("explain").args(arguments).output().unwrap()
}

/// The exit code and the text, in which `names` are replaced.
fn text(stage: &Stage, arguments: &[&str], names: &[(&str, &str)]) -> (i32, String) {
    let output = explain(stage, arguments);
    let mut text = String::from_utf8(output.stdout).unwrap();
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    for (name, stand_in) in names {
        text = text.replace(name, stand_in);
    }
    (output.status.code().unwrap(), text)
}

fn report(stage: &Stage, arguments: &[&str]) -> Value {
    let output = explain(stage, &[&["--output", "json"], arguments].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    schemas::validate("explain-report", &report).unwrap();
    report
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn each_fate_of_a_record_has_its_explanation() {
    let a = answering("rejected", Answer::status(422).body("no such customer"));
    let b = Endpoint::always(Answer::status(503).header("retry-after", "900")).unwrap();
    let stage = Stage::new("explain", 1).await.to(&a, &b);
    stage.write(&[user(1010, "deleted")]);
    stage.run().expect(0);
    stage
        .topics
        .delete_before(&stage.topic, 0, 1)
        .await
        .unwrap();
    stage.write(&[
        user(1010, "delivered"),
        user(7, "skipped"),
        user(1010, "rejected"),
        NewRecord {
            value: Some(b"\xff no datum".to_vec()),
            ..user(7, "undecodable")
        },
    ]);
    let aborted = [user(1010, "aborted")];
    let topics = &stage.topics;
    topics
        .whole_transaction(&stage.topic, &aborted, false)
        .unwrap();
    stage.write(&[user(1020, "deferred"), user(1010, "beyond")]);
    stage.run().expect(11);
    stage.write(&[user(1010, "pending")]);
    let open = topics
        .open_transaction(&stage.topic, &[user(1010, "open")])
        .unwrap();

    let cases = [
        ("0@0", 1, "deleted"),
        ("0@1", 0, "committed"),
        ("0@2", 0, "committed"),
        ("0@3", 0, "dead_lettered"),
        ("0@4", 0, "dead_lettered"),
        ("0@5", 1, "aborted"),
        ("0@6", 1, "compacted"),
        ("0@7", 0, "deferred"),
        ("0@8", 0, "completed_beyond_commit"),
        ("0@9", 0, "pending"),
        ("0@10", 1, "open_transaction"),
        ("0@11", 1, "beyond_end"),
        ("1@0", 1, "no_partition"),
    ];
    let sent = report(&stage, &["0@1"]);
    let request = &sent["records"][0]["decision"]["request"];
    let header = |name: &str| {
        let mut headers = request["headers"].as_array().unwrap().iter();
        let found = headers.find(|header| header[0] == name).unwrap();
        found[1].as_str().unwrap().to_owned()
    };
    let key = header("idempotency-key");
    let stream = key.trim_matches('"').strip_suffix("/0/1").unwrap();
    let deferred = report(&stage, &["0@7"]);
    let paused_until = deferred["records"][0]["paused_until"].as_str().unwrap();
    let (agent, a_host) = (header("user-agent"), header("host"));
    let b_host = b
        .url()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let names = [
        (stage.topic.as_str(), "orders"),
        (stream, "CLUSTER/TOPIC-ID"),
        (paused_until, "PAUSE-END"),
        (agent.as_str(), "frontdoor/VERSION"),
        (a_host.as_str(), "a.example"),
        (b_host.as_str(), "b.example"),
    ];
    let mut golden = String::new();
    for (coordinates, code, state) in cases {
        let found = report(&stage, &[coordinates]);
        assert_eq!(found["records"][0]["state"], state, "{found:#}");
        let (exit, text) = text(&stage, &[coordinates], &names);
        assert_eq!(exit, code, "{text}");
        golden.push_str(&text);
        golden.push('\n');
    }
    // UPDATE_GOLDEN=1 writes the file.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/explain.golden");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &golden).unwrap();
    }
    assert_eq!(golden, std::fs::read_to_string(file).unwrap());

    let since = ["--since", "2026-01-01T00:00:00Z"];
    let search = |arguments: &[&str]| report(&stage, &[arguments, &since].concat());
    let offsets = |report: &Value| -> Vec<String> {
        let records = report["records"].as_array().unwrap().iter();
        let at = records.map(|record| record["coordinates"].as_str().unwrap());
        at.map(|at| at.split_once('@').unwrap().1.to_owned())
            .collect()
    };
    let found = search(&["--key", "rejected"]);
    assert_eq!(offsets(&found), ["3"]);
    assert_eq!(found["search"], "complete");
    assert_eq!(
        offsets(&search(&["--id-field", "id=1010"])),
        ["1", "3", "8", "9"]
    );
    assert_eq!(offsets(&search(&["--id-field", "name=skipped"])), ["2"]);
    let limited = search(&["--id-field", "id=1010", "--limit", "2"]);
    assert_eq!(offsets(&limited), ["1", "3"]);
    assert_eq!(limited["search"], "limit");
    let all = [
        "--since",
        "2026-01-01T00:00:00Z",
        "--until",
        "2026-02-01T00:00:00Z",
    ];
    for (arguments, code, expected) in [
        (
            &["--key", "unknown"][..],
            1,
            "No record of the time range matches.",
        ),
        (
            &["--key", "rejected", all[0], all[1], all[2], all[3]],
            1,
            "No record",
        ),
        (&["--id-field", "nmae=x"], 78, "nmae"),
        (&["no-such-topic-here/0@1"], 74, "no-such-topic-here"),
        (&["0@x"], 64, "expected TOPIC/PARTITION@OFFSET"),
        (&["0@1", "--key", "x"], 64, "cannot be used with"),
        (&[], 64, "required"),
    ] {
        let (exit, text) = text(&stage, arguments, &[]);
        assert_eq!(exit, code, "{text}");
        assert!(text.contains(expected), "{text}");
    }
    open.abort().unwrap();
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn without_read_on_the_dead_letters_the_rest_is_shown() {
    let kafka = permissions::start();
    let mut stage = Stage::on(&kafka, "explain-denied", 1, &[])
        .await
        .to(&accepting(), &accepting());
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    stage.write(&[user(1010, "u")]);
    let letters = stage.dead_letter_topic();
    let letter = NewRecord::to(0, b"a dead letter".to_vec());
    stage.topics.write(&letters, &[letter]).unwrap();
    for (resource, operation) in [
        (Topic(&stage.topic), AclOperation::Read),
        (Group(&stage.group), AclOperation::Read),
        (Topic(&letters), AclOperation::Describe),
    ] {
        kafka.allow(resource, operation).unwrap();
    }
    // The broker applies an entry a moment after it is created.
    let end = Instant::now() + Duration::from_secs(10);
    while explain(&stage, &["0@0"]).status.code() != Some(0) && Instant::now() < end {}
    let found = report(&stage, &["0@0"]);
    assert_eq!(found["records"][0]["state"], "pending");
    let note = found["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("The dead letters are not known: "),
        "{note}"
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    stage.set_environment(&mut command);
    let output = command.args(["status", "--output", "json"]).output();
    let status: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    assert_eq!(
        (&status["lag"], &status["dead_letters"]),
        (&1.into(), &Value::Null)
    );
    assert!(
        status["notes"][0]
            .as_str()
            .unwrap()
            .contains("dead letters"),
        "{status:#}"
    );
}
