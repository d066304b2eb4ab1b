//! What `forward check` says about permissions, on a broker with access control lists.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::acl::Resource::{Group, Topic};
use testkit::acl::{AclOperation, Resource};
use testkit::kafka::{Kafka, Options};
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::stage::Stage;

/// A broker with access control lists, and the SASL mechanism of OCI Streaming with Apache Kafka.
pub(crate) fn start() -> Kafka {
    Kafka::start(&Options {
        sasl_ssl: true,
        mechanism: "SCRAM-SHA-512".to_owned(),
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

/// Grants the needed operations, except those with the indices `left_out`, and `added`.
pub(crate) async fn grant<'n, O: Copy>(
    kafka: &Kafka,
    needed: &[(O, AclOperation)],
    left_out: &[usize],
    added: Option<(O, AclOperation)>,
    resource: impl Fn(O) -> Resource<'n>,
) {
    let entries = needed.iter().enumerate();
    let entries = entries.filter(|(index, _)| !left_out.contains(index));
    for (object, operation) in entries.map(|(_, entry)| *entry).chain(added) {
        kafka.allow(resource(object), operation).unwrap();
    }
    // The broker applies an entry a moment after it is created.
    tokio::time::sleep(Duration::from_millis(500)).await;
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

/// What an entry of an access control list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Topic,
    Group,
    DeadLetters,
    Answers,
}

type Entry = (Object, AclOperation);

/// What is missing, the entries of [`NEEDED`] that are left out, and an entry that is added.
type Row = (&'static str, &'static [usize], Option<Entry>);

/// The entries that a job needs.
const NEEDED: [Entry; 5] = [
    (Object::Topic, AclOperation::Read),
    (Object::Group, AclOperation::Read),
    (Object::DeadLetters, AclOperation::Read),
    (Object::DeadLetters, AclOperation::Write),
    (Object::Answers, AclOperation::Write),
];

/// The rows of the table in docs/OPERATIONS.md.
const ROWS: [Row; 10] = [
    (
        "READ on `KAFKA_TOPIC`",
        &[0],
        Some((Object::Topic, AclOperation::Describe)),
    ),
    ("READ and DESCRIBE on `KAFKA_TOPIC`", &[0], None),
    (
        "READ on the group",
        &[1],
        Some((Object::Group, AclOperation::Describe)),
    ),
    ("READ and DESCRIBE on the group", &[1], None),
    ("WRITE on the dead-letter topic", &[3], None),
    ("READ on the dead-letter topic", &[2], None),
    (
        "READ, WRITE and DESCRIBE on the dead-letter topic",
        &[2, 3],
        None,
    ),
    (
        "WRITE on a topic of answers",
        &[4],
        Some((Object::Answers, AclOperation::Describe)),
    ),
    ("WRITE and DESCRIBE on a topic of answers", &[4], None),
    (
        "DESCRIBE_CONFIGS on topics, IDEMPOTENT_WRITE on the cluster",
        &[],
        None,
    ),
];

/// Runs a check and a run without an entry. Returns the beginning of the row, and the notes of the run.
async fn observe(kafka: &Kafka, (missing, left_out, added): Row) -> (String, String) {
    let a = accepting();
    let stage = Stage::on(kafka, "permission", 1, &[]).await;
    let answers = format!("{}-answers", stage.topic);
    stage.topics.create(&answers, 1, &[]).await.unwrap();
    let mut stage = stage.routes(&json!([
        {"name": "A", "when": "id == 1", "url": a.url(), "answers": {"success_topic": answers}}
    ]));
    stage.set("START_TIMEOUT", "3s");
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    let values = [b"not a datum".to_vec(), User::new(1, "name").encode()];
    stage.write(&values.map(|value| NewRecord::to(0, value)));
    let letters = stage.dead_letter_topic();
    grant(kafka, &NEEDED, left_out, added, |object| match object {
        Object::Topic => Topic(&stage.topic),
        Object::Group => Group(&stage.group),
        Object::DeadLetters => Topic(&letters),
        Object::Answers => Topic(&answers),
    })
    .await;
    let (checked, checks) = stage.check();
    let checks = checks.values().filter(|check| {
        let name = check["name"].as_str().unwrap();
        ["broker", "topic", "group", "dead_letter_topic", "answers"].contains(&name)
            && check["result"] != "ok"
    });
    let found: Vec<String> = checks
        .map(|check| {
            let detail = check["detail"].as_str().unwrap();
            let last = detail.rsplit_once(", ").map_or(detail, |(_, last)| last);
            let last = last.rsplit_once(": ").map_or(last, |(_, last)| last);
            assert_eq!(check["cause"], "authorization", "{check}");
            format!("`{}`: {last}", check["name"].as_str().unwrap())
        })
        .collect();
    let found = match found.is_empty() {
        true => "nothing".to_owned(),
        false => found.join("; "),
    };
    let run = stage.run();
    assert!(
        run.elapsed < Duration::from_secs(30),
        "{missing}: {:?}",
        run.elapsed
    );
    let row = format!("| {missing} | {checked} | {found} | {} | ", run.code);
    (row, run.report["notes"].to_string())
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_table_of_permissions_says_what_a_missing_entry_causes() {
    const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");
    let kafka = start();
    let mut wrong = Vec::new();
    for row in ROWS {
        let (row, notes) = observe(&kafka, row).await;
        let documented = DOCUMENT.split_once(&row);
        let note = documented
            .and_then(|(_, rest)| rest.split_once(" |"))
            .map(|(note, _)| note);
        let is_right = match note {
            Some("none") => !notes.contains("denied") && !notes.contains("authoriz"),
            Some(note) => notes.contains(note.trim_matches('`')),
            None => false,
        };
        if !is_right {
            wrong.push(format!("{row}\n    {notes}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "not in docs/OPERATIONS.md:\n{}",
        wrong.join("\n")
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn without_create_a_missing_dead_letter_topic_stays_missing() {
    let kafka = start();
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(&kafka, "no-create", 1, &[]).await.to(&a, &b);
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    stage.set("DEAD_LETTER_TOPIC", "no-create-missing");
    stage.write(&[NewRecord::to(0, b"not a datum".to_vec())]);
    for (resource, operation) in [
        (Topic(&stage.topic), AclOperation::Read),
        (Group(&stage.group), AclOperation::Read),
        (Topic("no-create-missing"), AclOperation::Read),
        (Topic("no-create-missing"), AclOperation::Write),
    ] {
        kafka.allow(resource, operation).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (code, checks) = stage.check();
    let letters = &checks["dead_letter_topic"];
    assert_eq!(
        (code, &letters["result"], &letters["cause"]),
        (0, &json!("warning"), &json!("no_topic")),
        "{letters}"
    );
    let run = stage.run().expect(74);
    assert_eq!(run.total("deferred"), 1);
    let notes = run.report["notes"].to_string();
    let note = "1 dead letters were not acknowledged";
    assert!(notes.contains(note), "{notes}");
}
