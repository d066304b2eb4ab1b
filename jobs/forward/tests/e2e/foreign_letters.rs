//! `forward dead-letters` with dead letters of Kafka Connect, Kafka Streams and share groups.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::accepting;
use crate::letters::{MAX_UNCOMMITTED, keys, query, replay, replay_when_free, replayed};
use crate::stage::Stage;

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
    assert_eq!(replayed(&stage, &[]), COUNT);
    replay(&stage, &["--to", "source"]).wait().expect(0);
    assert_eq!(written(&stage), total);
}
