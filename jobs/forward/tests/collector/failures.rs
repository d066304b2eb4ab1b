//! A collector that cannot be used changes nothing but the log.

use std::time::Duration;

use testkit::endpoint::{Answer, Endpoint};

use crate::stage::Stage;

const FAILED: &str = "exporting telemetry failed";

async fn nothing_else_fails(url: &str, protocol: &str, reason: &str) {
    let stage = Stage::new(
        Endpoint::always(Answer::ok()).unwrap(),
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2hunter2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ],
    );
    let function = stage.post(&[&[], &[], &[]]).await;
    let ended = stage.run(&[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(
        ended.duration < Duration::from_secs(20),
        "{:?}",
        ended.duration
    );
    assert_eq!(stage.endpoint.count(), 3);
    for log in [&function, &ended.log] {
        assert_eq!(log.matches(FAILED).count(), 1, "{protocol} {log}");
        let line = log.lines().find(|line| line.contains(FAILED)).unwrap();
        assert!(line.contains(reason), "{line}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[tokio::test]
#[ignore = "needs the program of the function: run by `make e2e`"]
async fn a_collector_that_is_down_fails_nothing() {
    for protocol in ["http/protobuf", "grpc"] {
        nothing_else_fails("http://127.0.0.1:1", protocol, "Connection refused").await;
    }
}

#[tokio::test]
#[ignore = "needs the program of the function: run by `make e2e`"]
async fn a_collector_that_does_not_answer_delays_the_end_by_seconds_only() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for (protocol, reason) in [("http/protobuf", "timed out"), ("grpc", "Timeout expired")] {
        nothing_else_fails(&url, protocol, reason).await;
    }
}
