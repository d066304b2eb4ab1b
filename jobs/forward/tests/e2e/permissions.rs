//! What `forward check` says about permissions, on a broker with access control lists.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Topic};
use testkit::kafka::{Kafka, Options};
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::stage::Stage;

/// A broker with access control lists.
pub(crate) fn start() -> Kafka {
    Kafka::start(&Options {
        sasl_ssl: true,
        fast_join: true,
        set: vec![
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            // The listener without SASL: the test's own clients, and the broker itself.
            "super.users=User:ANONYMOUS".to_owned(),
        ],
        ..Options::default()
    })
    .unwrap()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_check_fails_where_the_run_would_for_lack_of_permissions() {
    let kafka = start();
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "permissions", 1, &[]).await.to(&a, &b);
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    stage.write(&[NewRecord::to(0, b"not a datum".to_vec())]);
    let (topic, group, letters) = (
        stage.topic.as_str(),
        stage.group.as_str(),
        stage.dead_letter_topic(),
    );
    let names = ["topic", "group", "dead_letter_topic"];
    let check = || {
        let (code, checks) = stage.check();
        let finding = |name: &str| {
            let Some(check) = checks.get(name) else {
                return "left out".to_owned();
            };
            let detail = check["detail"].as_str().unwrap_or_default();
            let (_, last) = detail.rsplit_once(", ").unwrap_or_default();
            format!("{}: {last}", check["result"].as_str().unwrap())
        };
        (code, names.map(finding))
    };
    // The broker applies an entry a moment after it is created.
    let assert_check = |code: i32, expected: [&str; 3]| {
        let expected = (code, expected.map(str::to_owned));
        let end = Instant::now() + Duration::from_secs(10);
        while check() != expected && Instant::now() < end {}
        assert_eq!(check(), expected);
    };
    let (granted, denied) = ("ok: READ is granted", "failed: READ is denied");
    for resource in [Topic(topic), Topic(&letters), Group(group)] {
        kafka.allow(resource, AclOperation::Describe).unwrap();
    }
    assert_check(74, [denied, denied, "failed: WRITE is denied"]);

    for resource in [Topic(topic), Group(group)] {
        kafka.allow(resource, AclOperation::Read).unwrap();
    }
    assert_check(74, [granted, granted, "failed: WRITE is denied"]);
    assert_eq!(stage.run().expect(74).total("deferred"), 1);

    kafka.allow(Topic(&letters), AclOperation::Write).unwrap();
    assert_check(0, [granted, granted, "warning: READ is denied"]);
    let run = stage.run().expect(10);
    assert_eq!(run.total("dead_lettered"), 1);
    let notes = run.report["notes"].to_string();
    assert!(notes.contains("would not be noticed"), "{notes}");

    kafka.allow(Topic(&letters), AclOperation::Read).unwrap();
    assert_check(0, [granted, granted, "ok: WRITE is granted"]);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn without_access_control_lists_every_operation_is_granted() {
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::new("no-permissions", 1).await.to(&a, &b);
    let (code, checks) = stage.check();
    assert_eq!(code, 0);
    for (name, operation) in [
        ("topic", "READ"),
        ("group", "READ"),
        ("dead_letter_topic", "WRITE"),
    ] {
        let detail = checks[name]["detail"].as_str().unwrap();
        assert!(
            detail.ends_with(&format!("{operation} is granted")),
            "{detail}"
        );
    }
    stage.set("DEAD_LETTER_TOPIC", "no-such-topic");
    let (code, checks) = stage.check();
    assert_eq!(code, 0);
    assert_eq!(checks["dead_letter_topic"]["result"], "warning");
    let created = stage.topics.watermarks("no-such-topic").unwrap();
    assert!(created.is_empty(), "a check creates no topic");
}

/// The rows of the table in docs/OPERATIONS.md: the missing entry, what a check says, what a run says, and the exit code.
#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_table_of_permissions_says_what_a_missing_entry_causes() {
    const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");
    let kafka = start();
    let mut wrong = Vec::new();
    for missing in [
        "READ on `KAFKA_TOPIC`",
        "READ on the group",
        "WRITE on the dead-letter topic",
        "READ on the dead-letter topic",
        "WRITE on a topic of answers",
    ] {
        let (a, answers) = (accepting(), "permissions-answers");
        let stage = Stage::on(&kafka, "permission", 1, &[]).await;
        let topic = format!("{}-{answers}", stage.topic);
        stage.topics.create(&topic, 1, &[]).await.unwrap();
        let mut stage = stage.routes(&json!([
            {"name": "A", "when": "id == 1", "url": a.url(), "answers": {"success_topic": topic}}
        ]));
        stage.set("START_TIMEOUT", "3s");
        for (name, value) in kafka.environment() {
            stage.set(name, value);
        }
        let record = match missing {
            "WRITE on the dead-letter topic" | "READ on the dead-letter topic" => {
                b"not a datum".to_vec()
            }
            _ => User::new(1, "name").encode(),
        };
        stage.write(&[NewRecord::to(0, record)]);
        let letters = stage.dead_letter_topic();
        for (name, resource, operation) in [
            (
                "READ on `KAFKA_TOPIC`",
                Topic(&stage.topic),
                AclOperation::Read,
            ),
            ("READ on the group", Group(&stage.group), AclOperation::Read),
            (
                "WRITE on the dead-letter topic",
                Topic(&letters),
                AclOperation::Write,
            ),
            (
                "READ on the dead-letter topic",
                Topic(&letters),
                AclOperation::Read,
            ),
            (
                "WRITE on a topic of answers",
                Topic(&topic),
                AclOperation::Write,
            ),
        ] {
            if name != missing {
                kafka.allow(resource, operation).unwrap();
            }
        }
        // The broker applies an entry a moment after it is created.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (checked, checks) = stage.check();
        let checks = checks.values().filter(|check| {
            let name = check["name"].as_str().unwrap();
            ["broker", "topic", "group", "dead_letter_topic", "answers"].contains(&name)
                && check["result"] != "ok"
        });
        let said: Vec<String> = checks
            .map(|check| {
                let detail = check["detail"].as_str().unwrap();
                let last = detail.rsplit_once(", ").map_or(detail, |(_, last)| last);
                let last = last.rsplit_once(": ").map_or(last, |(_, last)| last);
                format!("`{}`: {last}", check["name"].as_str().unwrap())
            })
            .collect();
        let run = stage.run();
        assert!(
            run.elapsed < Duration::from_secs(30),
            "{missing}: {:?}",
            run.elapsed
        );
        let row = format!(
            "| {missing} | {checked} | {} | {} | `",
            said.join("; "),
            run.code
        );
        let notes = run.report["notes"].to_string();
        let documented = DOCUMENT
            .split_once(&row)
            .and_then(|(_, rest)| rest.split_once('`'));
        if !documented.is_some_and(|(note, _)| notes.contains(note)) {
            wrong.push(format!("{row}\n    {:?} {notes}", run.elapsed));
        }
    }
    assert!(
        wrong.is_empty(),
        "not in docs/OPERATIONS.md:\n{}",
        wrong.join("\n")
    );
}
