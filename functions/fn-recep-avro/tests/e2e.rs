//! The function on a real Apache Kafka that creates topics automatically, and with a real authorization server. `make e2e`
//! runs these tests; `cargo test` ignores them.

#![allow(clippy::unwrap_used)]

#[path = "e2e/oauth2.rs"]
mod oauth2;
#[path = "e2e/partitions.rs"]
mod partitions;
#[path = "e2e/permissions.rs"]
mod permissions;
#[path = "e2e/server.rs"]
mod server;
#[path = "e2e/topic_limits.rs"]
mod topic_limits;
#[path = "e2e/unusable_brokers.rs"]
mod unusable_brokers;

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::agent::{Agent, Call, Reply};
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;
use testkit::user::User;

/// A broker with Kafka's default, and the function that writes to `topic` there.
async fn start(topic: &str) -> (Kafka, Topics, Agent) {
    let kafka = Kafka::start(&Options {
        set: vec!["auto.create.topics.enable=true".to_owned()],
        ..Options::default()
    })
    .unwrap();
    let topics = Topics::connect(kafka.bootstrap()).unwrap();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap()),
        ("KAFKA_TOPIC", topic),
    ];
    let binary = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let function = Agent::start(binary, &settings).await.unwrap();
    (kafka, topics, function)
}

async fn call(function: &mut Agent) -> Reply {
    let datum = User::new(1010, "Paul that goes to API type A").encode();
    function.call(Call::direct(datum)).await.unwrap()
}

fn assert_topic_unknown(reply: &Reply) {
    assert_eq!(reply.status, 500, "{reply:?}");
    let body = reply.json().unwrap();
    assert!(body["type"].as_str().unwrap().ends_with("topic-unknown"));
    assert_eq!(body["stored"], "no");
}

async fn wait_for_status(function: &mut Agent, status: u16) -> Reply {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let reply = call(function).await;
        if reply.status == status {
            return reply;
        }
        assert!(Instant::now() < end, "{reply:?}\n{}", function.log());
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn an_unknown_topic_is_a_500_and_is_not_created() {
    let (_kafka, topics, mut function) = start("no-such-topic").await;
    for _ in 0..3 {
        assert_topic_unknown(&call(&mut function).await);
    }
    assert!(topics.watermarks("no-such-topic").unwrap().is_empty());
    topics.create("no-such-topic", 1, &[]).await.unwrap();
    wait_for_status(&mut function, 202).await;
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn a_deleted_topic_is_a_500_and_is_not_created_again() {
    let (_kafka, topics, mut function) = start("deleted").await;
    topics.create("deleted", 1, &[]).await.unwrap();
    wait_for_status(&mut function, 202).await;
    topics.delete("deleted").await.unwrap();
    assert_topic_unknown(&wait_for_status(&mut function, 500).await);
    assert!(topics.watermarks("deleted").unwrap().is_empty());
}
