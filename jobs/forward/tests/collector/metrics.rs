//! Metrics of function and job.

use std::time::{Duration, Instant};

use testkit::collector::Collector;
use testkit::endpoint::{Answer, Endpoint};

use crate::stage::Stage;

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn the_function_at_its_end_and_each_run_export_their_metrics() {
    for protocol in ["http/protobuf", "grpc"] {
        let collector = Collector::start().await.unwrap();
        let url = collector.url(protocol);
        let stage = Stage::new(
            Endpoint::always(Answer::ok()).unwrap(),
            &[
                ("OTEL_METRICS_EXPORTER", "otlp"),
                ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ],
        );
        stage.post(&[&[], &[]]).await;
        collector
            .wait_for_total("fn-recep-avro", "messaging.client.sent.messages", 2.0)
            .await
            .unwrap();
        let ended = stage.run(&[]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        let end = Instant::now() + Duration::from_secs(30);
        let records = loop {
            let records = collector
                .sums("forward", "frontdoor.job.last_run.records")
                .unwrap();
            if !records.is_empty() {
                break records;
            }
            assert!(Instant::now() < end, "{}", ended.log);
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let delivered: f64 = records
            .iter()
            .filter(|(attributes, _)| attributes.to_string().contains("\"delivered\""))
            .map(|(_, count)| count)
            .sum();
        let all: f64 = records.iter().map(|(_, count)| count).sum();
        assert_eq!((delivered, all), (2.0, 2.0), "{records:?}");
        let duration = collector.sums("forward", "frontdoor.job.last_run.duration");
        let duration = duration.unwrap();
        assert!(duration.len() == 1 && duration[0].1 > 0.0, "{duration:?}");
    }
}
