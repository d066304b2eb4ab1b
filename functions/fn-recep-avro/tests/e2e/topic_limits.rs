//! The limits that a topic's configuration sets.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::acl::AclOperation;
use testkit::acl::Resource::Topic;
use testkit::kafka::{Kafka, Options};
use testkit::records;
use testkit::topics::{NewRecord, Topics};

use crate::server::Server;

/// A record whose message has a few dozen bytes more than `bytes`.
fn user(bytes: usize) -> Value {
    json!({"id": 7, "name": "x".repeat(bytes), "email": "e"})
}

async fn post(server: &Server, record: &Value) -> (u16, Value) {
    let reply = server.post_json(record).await;
    let body = serde_json::from_slice(reply.body()).unwrap();
    (reply.status().as_u16(), body)
}

/// Asserts that a record is rejected before it is sent, because of this limit.
async fn assert_too_large(server: &Server, bytes: usize, limit: usize) {
    let (status, body) = post(server, &user(bytes)).await;
    assert_eq!((status, &body["limit"]), (413, &json!(limit)), "{body}");
    let kind = body["type"].as_str().unwrap();
    assert!(kind.ends_with("record-too-large"), "{body}");
    assert_eq!(body.get("stored"), None, "{body}");
}

/// Posts a record until its status is this one, which takes as long as the function uses the limits it knows.
async fn wait_for_status(server: &Server, bytes: usize, expected: u16) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, body) = post(server, &user(bytes)).await;
        if status == expected {
            return body;
        }
        assert!(Instant::now() < end, "{status} {body}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The first request with several records waits until the topic is described.
async fn wait_for_limits(server: &Server) {
    let records = json!([user(1), user(1)]);
    assert_eq!(post(server, &records).await.0, 202);
}

/// A topic with this limit, and the function that writes to it.
async fn start(topic: &str, limit: &str, settings: &[(&str, &str)]) -> (Topics, Server) {
    let kafka = Kafka::shared().unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    let limit = ("max.message.bytes", limit);
    topics.create(topic, 1, &[limit]).await.unwrap();
    let mut all = vec![("KAFKA_TOPIC", topic)];
    all.extend_from_slice(settings);
    let server = Server::start(kafka, &all).await;
    (topics, server)
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_limit_of_the_topic_is_exact() {
    let (topics, server) = start("exact", "65536", &[]).await;
    wait_for_limits(&server).await;
    assert_too_large(&server, 70_000, 65_536).await;
    let (mut fits, mut exceeds) = (64_000, 65_536);
    while exceeds - fits > 1 {
        let middle = (fits + exceeds) / 2;
        match post(&server, &user(middle)).await.0 {
            202 => fits = middle,
            _ => exceeds = middle,
        }
    }
    assert_too_large(&server, exceeds, 65_536).await;

    // The broker rejects the next larger message too.
    let stored = records::all(Kafka::shared().unwrap().bootstrap(), "exact").unwrap();
    let largest = stored
        .into_iter()
        .max_by_key(|record| record.value.as_ref().map(Vec::len))
        .unwrap();
    let mut value = largest.value.unwrap();
    let mut record = NewRecord {
        key: largest.key,
        value: Some(value.clone()),
        headers: largest.headers,
        ..NewRecord::to(0, [])
    };
    topics.write("exact", &[record.clone()]).unwrap();
    value.push(b'x');
    record.value = Some(value);
    topics.write("exact", &[record]).unwrap_err();
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn follows_the_limit_of_the_topic_while_it_runs() {
    let (topics, server) = start("changed", "65536", &[]).await;
    wait_for_limits(&server).await;
    assert_too_large(&server, 70_000, 65_536).await;
    assert_eq!(post(&server, &user(60_000)).await.0, 202);

    let raised = [("max.message.bytes", "4000000")];
    topics.configure("changed", &raised).await.unwrap();
    // A message that exceeds the known limit causes a request, unless the last one is not older than five seconds.
    wait_for_status(&server, 3_900_000, 202).await;

    let lowered = [("max.message.bytes", "32768")];
    topics.configure("changed", &lowered).await.unwrap();
    let body = wait_for_status(&server, 40_000, 413).await;
    assert_eq!(
        (&body["limit"], &body["stored"]),
        (&json!(32_768), &json!("no"))
    );
    assert_too_large(&server, 40_000, 32_768).await;
    assert_eq!(post(&server, &user(30_000)).await.0, 202);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn max_message_lowers_the_limit_of_the_topic() {
    let setting = [("MAX_MESSAGE", "100kB")];
    let (_, server) = start("lowered", "4000000", &setting).await;
    assert_too_large(&server, 100_000, 100_000).await;
    assert_eq!(post(&server, &user(99_000)).await.0, 202);
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn batches_are_not_larger_than_the_limit_of_the_topic() {
    const COUNT: usize = 1_000;
    let (topics, server) = start("small", "1024", &[]).await;
    let records = Value::from(vec![user(100); COUNT]);
    let (status, body) = post(&server, &records).await;
    assert_eq!(status, 202, "{body}");

    let raised = [("max.message.bytes", "1048588")];
    topics.configure("small", &raised).await.unwrap();
    wait_for_status(&server, 2_000, 202).await;
    let lowered = [("max.message.bytes", "512")];
    topics.configure("small", &lowered).await.unwrap();
    // The broker rejects batches of the first request, which makes the limit known.
    let (status, body) = post(&server, &records).await;
    assert_eq!((status, &body["limit"]), (413, &json!(512)), "{body}");
    let (status, body) = post(&server, &records).await;
    assert_eq!(status, 202, "{body}");
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_timestamp_that_the_topic_rejects_or_deletes_is_a_400() {
    let kafka = Kafka::shared().unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    let settings = [
        ("retention.ms", "86400000"),
        ("message.timestamp.after.max.ms", "7200000"),
    ];
    topics.create("timestamps", 1, &settings).await.unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expression = format!("{} + id * 3600000", now.as_millis());
    let settings = [
        ("KAFKA_TOPIC", "timestamps"),
        ("KAFKA_TIMESTAMP", &expression),
    ];
    let server = Server::start(kafka, &settings).await;
    for (hours, rejected_by) in [
        // In the first request too.
        (-25, Some("retention.ms=86400000")),
        (-23, None),
        (1, None),
        (3, Some("message.timestamp.after.max.ms=7200000")),
    ] {
        let record = json!({"id": hours, "name": "n", "email": "e"});
        let (status, body) = post(&server, &record).await;
        match rejected_by {
            None => assert_eq!(status, 202, "{body}"),
            Some(name) => {
                assert_eq!(status, 400, "{body}");
                assert!(body["reason"].as_str().unwrap().contains(name), "{body}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn the_limit_of_a_topic_is_known_only_with_describe_configs() {
    let kafka = Kafka::start(&Options {
        sasl_ssl: true,
        set: vec![
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
        ],
        ..Options::default()
    })
    .unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    let limit = ("max.message.bytes", "65536");
    topics.create("secured", 1, &[limit]).await.unwrap();
    kafka.allow(Topic("secured"), AclOperation::Write).unwrap();
    let server = Server::start(&kafka, &[("KAFKA_TOPIC", "secured")]).await;
    wait_for_status(&server, 10, 202).await;

    assert_too_large(&server, 1_048_588, 1_048_588).await;
    // The broker decides, and the function does not know the number.
    let (status, body) = post(&server, &user(70_000)).await;
    assert_eq!((status, &body["stored"]), (413, &json!("no")), "{body}");
    assert_eq!(body.get("limit"), None, "{body}");

    kafka
        .allow(Topic("secured"), AclOperation::DescribeConfigs)
        .unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while post(&server, &user(70_000)).await.1["limit"] != 65_536 {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_too_large(&server, 70_000, 65_536).await;
}
