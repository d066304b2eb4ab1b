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
        let url = match protocol {
            "grpc" => collector.grpc(),
            _ => collector.http(),
        };
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
