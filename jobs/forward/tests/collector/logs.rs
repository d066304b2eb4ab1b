//! Logs.

use std::time::{Duration, Instant};

use testkit::collector::Collector;
use testkit::endpoint::{Answer, Endpoint};

use crate::stage::Stage;

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn the_log_is_exported_only_if_it_is_asked_for() {
    for (protocol, exporter) in [
        ("http/protobuf", "otlp"),
        ("grpc", "otlp"),
        ("grpc", "none"),
    ] {
        let collector = Collector::start().await.unwrap();
        let url = collector.url(protocol);
        let stage = Stage::new(
            Endpoint::always(Answer::ok()).unwrap(),
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_LOGS_EXPORTER", exporter),
                ("LOG_LEVEL", "debug"),
            ],
        );
        let function = stage.post(&[&[]]).await;
        let ended = stage.run(&[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        // The JSON lines stay.
        assert!(function.contains("\"message\":\"listening\""), "{function}");
        assert!(ended.log.contains("the window ended"), "{}", ended.log);
        collector.wait_for_spans(4).await.unwrap();
        let expected = ["fn-recep-avro: listening", "forward: the window ended"];
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let logs = collector.logs().unwrap();
            let has = |line: &&str| logs.iter().any(|log| log == line);
            if exporter == "none" {
                assert!(logs.is_empty(), "{logs:?}");
                break;
            }
            if expected.iter().all(has) {
                // Debug events of the exporter's own connections would follow each export.
                assert!(logs.len() < 200, "{logs:#?}");
                break;
            }
            assert!(Instant::now() < end, "{logs:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn the_line_about_a_request_has_its_trace() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let collector = Collector::start().await.unwrap();
    let stage = Stage::new(
        Endpoint::always(Answer::ok()).unwrap(),
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.http()),
            ("OTEL_LOGS_EXPORTER", "otlp"),
        ],
    );
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let log = stage
        .send(&[&[("traceparent", &parent)]], b"not Avro", 422)
        .await;
    let span = collector.wait_for_spans(1).await.unwrap().remove(0);
    let line = log.lines().find(|line| line.contains("request rejected"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(
        (&line["trace_id"], &line["span_id"]),
        (&TRACE.into(), &span.text("spanId").into())
    );
    let end = Instant::now() + Duration::from_secs(30);
    let record = loop {
        let mut records = collector.log_records().unwrap().into_iter();
        let of_request =
            records.find(|(_, record)| record["body"]["stringValue"] == "request rejected");
        if let Some((_, record)) = of_request {
            break record;
        }
        assert!(Instant::now() < end, "the collector has no such line");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(
        (&record["traceId"], &record["spanId"]),
        (&TRACE.into(), &span.text("spanId").into())
    );
}
