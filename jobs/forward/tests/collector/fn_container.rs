//! The function in a container of Fn, which is frozen after each response.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use testkit::agent::{Agent, Call};
use testkit::broker::Broker;
use testkit::collector::Collector;
use testkit::program;
use testkit::user::User;

use crate::TOPIC;

/// Starts a container whose spans are exported by nothing but the end of a call.
async fn start(broker: &Broker, collector: &str) -> Agent {
    broker.create_topic(TOPIC, 1).unwrap();
    let environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let path = program::built("fn-recep-avro").unwrap();
    Agent::start(&path, &environment).await.unwrap()
}

/// Posts a datum, and returns how long that took.
async fn post(agent: &mut Agent) -> Duration {
    let call = Call::http("POST", "/ingest", User::new(1010, "Ana").encode());
    let start = Instant::now();
    let reply = agent.call(call.header("content-type", "avro/binary")).await;
    assert_eq!(reply.unwrap().status, 202);
    start.elapsed()
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn spans_are_exported_before_the_container_is_frozen() {
    let collector = Collector::start().await.unwrap();
    let broker = Broker::start().unwrap();
    let mut agent = start(&broker, &collector.http()).await;
    for spans in [2, 4] {
        post(&mut agent).await;
        agent.freeze().unwrap();
        collector.wait_for_spans(spans).await.unwrap();
        agent.thaw().unwrap();
    }
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn metrics_are_exported_with_the_first_call_then_at_the_interval_and_at_the_end() {
    const SENT: &str = "messaging.client.sent.messages";
    let collector = Collector::start().await.unwrap();
    let broker = Broker::start().unwrap();
    let mut agent = start(&broker, &collector.http()).await;
    post(&mut agent).await;
    agent.freeze().unwrap();
    let sent = |total| collector.wait_for_total("fn-recep-avro", SENT, total);
    sent(1.0).await.unwrap();
    agent.thaw().unwrap();
    post(&mut agent).await;
    agent.freeze().unwrap();
    // The spans of the second call have arrived; its metrics wait for the interval of a minute.
    collector.wait_for_spans(4).await.unwrap();
    sent(1.0).await.unwrap();
    agent.thaw().unwrap();
    agent.terminate().await.unwrap();
    sent(2.0).await.unwrap();
}

#[tokio::test]
#[ignore = "needs the program of the function: run by `make e2e`"]
async fn one_response_waits_a_second_for_a_collector_that_does_not_answer_and_the_next_ones_do_not()
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let broker = Broker::start().unwrap();
    let mut agent = start(&broker, &url).await;
    let first = post(&mut agent).await;
    assert!(first > Duration::from_secs(1), "{first:?}");
    assert!(first < Duration::from_secs(10), "{first:?}");
    for _ in 0..3 {
        let next = post(&mut agent).await;
        assert!(next < Duration::from_millis(900), "{next:?}");
    }
}
