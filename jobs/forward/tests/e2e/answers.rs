//! Answers that a route keeps.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::acl::AclOperation;
use testkit::acl::Resource::{Group, Topic};
use testkit::endpoint::{Answer, Endpoint};
use testkit::records::{self, StoredRecord};

use crate::permissions;
use crate::stage::Stage;

/// A stage with one route that takes every record and keeps answers.
fn keeping(stage: Stage, endpoint: &Endpoint, answers: &Value) -> Stage {
    stage.routes(&json!([{"name": "A", "when": "true", "url": endpoint.url(), "answers": answers}]))
}

fn envelopes(stored: &[StoredRecord]) -> Vec<Value> {
    let parse = |record: &StoredRecord| serde_json::from_slice(record.value.as_ref().unwrap());
    stored.iter().map(|record| parse(record).unwrap()).collect()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_largest_bodies_fit_into_a_topic_with_default_settings() {
    let endpoint = Endpoint::start(|request| {
        let longest: &[u8] = if request.number == 0 {
            b"\"\\"
        } else {
            b"\xff\0"
        };
        Answer::ok().body(longest.repeat(131_072))
    })
    .unwrap();
    let stage = Stage::new("answers", 1).await;
    let topic = format!("{}-accepted", stage.topic);
    stage.topics.create(&topic, 2, &[]).await.unwrap();
    let answers = json!({"success_topic": topic, "max_body": 262_144});
    let stage = keeping(stage, &endpoint, &answers);
    stage.write_users(1010, "user", 2, 1);
    let run = stage.run().expect(0);
    assert_eq!(run.report["routes"][0]["answers"], json!({"success": 2}));
    let stored = records::all(&stage.bootstrap, &topic).unwrap();
    let envelopes = envelopes(&stored);
    assert_eq!(envelopes.len(), 2);
    for envelope in &envelopes {
        assert_eq!(envelope["body_length"], 262_144);
        assert_eq!(envelope["body_truncated"], false);
    }
    assert_eq!(stage.total_committed(), 2);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_answer_too_large_for_its_topic_blocks_the_commit_and_names_the_remedy() {
    let endpoint = Endpoint::start(
        |request| match request.body.ends_with(b"user-1@example.com") {
            true => Answer::ok().body("x".repeat(250_000)),
            false => Answer::ok().body("stored"),
        },
    )
    .unwrap();
    let stage = Stage::new("large-answer", 1).await;
    let small = stage.create_limited_topic("200000").await;
    let answers = |max_body: usize| json!({"success_topic": small, "max_body": max_body});
    let stage = keeping(stage, &endpoint, &answers(262_144));
    stage.write_users(1010, "user", 3, 1);
    let run = stage.run().expect(74);
    assert_eq!((run.total("delivered"), run.total("deferred")), (2, 1));
    assert_eq!(stage.total_committed(), 1);
    let notes = run.report["notes"].to_string();
    let record = format!("the answer to {}/0@1 has 250", stage.topic);
    for part in [&record, "max.message.bytes: 200000", "lower max_body"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }

    let stage = keeping(stage, &endpoint, &answers(1_000));
    let run = stage.run().expect(0);
    assert_eq!(
        (run.total("delivered"), run.total("already_completed")),
        (1, 1)
    );
    assert_eq!(stage.total_committed(), 3);
    let keys: Vec<_> = endpoint
        .requests()
        .iter()
        .map(|request| request.header("idempotency-key").unwrap().to_owned())
        .collect();
    assert_eq!((keys.len(), &keys[3]), (4, &keys[1]));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn many_answers_too_large_for_their_topic_end_the_run() {
    let answer = Answer::ok()
        .body("x".repeat(10_000))
        .after(Duration::from_millis(10));
    let endpoint = Endpoint::always(answer).unwrap();
    let stage = Stage::new("large-answers", 1).await;
    let small = stage.create_limited_topic("2000").await;
    let stage = keeping(stage, &endpoint, &json!({"success_topic": small}));
    let stage = stage.with("MAX_IN_FLIGHT", "2");
    stage.write_users(1010, "user", 500, 1);
    let run = stage.run().expect(74);
    assert_eq!((run.total("delivered"), run.total("deferred")), (0, 500));
    assert!(
        (10..400).contains(&endpoint.count()),
        "{}",
        endpoint.count()
    );
    assert_eq!(stage.total_committed(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_topic_of_answers_without_write_is_found_before_the_first_request() {
    let kafka = permissions::start();
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let stage = Stage::on(&kafka, "denied-answers", 1, &[]).await;
    let topic = format!("{}-accepted", stage.topic);
    stage.topics.create(&topic, 1, &[]).await.unwrap();
    let mut stage = keeping(stage, &endpoint, &json!({"success_topic": topic}));
    for (name, value) in kafka.environment() {
        stage.set(name, value);
    }
    stage.write_users(1010, "user", 1, 1);
    let letters = stage.dead_letter_topic();
    for (resource, operation) in [
        (Topic(&stage.topic), AclOperation::Read),
        (Group(&stage.group), AclOperation::Read),
        (Topic(&letters), AclOperation::Write),
    ] {
        kafka.allow(resource, operation).unwrap();
    }
    let assert_check = |code: i32, result: &str, detail: &str| {
        let end = Instant::now() + Duration::from_secs(10);
        let is_expected = |(found, checks): &(i32, std::collections::BTreeMap<String, Value>)| {
            let check = &checks["answers"];
            *found == code
                && check["result"] == result
                && check["detail"].as_str().unwrap().ends_with(detail)
        };
        let mut checked = stage.check();
        while !is_expected(&checked) && Instant::now() < end {
            checked = stage.check();
        }
        assert!(is_expected(&checked), "{checked:?}");
    };
    // Without and with DESCRIBE.
    assert_check(74, "failed", "WRITE is denied");
    kafka.allow(Topic(&topic), AclOperation::Describe).unwrap();
    assert_check(74, "failed", "WRITE is denied");
    // A check sends GET.
    let before = endpoint.count();
    let run = stage.run().expect(74);
    let notes = run.report["notes"].to_string();
    assert!(notes.contains("grant the user WRITE"), "{notes}");
    assert_eq!(endpoint.count(), before);

    kafka.allow(Topic(&topic), AclOperation::Write).unwrap();
    assert_check(0, "ok", "WRITE is granted");
    assert_eq!(stage.run().expect(0).total("delivered"), 1);
}
