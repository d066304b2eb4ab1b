//! What a missing permission causes in the commands about dead letters, on a broker with access control lists.

use std::process::Command;
use std::time::{Duration, Instant};

use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Groups, Topic};
use testkit::kafka::Kafka;
use testkit::topics::NewRecord;

use crate::endpoints::accepting;
use crate::permissions;
use crate::stage::Stage;

/// What an entry of an access control list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Topic,
    Group,
    /// The groups of replays.
    Replays,
    DeadLetters,
}

type Entry = (Object, AclOperation);

/// The entries of a user of all commands.
const NEEDED: [Entry; 6] = [
    (Object::Topic, AclOperation::Read),
    (Object::Topic, AclOperation::Write),
    (Object::Group, AclOperation::Read),
    (Object::Replays, AclOperation::Read),
    (Object::DeadLetters, AclOperation::Read),
    (Object::DeadLetters, AclOperation::Write),
];

/// What is missing, the entries of [`NEEDED`] that are left out, an entry that is added, and what a command that fails says.
type Row = (&'static str, &'static [usize], Option<Entry>, &'static str);

const GRANT_GROUP: &str = "grant the user READ on the group";

/// The rows of the table in docs/OPERATIONS.md.
const ROWS: [Row; 8] = [
    ("nothing", &[], None, ""),
    (
        "READ on the groups of replays",
        &[3],
        Some((Object::Replays, AclOperation::Describe)),
        GRANT_GROUP,
    ),
    (
        "READ and DESCRIBE on the groups of replays",
        &[3],
        None,
        GRANT_GROUP,
    ),
    ("READ and DESCRIBE on the group", &[2], None, GRANT_GROUP),
    (
        "READ on the dead-letter topic",
        &[4],
        None,
        "grant the user READ on the topic",
    ),
    (
        "WRITE on the dead-letter topic",
        &[5],
        None,
        "Topic authorization failed",
    ),
    (
        "WRITE on `KAFKA_TOPIC`",
        &[1],
        None,
        "1 records were not acknowledged by the source topic",
    ),
    (
        "READ, WRITE and DESCRIBE on `KAFKA_TOPIC`",
        &[0, 1],
        None,
        "grant the user READ on the topic",
    ),
];

/// The columns of the table.
const COMMANDS: [&[&str]; 5] = [
    &["list", "--cause", "undecodable"],
    &["show", "0@0"],
    &["replay"],
    &["replay", "--to", "source"],
    &["discard", "0@0", "--reason", "test"],
];

/// The exit code of each command without the entries.
async fn observe(kafka: &Kafka, (_, left_out, added, says): Row) -> Vec<String> {
    let (a, b) = (accepting(), accepting());
    let mut stage = Stage::on(kafka, "command", 1, &[]).await.to(&a, &b);
    stage.write(&[NewRecord::to(0, b"not a datum".to_vec())]);
    stage.run().expect(10);
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    stage.set("START_TIMEOUT", "3s");
    let letters = stage.dead_letter_topic();
    let replays = format!("{}.replay.", stage.group);
    permissions::grant(kafka, &NEEDED, left_out, added, |object| match object {
        Object::Topic => Topic(&stage.topic),
        Object::Group => Group(&stage.group),
        Object::Replays => Groups(&replays),
        Object::DeadLetters => Topic(&letters),
    })
    .await;
    let codes = COMMANDS.iter().map(|arguments| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        stage.set_environment(&mut command);
        let started = Instant::now();
        let output = command
            .arg("dead-letters")
            .args(*arguments)
            .output()
            .unwrap();
        let (out, log) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{arguments:?}: {log}"
        );
        let code = output.status.code().unwrap();
        assert!(
            code != 74 || out.contains(says) || log.contains(says),
            "{arguments:?}: {out}{log}"
        );
        match out.contains("are not known") {
            true => format!("{code}, replays are not known"),
            false => code.to_string(),
        }
    });
    codes.collect()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_table_of_permissions_of_the_commands_is_right() {
    const DOCUMENT: &str = include_str!("../../../../docs/OPERATIONS.md");
    let kafka = permissions::start();
    let mut wrong = Vec::new();
    for row in ROWS {
        let codes = observe(&kafka, row).await;
        let row = format!("| {} | {} |", row.0, codes.join(" | "));
        if !DOCUMENT.contains(&row) {
            wrong.push(row);
        }
    }
    assert!(
        wrong.is_empty(),
        "not in docs/OPERATIONS.md:\n{}",
        wrong.join("\n")
    );
}
