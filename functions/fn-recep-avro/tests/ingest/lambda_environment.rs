//! The life of an execution environment of Lambda: freezes, timeouts and the end.
//!
//! Neither host freezes the function between calls, as Lambda does, so the tests do.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use testkit::endpoint::{Answer, Endpoint};

use super::avro_bytes::{Codec, container, paul, user};
use super::fixture::{Fixture, Request, values};
use super::lambda::{Emulator, Lambda, Shape, StandIn, event, reply};

#[tokio::test]
async fn the_first_call_after_a_freeze_uses_a_new_connection() {
    let fixture = Fixture::new();
    let idle = [("CONNECTIONS_MAX_IDLE", "200ms")];
    let settings = [&fixture.settings("ingest")[..], &idle].concat();
    let mut lambda = Lambda::start(&settings).await;
    let request = Request::post(paul());
    assert_eq!(lambda.call(Shape::HttpApi, &request).await.status, 202);
    for _ in 0..2 {
        lambda.freeze();
        // The broker closes the connection meanwhile.
        fixture.broker.set_down().unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
        fixture.broker.set_up().unwrap();
        lambda.thaw();
        assert_eq!(lambda.call(Shape::HttpApi, &request).await.status, 202);
    }
    assert_eq!(fixture.stored().len(), 3);
}

#[tokio::test]
async fn answers_before_the_timeout_while_no_broker_answers() {
    let fixture = Fixture::new();
    let timeout = Duration::from_secs(3);
    let mut lambda = Lambda::start_with_timeout(&fixture.settings("ingest"), timeout).await;
    let request = Request::post(user(1, "n", "e"));
    assert_eq!(lambda.call(Shape::HttpApi, &request).await.status, 202);
    fixture.broker.set_down().unwrap();
    let start = Instant::now();
    let reply = lambda.call(Shape::HttpApi, &request).await;
    assert!(start.elapsed() < timeout, "{:?}", start.elapsed());
    let problem = reply.json();
    assert_eq!(reply.status, 503, "{problem}");
    let may_be_stored = problem["stored"] != "no";
    fixture.broker.set_up().unwrap();
    // The same process answers again.
    let request = Request::post(user(2, "n", "e"));
    assert_eq!(lambda.call(Shape::HttpApi, &request).await.status, 202);
    let stored = fixture.stored().len();
    assert!(
        stored == 2 || (may_be_stored && stored == 3),
        "{stored} {problem}"
    );
}

/// 4 MB is `MaxBody` in deploy/lambda/template.yaml. As base64 it fits the 6 MB of Lambda's requests.
#[tokio::test]
async fn accepts_a_body_of_4_mb_as_base64() {
    let fixture = Fixture::new();
    let limit = [("MAX_BODY", "4MB")];
    let settings = [&fixture.settings("ingest")[..], &limit].concat();
    let mut lambda = Lambda::start(&settings).await;
    let large: Vec<_> = (0..4)
        .map(|id| user(id, &"x".repeat(999_000), "e"))
        .collect();
    let request = Request::post(container(Codec::Null, &[&large]));
    assert!((3_990_000..4_000_000).contains(&request.body.len()));
    let reply = lambda.call(Shape::HttpApi, &request).await;
    assert_eq!(reply.status, 202, "{}", reply.json());
    // Without the values in the message.
    assert!(values(&fixture.stored()) == large);
}

#[tokio::test]
async fn sigterm_exports_the_rest_of_the_telemetry() {
    let collector = Endpoint::always(Answer::ok()).unwrap();
    let url = collector.url();
    let fixture = Fixture::new();
    let telemetry = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
    let settings = [&fixture.settings("ingest")[..], &telemetry].concat();
    let mut lambda = StandIn::start(&settings, Duration::from_secs(20)).await;
    for _ in 0..2 {
        let event = event(Shape::HttpApi, &Request::post(paul()));
        assert_eq!(reply(&lambda.invoke(event).await).status, 202);
    }
    let before = metrics_exports(&collector);
    assert_eq!(lambda.terminate().await, Some(0));
    assert_eq!(metrics_exports(&collector), before + 1);
}

fn metrics_exports(collector: &Endpoint) -> usize {
    let requests = collector.requests();
    let of_metrics = requests
        .iter()
        .filter(|request| request.target.ends_with("metrics"));
    of_metrics.count()
}

#[tokio::test]
#[ignore = "needs the Runtime Interface Emulator: run by `make e2e-lambda`"]
async fn a_call_that_exceeds_the_timeout_ends_the_process_and_the_next_call_starts_another() {
    let fixture = Fixture::new();
    let timeout = Duration::from_secs(3);
    let emulator = Emulator::start(&fixture.settings("ingest"), timeout).await;
    let event = event(Shape::HttpApi, &Request::post(paul()));
    assert_eq!(reply(&emulator.invoke(&event).await).status, 202);
    let first = emulator.function().unwrap();
    // A process that is stopped does not answer.
    kill_process(first, Signal::STOP).unwrap();
    let answer = emulator.reply(&event).await;
    assert_eq!(answer, "Task timed out after 3.00 seconds");
    assert_eq!(emulator.function(), None);
    assert_eq!(reply(&emulator.invoke(&event).await).status, 202);
    assert!(emulator.function().is_some_and(|second| second != first));
    assert_eq!(fixture.stored().len(), 2);
}

#[tokio::test]
#[ignore = "needs the Runtime Interface Emulator: run by `make e2e-lambda`"]
async fn without_an_extension_the_function_is_killed_and_every_accepted_record_is_stored() {
    let fixture = Fixture::new();
    let settings = fixture.settings("ingest");
    let mut emulator = Emulator::start(&settings, Duration::from_secs(20)).await;
    let event = event(Shape::HttpApi, &Request::post(paul()));
    assert_eq!(reply(&emulator.invoke(&event).await).status, 202);
    assert_eq!(emulator.shut_down().await, Some(0));
    let log = emulator.log();
    assert!(log.contains("Sending SIGKILL to runtime-"), "{log}");
    assert_eq!(fixture.stored().len(), 1);
}

#[tokio::test]
#[ignore = "needs the Runtime Interface Emulator: run by `make e2e-lambda`"]
async fn with_an_extension_the_function_ends_itself_after_sigterm_and_exports_its_telemetry() {
    let collector = Endpoint::always(Answer::ok()).unwrap();
    let url = collector.url();
    let fixture = Fixture::new();
    let telemetry = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str())];
    let settings = [&fixture.settings("ingest")[..], &telemetry].concat();
    let timeout = Duration::from_secs(20);
    let mut emulator = Emulator::start_with_extension(&settings, timeout).await;
    for _ in 0..2 {
        let event = event(Shape::HttpApi, &Request::post(paul()));
        assert_eq!(reply(&emulator.invoke(&event).await).status, 202);
    }
    let before = metrics_exports(&collector);
    assert_eq!(emulator.shut_down().await, Some(0));
    let log = emulator.log();
    let kinds: Vec<Value> = emulator
        .extension_events()
        .iter()
        .map(|event| event["eventType"].clone())
        .collect();
    assert_eq!(kinds, ["INVOKE", "INVOKE", "SHUTDOWN"], "{log}");
    assert!(!log.contains("SIGKILL"), "{log}");
    assert_eq!(metrics_exports(&collector), before + 1);
    assert_eq!(fixture.stored().len(), 2);
}
