//! Health and readiness checks through every host.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::agent::Call;
use tokio::task::JoinSet;

use super::fixture::{Fixture, Plain, Reply, Request};
use super::lambda::{Lambda, SHAPES, Shape, event, reply};

const NOT_READY: &str = "urn:problem-type:frontdoor:not-ready";

#[tokio::test]
async fn is_ready_while_a_broker_answers() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    until(&plain, 200).await;
    fixture.broker.set_down().unwrap();
    let problem = until(&plain, 503).await;
    assert_eq!(problem.json()["type"], NOT_READY);
    assert_eq!(problem.headers["retry-after"], "1");
    assert_eq!(plain.get("/health").await.status, 200);
    fixture.broker.set_up().unwrap();
    until(&plain, 200).await;
    // A check publishes nothing.
    assert_eq!(fixture.stored().len(), 0);
}

/// Checks until the status is `status`.
async fn until(plain: &Plain, status: u16) -> Reply {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let start = Instant::now();
        let reply = plain.get("/ready").await;
        assert!(start.elapsed() < Duration::from_secs(5), "a slow check");
        if reply.status == status {
            return reply;
        }
        assert!(Instant::now() < end, "{}", plain.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn is_not_ready_before_the_first_answer_of_a_broker_or_while_it_is_silent() {
    // It accepts connections and answers nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for bootstrap in ["127.0.0.1:1", &silent] {
        let plain = Plain::start(&[("KAFKA_BOOTSTRAP_SERVERS", bootstrap)]).await;
        let plain = Arc::new(plain);
        let start = Instant::now();
        let mut checks = JoinSet::new();
        for _ in 0..20 {
            let plain = Arc::clone(&plain);
            checks.spawn(async move { plain.get("/ready").await.status });
        }
        assert_eq!(checks.join_all().await, [503; 20]);
        assert!(start.elapsed() < Duration::from_secs(4), "{bootstrap}");
    }
}

#[tokio::test]
async fn lambda_answers_health_and_readiness_checks() {
    let fixture = Fixture::new();
    let mut lambda = Lambda::start(&fixture.settings("ingest")).await;
    for shape in SHAPES {
        for path in ["/health", "/prod/health", "/ready"] {
            assert_eq!(get(&mut lambda, shape, path).await.status, 200, "{path}");
        }
        assert_eq!(get(&mut lambda, shape, "/").await.status, 405);
    }
    // As docs.aws.amazon.com/elasticloadbalancing describes it ("Health checks" of Lambda functions as targets).
    let check = json!({
        "requestContext": {"elb": {"targetGroupArn":
            "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/f/6d0ecf831eec9f09"}},
        "httpMethod": "GET",
        "path": "/",
        "queryStringParameters": {},
        "headers": {"user-agent": "ELB-HealthChecker/2.0"},
        "body": "",
        "isBase64Encoded": false
    });
    let response = lambda.invoke(check).await;
    assert_eq!(response["statusCode"], 200, "{response}");
    fixture.broker.set_down().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while get(&mut lambda, Shape::LoadBalancer, "/ready").await.status != 503 {
        assert!(Instant::now() < end);
    }
}

async fn get(lambda: &mut Lambda, shape: Shape, path: &str) -> Reply {
    let mut event: Value = event(shape, &Request::post("").method("GET"));
    for name in ["path", "rawPath"] {
        if let Some(known) = event.get_mut(name) {
            *known = json!(path);
        }
    }
    reply(&lambda.invoke(event).await)
}

#[tokio::test]
async fn an_fn_gateway_answers_health_and_readiness_checks() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    // It is answered after the settings are read.
    let reply = function.call(Call::direct("junk")).await.unwrap();
    assert_eq!(reply.status, 422);
    for path in ["/ingest/health", "/ingest/ready?from=probe"] {
        let reply = function.call(Call::http("GET", path, "")).await.unwrap();
        assert_eq!((reply.outer, reply.status), (200, 200), "{path}");
    }
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let mut function = fixture.function_with(&settings).await;
    assert_eq!(
        function.call(Call::direct("junk")).await.unwrap().status,
        422
    );
    let check = Call::http("GET", "/ingest/ready", "");
    let reply = function.call(check).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 503));
    assert_eq!(reply.json().unwrap()["type"], NOT_READY);
}
