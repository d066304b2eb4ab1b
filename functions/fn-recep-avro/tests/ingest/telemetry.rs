//! Telemetry is exported before the host of a call may freeze the program.

use testkit::endpoint::{Answer, Endpoint};

use super::avro_bytes::paul;
use super::fixture::{Fixture, Request};
use super::lambda::{Lambda, Shape};

#[tokio::test]
async fn on_lambda_spans_and_the_first_metrics_are_exported_before_the_response() {
    let collector = Endpoint::always(Answer::ok()).unwrap();
    let url = collector.url();
    let fixture = Fixture::new();
    let telemetry = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ];
    let settings = [&fixture.settings("ingest")[..], &telemetry].concat();
    let mut lambda = Lambda::start(&settings).await;
    let request = Request::post(paul()).header("content-type", "avro/binary");
    for exported in [&["metrics", "traces"][..], &["traces"]] {
        let before = collector.count();
        assert_eq!(lambda.call(Shape::HttpApi, &request).await.status, 202);
        let mut signals: Vec<String> = collector.requests()[before..]
            .iter()
            .map(|request| request.target.rsplit('/').next().unwrap().to_owned())
            .collect();
        signals.sort_unstable();
        assert_eq!(signals, exported);
    }
}
