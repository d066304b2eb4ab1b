//! Seventeen ways in which systems of this kind are known to lose a record, or to call it delivered when it was not.
//! Each is a test here; none is to happen.

use std::time::Duration;

use serde_json::json;
use testkit::container::Batch;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::kafka::{Kafka, Options};
use testkit::topics::New;
use testkit::user::User;

use crate::endpoints::{
    assert_keys_agree, assert_took_all, taken, takes_after, takes_all, user_of,
};
use crate::run::PATIENCE;
use crate::stage::{Stage, users};

fn refuses(status: u16, name: &'static str) -> Endpoint {
    Endpoint::start(move |request| {
        if user_of(request).name == name {
            Answer::status(status)
        } else {
            Answer::ok()
        }
    })
    .unwrap()
}

/// The records in a batch request.
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
async fn b0_01_a_rejected_record_is_never_skipped() {
    // What blames the record makes a dead letter, and the others are delivered; what blames the endpoint, or our way to
    // it, leaves the record, and nothing is committed past it.
    for (status, blames_the_record) in [
        (400, true),
        (422, true),
        (401, false),
        (403, false),
        (404, false),
        (410, false),
    ] {
        let (a, b) = (refuses(status, "u-1"), takes_all());
        let stage = Stage::new("b01", 1)
            .await
            .to(&a, &b)
            .with("MAX_IN_FLIGHT", "1");
        stage.write_users(1010, "u", 3, 1);
        let run = stage.run().expect(if blames_the_record { 10 } else { 11 });
        let letters = stage.dead_letters().len();
        if blames_the_record {
            assert_eq!((letters, run.total("delivered")), (1, 2), "{status}");
            assert_eq!(stage.committed(), [(0, 3)].into(), "{status}");
        } else {
            assert_eq!((letters, run.total("dead_lettered")), (0, 0), "{status}");
            assert_eq!(stage.committed(), [(0, 1)].into(), "{status}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_02_an_undecodable_payload_is_kept_before_its_offset_is_passed() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b02", 1).await.to(&a, &b);
    stage.write(&[New::to(0, b"\xff\xff\xff".to_vec())]);
    stage.run().expect(10);
    assert_eq!(
        stage.dead_letters()[0].value.as_deref(),
        Some(b"\xff\xff\xff".as_slice())
    );
    assert_eq!(stage.committed(), [(0, 1)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_03_a_record_framed_for_another_schema_is_not_decoded_with_ours() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b03", 1).await.to(&a, &b);
    let datum = User::new(1010, "framed").encode();
    // A registry's frame (magic 0, schema 7), and a single-object header with a fingerprint that is not ours.
    let framed = [&[0, 0, 0, 0, 7], datum.as_slice()].concat();
    let single = [&[0xc3, 0x01, 8, 7, 6, 5, 4, 3, 2, 1], datum.as_slice()].concat();
    stage.write(&[New::to(0, framed), New::to(0, single)]);
    stage.run().expect(10);
    assert_eq!(
        (a.count(), b.count(), stage.dead_letters().len()),
        (0, 0, 2)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_04_a_failed_decode_is_never_sent_on_as_raw_bytes() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b04", 1).await;
    // Even a route that takes everything takes only what was decoded.
    let stage = stage.routes(&json!([{"name": "all", "when": "true", "url": a.url()}]));
    let good = User::new(5, "good").encode();
    let cut = good[..good.len() - 2].to_vec();
    stage.write(&[
        New::to(0, cut),
        New::to(0, good),
        New::to(0, b"{}".to_vec()),
    ]);
    stage.run().expect(10);
    assert_eq!((taken(&a), b.count()), (vec!["good".to_owned()], 0));
    assert_eq!(stage.dead_letters().len(), 2);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_05_the_delivered_part_of_a_batch_is_neither_resent_nor_dead_lettered() {
    // The endpoint takes a batch whole or not at all: one with the bad record is refused.
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
    let stage = Stage::new("b05", 1).await;
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
    let letters = stage.dead_letters();
    assert_eq!(
        User::decode(letters[0].value.as_deref().unwrap())
            .unwrap()
            .name,
        "u-13"
    );
    assert_eq!(letters.len(), 1);
}

/// A redirect to a page that answers 200, as a login does.
async fn redirect(status: u16, name: &str) {
    let login = takes_all();
    let target = login.url();
    let a = Endpoint::start(move |_| Answer::status(status).header("location", &target)).unwrap();
    let b = takes_all();
    let stage = Stage::new(name, 1).await.to(&a, &b);
    stage.write_users(1010, "u", 3, 1);
    // The endpoint has moved, or somebody stands before it: that is no fault of the records.
    let run = stage.run().expect(75);
    assert_eq!(login.count(), 0, "{status} was followed");
    assert!(a.requests().iter().all(|request| request.method == "POST"));
    assert_eq!(run.total("delivered"), 0, "{status} counted as delivered");
    assert_eq!((run.total("dead_lettered"), run.total("deferred")), (0, 3));
    assert_eq!(stage.committed().get(&0).copied().unwrap_or(0), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_06_a_redirect_is_never_followed() {
    for status in [301, 303, 307, 308] {
        redirect(status, "b06").await;
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_07_a_broker_that_goes_away_is_not_the_end_of_the_window() {
    let kafka = Kafka::start(&Options::default()).unwrap();
    let (a, b) = (takes_after(Duration::from_millis(10)), takes_all());
    let stage = Stage::on(&kafka, "b07", 2, &[]).await.to(&a, &b);
    let stage = stage.with("MAX_IN_FLIGHT", "2").with("DEADLINE", "30s");
    // More than one fetch brings.
    for _ in 0..20 {
        let mut records = users(1010, "u", 100, 2);
        records.iter_mut().for_each(|record| {
            let mut user = User::decode(record.value.as_deref().unwrap()).unwrap();
            user.email = "x".repeat(20_000);
            record.value = Some(user.encode());
        });
        stage.write(&records);
    }
    let run = stage.start();
    assert!(a.wait_for(20, PATIENCE));
    kafka.kill(1).await.unwrap();
    let run = run.end();
    assert!(
        [12, 74].contains(&run.code),
        "exit {}: {:#}\n{}",
        run.code,
        run.report,
        run.log
    );
    assert!(run.total("delivered") < 2_000);
    assert!(run.total("deferred") > 0);
    assert!(run.took < Duration::from_secs(35), "{:?}", run.took);
    // Every line of the log is one of the job's own.
    let foreign = run.log.lines().find(|line| !line.starts_with('{'));
    assert_eq!(foreign, None);
    kafka.revive(1).await.unwrap();
    let stage = stage.with("MAX_IN_FLIGHT", "64").with("DEADLINE", "60s");
    stage.run_when_free().expect(0);
    assert!(taken(&a).len() >= 2_000);
    assert_eq!(stage.committed().values().sum::<i64>(), 2_000);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_08_a_302_is_not_a_delivery() {
    redirect(302, "b08").await;
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_09_batches_use_the_dead_letter_topic_and_a_null_value_kills_nothing() {
    let a = Endpoint::always(Answer::status(400)).unwrap();
    let stage = Stage::new("b09", 1)
        .await
        .with("DEAD_LETTER_MAX_RATIO", "1")
        .with("TOMBSTONES", "dead_letter");
    let stage =
        stage.routes(&json!([{"name": "A", "when": "id == 1010", "url": a.url(), "batch": 8}]));
    let mut records = users(1010, "u", 20, 1);
    records.insert(
        5,
        New {
            partition: Some(0),
            key: Some(b"k".to_vec()),
            ..New::default()
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
async fn b0_10_a_dead_letter_that_could_not_be_written_is_not_passed() {
    let (a, b) = (refuses(422, "u-2"), takes_all());
    let stage = Stage::new("b10", 1).await.to(&a, &b);
    let tiny = format!("{}-tiny", stage.topic);
    stage
        .topics
        .create(&tiny, 1, &[("max.message.bytes", "10")])
        .await
        .unwrap();
    let stage = stage.with("DEAD_LETTER_TOPIC", &tiny);
    stage.write_users(1010, "u", 5, 1);
    let run = stage.run();
    assert!(![0, 10].contains(&run.code), "exit {}", run.code);
    assert!(stage.committed().get(&0).is_none_or(|offset| *offset <= 2));
    assert_eq!(run.total("dead_lettered"), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_11_nothing_is_committed_before_it_is_delivered() {
    let (a, b) = (Endpoint::always(Answer::hang()).unwrap(), takes_all());
    let stage = Stage::new("b11", 1)
        .await
        .to(&a, &b)
        .with("REQUEST_TIMEOUT", "60s");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.start();
    assert!(a.wait_for(1, PATIENCE));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stage.committed().get(&0).copied().unwrap_or(0), 0);
    run.kill();
    let fast = takes_all();
    stage.to(&fast, &b).run_when_free().expect(0);
    assert_eq!(assert_took_all(&fast, "u", 10), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_12_a_failed_request_is_not_completed_by_being_counted() {
    let (a, b) = (Endpoint::always(Answer::status(500)).unwrap(), takes_all());
    let stage = Stage::new("b12", 1)
        .await
        .to(&a, &b)
        .with("MAX_ATTEMPTS", "2");
    stage.write_users(1010, "u", 5, 1);
    let run = stage.run();
    assert!(
        [11, 75].contains(&run.code),
        "exit {}: {}",
        run.code,
        run.log
    );
    assert_eq!((run.total("delivered"), run.total("deferred")), (0, 5));
    assert_eq!(stage.committed().get(&0).copied().unwrap_or(0), 0);
    let fine = takes_all();
    stage.to(&fine, &b).run().expect(0);
    assert_eq!(assert_took_all(&fine, "u", 5), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_13_no_payload_is_only_logged_and_committed() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b13", 1)
        .await
        .to(&a, &b)
        .with("TOMBSTONES", "dead_letter");
    let null = New {
        partition: Some(0),
        key: Some(b"k".to_vec()),
        ..New::default()
    };
    stage.write(&[null, New::to(0, Vec::new()), New::to(0, vec![1])]);
    let run = stage.run().expect(10);
    assert_eq!(
        (run.total("dead_lettered"), stage.dead_letters().len()),
        (3, 3)
    );
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_14_no_two_records_share_an_idempotency_key() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b14", 4).await.to(&a, &b);
    stage.write_users(1010, "u", 40, 4);
    stage.run().expect(0);
    // The same offsets of four partitions, and of another topic.
    let other = Stage::new("b14-other", 1).await.to(&a, &b);
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
        "{key} does not begin with the cluster's id {cluster}"
    );

    // A client's own key goes through unchanged.
    let stage = Stage::new("b14-own", 1).await.to(&a, &b);
    let own = New {
        headers: vec![("idempotency-key".to_owned(), Some(b"mine-1".to_vec()))],
        ..New::to(0, User::new(1010, "own").encode())
    };
    stage.write(&[own]);
    stage.run().expect(0);
    let last = a.requests().pop().unwrap();
    assert_eq!(last.header("idempotency-key"), Some("\"mine-1\""));
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_15_dead_letters_are_kept_without_being_asked_for_and_whole() {
    let (a, b) = (takes_all(), takes_all());
    // No dead-letter topic is named, and a container file with two records is one message that is no datum.
    let stage = Stage::new("b15", 1).await.to(&a, &b);
    let file = [
        b"Obj\x01\x00".as_slice(),
        &[9; 16],
        &[4, 8],
        b"abcd",
        &[9; 16],
    ]
    .concat();
    stage.write(&[New::to(0, file.clone())]);
    stage.run().expect(10);
    assert_eq!(stage.dead_letters()[0].value, Some(file));
    assert_eq!(a.count() + b.count(), 0);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_16_a_later_success_does_not_pass_an_earlier_failure_and_the_letter_is_the_record() {
    // u-0 fails in this run; those behind it succeed.
    let down = Endpoint::start(|request| {
        if user_of(request).name == "u-0" {
            Answer::status(503)
        } else {
            Answer::ok()
        }
    })
    .unwrap();
    let b = takes_all();
    let stage = Stage::new("b16", 1)
        .await
        .to(&down, &b)
        .with("MAX_ATTEMPTS", "2");
    stage.write_users(1010, "u", 10, 1);
    let run = stage.run();
    assert!(
        [11, 75].contains(&run.code),
        "exit {}: {}",
        run.code,
        run.log
    );
    assert_eq!(stage.committed().get(&0).copied().unwrap_or(0), 0);
    let refusing = refuses(422, "u-0");
    let stage = stage.to(&refusing, &b);
    stage.run().expect(10);
    let letter = stage.dead_letters().remove(0);
    assert_eq!(
        User::decode(letter.value.as_deref().unwrap()).unwrap().name,
        "u-0"
    );
    assert_eq!(letter.key.as_deref(), Some(b"key-0".as_slice()));
    assert_eq!(stage.committed(), [(0, 10)].into());
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn b0_17_retention_that_passes_the_commit_is_never_a_silent_jump() {
    let (a, b) = (takes_all(), takes_all());
    let stage = Stage::new("b17", 1).await.to(&a, &b);
    stage.write_users(1010, "u", 10, 1);
    stage.run().expect(0);
    stage.write_users(1010, "v", 50, 1);
    // Everything that the group has not read is gone, and nothing new has come.
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
    // Nor is it one while a run is under way.
    let slow = takes_after(Duration::from_millis(50));
    let stage = Stage::new("b17-meanwhile", 1)
        .await
        .to(&slow, &b)
        .with("MAX_IN_FLIGHT", "1");
    for _ in 0..100 {
        let mut records = users(1010, "u", 10, 1);
        records.iter_mut().for_each(|record| {
            let mut user = User::decode(record.value.as_deref().unwrap()).unwrap();
            user.email = "x".repeat(50_000);
            record.value = Some(user.encode());
        });
        stage.write(&records);
    }
    let run = stage.start();
    assert!(slow.wait_for(5, PATIENCE));
    stage
        .topics
        .delete_before(&stage.topic, 0, 990)
        .await
        .unwrap();
    let run = run.end();
    assert_eq!(run.code, 76, "{:#}\n{}", run.report, run.log);
    assert!(run.total("delivered") < 990);
}
