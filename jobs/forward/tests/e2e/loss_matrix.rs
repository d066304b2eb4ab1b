//! Seventeen known ways to lose a record or to report an undelivered record as delivered. Each test excludes one.

use std::time::Duration;

use serde_json::json;
use testkit::container::Batch;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::topics::NewRecord;
use testkit::user::User;

use crate::endpoints::{
    accepted_names, accepting, accepting_after, answering, assert_accepted_all, assert_keys_agree,
    user_of,
};
use crate::run::TIMEOUT;
use crate::stage::{Stage, large_users, users};

/// Starts an endpoint that answers `status` to the user with this name and accepts the others.
fn rejecting(status: u16, name: &'static str) -> Endpoint {
    answering(name, Answer::status(status))
}

/// Decodes the records in a batch request.
fn batch_of(request: &Request) -> Vec<User> {
    assert_eq!(
        request.header("content-type"),
        Some("application/vnd.apache.avro")
    );
    let batch = Batch::read(&request.body).unwrap();
    let data = batch.data(User::length).unwrap();
    assert_eq!(batch.keys().len(), data.len());
    data.iter()
        .map(|datum| User::decode(datum).unwrap())
        .collect()
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_rejected_record_is_never_skipped() {
    // A status that rejects the record dead-letters it, and the others are delivered. A status that concerns the
    // endpoint or the authorization defers the record, and no later offset is committed.
    for (status, rejects_record) in [
        (400, true),
        (422, true),
        (401, false),
        (403, false),
        (404, false),
        (410, false),
    ] {
        let (a, b) = (rejecting(status, "u-1"), accepting());
        let stage = Stage::new("rejected-status", 1)
            .await
            .to(&a, &b)
            .with("MAX_IN_FLIGHT", "1");
        stage.write_users(1010, "u", 3, 1);
        let run = stage.run().expect(if rejects_record { 10 } else { 11 });
        let dead_letters = stage.dead_letters().len();
        if rejects_record {
            assert_eq!((dead_letters, run.total("delivered")), (1, 2), "{status}");
            assert_eq!(stage.committed(), [(0, 3)].into(), "{status}");
        } else {
            assert_eq!(
                (dead_letters, run.total("dead_lettered")),
                (0, 0),
                "{status}"
            );
            assert_eq!(stage.committed(), [(0, 1)].into(), "{status}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_undecodable_record_is_dead_lettered_before_its_offset_is_committed() {
    let (stage, _a, _b) = Stage::accepting("undecodable", 1).await;
    stage.write(&[NewRecord::to(0, b"\xff\xff\xff".to_vec())]);
    stage.run().expect(10);
    assert_eq!(
        stage.dead_letters()[0].value.as_deref(),
        Some(b"\xff\xff\xff".as_slice())
    );
    assert_eq!(stage.committed(), [(0, 1)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_record_framed_for_another_schema_is_not_decoded() {
    let (stage, a, b) = Stage::accepting("framed", 1).await;
    let datum = User::new(1010, "framed").encode();
    // A schema registry frame (magic 0, schema 7), and a single-object header with the fingerprint of another schema.
    let framed = [&[0, 0, 0, 0, 7], datum.as_slice()].concat();
    let single = [&[0xc3, 0x01, 8, 7, 6, 5, 4, 3, 2, 1], datum.as_slice()].concat();
    stage.write(&[NewRecord::to(0, framed), NewRecord::to(0, single)]);
    stage.run().expect(10);
    assert_eq!(
        (a.count(), b.count(), stage.dead_letters().len()),
        (0, 0, 2)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_record_that_cannot_be_decoded_is_never_sent() {
    let (a, b) = (accepting(), accepting());
    let stage = Stage::new("raw-bytes", 1).await;
    // A route that matches each record still receives only decoded records.
    let stage = stage.routes(&json!([{"name": "all", "when": "true", "url": a.url()}]));
    let good = User::new(5, "good").encode();
    let cut = good[..good.len() - 2].to_vec();
    stage.write(&[
        NewRecord::to(0, cut),
        NewRecord::to(0, good),
        NewRecord::to(0, b"{}".to_vec()),
    ]);
    stage.run().expect(10);
    assert_eq!(
        (accepted_names(&a), b.count()),
        (vec!["good".to_owned()], 0)
    );
    assert_eq!(stage.dead_letters().len(), 2);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_delivered_part_of_a_batch_is_neither_resent_nor_dead_lettered() {
    // The endpoint rejects each batch that contains the bad record.
    let a = Endpoint::start(|request| {
        let bad = match request.header("content-type") {
            Some("application/vnd.apache.avro") => {
                batch_of(request).iter().any(|user| user.name == "u-13")
            }
            _ => user_of(request).name == "u-13",
        };
        if bad {
            Answer::status(422)
        } else {
            Answer::ok()
        }
    })
    .unwrap();
    let stage = Stage::new("batch-part", 1).await;
    let stage =
        stage.routes(&json!([{"name": "A", "when": "id == 1010", "url": a.url(), "batch": 16}]));
    stage.write_users(1010, "u", 100, 1);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("delivered"), run.total("dead_lettered")),
        (99, 1)
    );
    let mut names: Vec<String> = Vec::new();
    for request in a
        .requests()
        .iter()
        .filter(|request| request.answered == Some(200))
    {
        match request.header("content-type") {
            Some("application/vnd.apache.avro") => {
                names.extend(batch_of(request).into_iter().map(|user| user.name))
            }
            _ => names.push(user_of(request).name),
        }
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!((count, names.len()), (99, 99));
    let dead_letters = stage.dead_letters();
    assert_eq!(
        User::decode(dead_letters[0].value.as_deref().unwrap())
            .unwrap()
            .name,
        "u-13"
    );
    assert_eq!(dead_letters.len(), 1);
}

/// Asserts that a redirect to a page that answers 200, such as a login page, is not a delivery.
async fn assert_redirect_is_not_followed(status: u16, name: &str) {
    let login = accepting();
    let target = login.url();
    let a = Endpoint::start(move |_| Answer::status(status).header("location", &target)).unwrap();
    let b = accepting();
    let stage = Stage::new(name, 1).await.to(&a, &b);
    stage.write_users(1010, "u", 3, 1);
    // The endpoint has moved or is behind a login page; the records are valid, so they are deferred.
    let run = stage.run().expect(75);
    assert_eq!(login.count(), 0, "{status} was followed");
    assert!(a.requests().iter().all(|request| request.method == "POST"));
    assert_eq!(run.total("delivered"), 0, "{status} counted as delivered");
    assert_eq!((run.total("dead_lettered"), run.total("deferred")), (0, 3));
    assert_eq!(stage.committed_offset(0), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_redirect_is_never_followed() {
    for status in [301, 303, 307, 308] {
        assert_redirect_is_not_followed(status, "redirect").await;
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_broker_failure_does_not_complete_the_window() {
    let kafka = Kafka::start(&Options::default()).unwrap();
    let (a, b) = (accepting_after(Duration::from_millis(10)), accepting());
    let stage = Stage::on(&kafka, "broker-failure", 2, &[]).await.to(&a, &b);
    let stage = stage.with("MAX_IN_FLIGHT", "2").with("DEADLINE", "30s");
    // More data than one fetch returns.
    for _ in 0..20 {
        stage.write(&large_users(1010, "u", 100, 2, 20_000));
    }
    let run = stage.start();
    assert!(a.wait_for(20, TIMEOUT));
    kafka.kill(1).await.unwrap();
    let run = run.wait().expect_one_of(&[12, 74]);
    assert!(run.total("delivered") < 2_000);
    assert!(run.total("deferred") > 0);
    assert!(run.elapsed < Duration::from_secs(35), "{:?}", run.elapsed);
    // Each line of the log is JSON, so librdkafka writes no line of its own.
    let other = run.log.lines().find(|line| !line.starts_with('{'));
    assert_eq!(other, None);
    kafka.restart(1).await.unwrap();
    let stage = stage.with("MAX_IN_FLIGHT", "64").with("DEADLINE", "60s");
    stage.run_when_free().expect(0);
    assert!(accepted_names(&a).len() >= 2_000);
    assert_eq!(stage.total_committed(), 2_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_302_response_is_not_a_delivery() {
    assert_redirect_is_not_followed(302, "redirect-302").await;
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn rejected_batches_and_tombstones_are_dead_lettered_or_deferred() {
    let a = Endpoint::always(Answer::status(400)).unwrap();
    let stage = Stage::new("batch-dead-letters", 1)
        .await
        .with("DEAD_LETTER_MAX_RATIO", "1")
        .with("TOMBSTONES", "dead_letter");
    let stage =
        stage.routes(&json!([{"name": "A", "when": "id == 1010", "url": a.url(), "batch": 8}]));
    let mut records = users(1010, "u", 20, 1);
    records.insert(
        5,
        NewRecord {
            partition: Some(0),
            key: Some(b"k".to_vec()),
            ..NewRecord::default()
        },
    );
    stage.write(&records);
    let run = stage.run();
    match run.code {
        10 => assert_eq!(stage.dead_letters().len(), 21),
        11 | 75 => assert!(run.total("deferred") > 0),
        code => panic!("exit {code}: {}", run.log),
    }
    assert_eq!(run.total("delivered"), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_commit_does_not_pass_an_unwritten_dead_letter() {
    let (a, b) = (rejecting(422, "u-2"), accepting());
    let stage = Stage::new("unwritten-dead-letter", 1).await.to(&a, &b);
    let tiny = stage.create_limited_topic("10").await;
    let stage = stage.with("DEAD_LETTER_TOPIC", &tiny);
    stage.write_users(1010, "u", 5, 1);
    let run = stage.run();
    assert!(![0, 10].contains(&run.code), "exit {}", run.code);
    assert!(stage.committed_offset(0) <= 2);
    assert_eq!(run.total("dead_lettered"), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn no_record_is_committed_before_it_is_delivered() {
    let (a, b) = (Endpoint::always(Answer::hang()).unwrap(), accepting());
    let stage = Stage::new("uncommitted", 1)
        .await
        .to(&a, &b)
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.start();
    assert!(a.wait_for(1, TIMEOUT));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stage.committed_offset(0), 0);
    run.kill();
    let fast = accepting();
    stage.to(&fast, &b).run_when_free().expect(0);
    assert_eq!(assert_accepted_all(&fast, "u", 10), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_failed_request_does_not_complete_its_record() {
    let (a, b) = (Endpoint::always(Answer::status(500)).unwrap(), accepting());
    let stage = Stage::new("failed-request", 1)
        .await
        .to(&a, &b)
        .with("MAX_ATTEMPTS", "2");
    stage.write_users(1010, "u", 5, 1);
    let run = stage.run().expect_one_of(&[11, 75]);
    assert_eq!((run.total("delivered"), run.total("deferred")), (0, 5));
    assert_eq!(stage.committed_offset(0), 0);
    let available = accepting();
    stage.to(&available, &b).run().expect(0);
    assert_eq!(assert_accepted_all(&available, "u", 5), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn invalid_values_and_tombstones_are_dead_lettered() {
    let (stage, _a, _b) = Stage::accepting("invalid-values", 1).await;
    let stage = stage.with("TOMBSTONES", "dead_letter");
    let null = NewRecord {
        partition: Some(0),
        key: Some(b"k".to_vec()),
        ..NewRecord::default()
    };
    stage.write(&[
        null,
        NewRecord::to(0, Vec::new()),
        NewRecord::to(0, vec![1]),
    ]);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("dead_lettered"), stage.dead_letters().len()),
        (3, 3)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn no_two_records_share_an_idempotency_key() {
    let (stage, a, b) = Stage::accepting("idempotency-key", 4).await;
    stage.write_users(1010, "u", 40, 4);
    stage.run().expect(0);
    // The same offsets in four partitions and in another topic.
    let other = Stage::new("idempotency-key-other", 1).await.to(&a, &b);
    other.write_users(1010, "v", 10, 1);
    other.run().expect(0);
    assert_keys_agree([&a]);
    let key = a.requests()[0]
        .header("idempotency-key")
        .unwrap()
        .to_owned();
    let cluster = Kafka::shared().unwrap().cluster_id();
    assert!(
        key.starts_with(&format!("\"{cluster}/")),
        "{key} does not start with the cluster ID {cluster}"
    );

    // A key that the client supplied is sent unchanged.
    let stage = Stage::new("idempotency-key-client", 1).await.to(&a, &b);
    let own = NewRecord {
        headers: vec![("idempotency-key".to_owned(), Some(b"mine-1".to_vec()))],
        ..NewRecord::to(0, User::new(1010, "own").encode())
    };
    stage.write(&[own]);
    stage.run().expect(0);
    let last = a.requests().pop().unwrap();
    assert_eq!(last.header("idempotency-key"), Some("\"mine-1\""));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn dead_letters_are_written_whole_with_default_settings() {
    // No dead-letter topic is configured. The message is a container file, which is not a datum.
    let (stage, a, b) = Stage::accepting("default-dead-letters", 1).await;
    let file = [
        b"Obj\x01\x00".as_slice(),
        &[9; 16],
        &[4, 8],
        b"abcd",
        &[9; 16],
    ]
    .concat();
    stage.write(&[NewRecord::to(0, file.clone())]);
    stage.run().expect(10);
    assert_eq!(stage.dead_letters()[0].value, Some(file));
    assert_eq!(a.count() + b.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_later_success_does_not_commit_an_earlier_failure() {
    // u-0 fails in this run; the later records succeed.
    let down = rejecting(503, "u-0");
    let b = accepting();
    let stage = Stage::new("later-success", 1)
        .await
        .to(&down, &b)
        .with("MAX_ATTEMPTS", "2");
    stage.write_users(1010, "u", 10, 1);
    stage.run().expect_one_of(&[11, 75]);
    assert_eq!(stage.committed_offset(0), 0);
    let rejects = rejecting(422, "u-0");
    let stage = stage.to(&rejects, &b);
    stage.run().expect(10);
    let dead_letter = stage.dead_letters().remove(0);
    assert_eq!(
        User::decode(dead_letter.value.as_deref().unwrap())
            .unwrap()
            .name,
        "u-0"
    );
    assert_eq!(dead_letter.key.as_deref(), Some(b"key-0".as_slice()));
    assert_eq!(stage.committed(), [(0, 10)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn retention_that_passes_the_commit_is_always_reported() {
    let (stage, _a, b) = Stage::accepting("retention", 1).await;
    stage.write_users(1010, "u", 10, 1);
    stage.run().expect(0);
    stage.write_users(1010, "v", 50, 1);
    // All records that the group has not read are deleted, and no record is new.
    stage
        .topics
        .delete_before(&stage.topic, 0, 60)
        .await
        .unwrap();
    let run = stage.run().expect(76);
    assert!(
        format!("{}{}", run.report, run.log).contains("50"),
        "{}",
        run.log
    );
    assert_eq!(stage.committed(), [(0, 10)].into());
    // Deletion during a run is reported too.
    let slow = accepting_after(Duration::from_millis(50));
    let stage = Stage::new("retention-during-run", 1)
        .await
        .to(&slow, &b)
        .with("MAX_IN_FLIGHT", "1");
    for _ in 0..100 {
        stage.write(&large_users(1010, "u", 10, 1, 50_000));
    }
    let run = stage.start();
    assert!(slow.wait_for(5, TIMEOUT));
    stage
        .topics
        .delete_before(&stage.topic, 0, 990)
        .await
        .unwrap();
    let run = run.wait();
    assert_eq!(run.code, 76, "{:#}\n{}", run.report, run.log);
    assert!(run.total("delivered") < 990);
}
