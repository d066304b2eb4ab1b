//! What `forward check` says about permissions, on a broker with access control lists.

use std::time::{Duration, Instant};

use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Topic};
use testkit::kafka::{Kafka, Options};
use testkit::topics::NewRecord;

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
