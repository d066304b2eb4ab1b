use opentelemetry::KeyValue;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};

use super::*;
use crate::Program;

fn resource() -> Resource {
    let program = Program {
        name: "test",
        version: "1",
    };
    program.resource([], |_| None)
}

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| !line.contains("target_info"))
        .collect()
}

#[test]
fn the_text_has_prometheus_names_units_and_no_scope() {
    let metrics = Metrics::new(resource(), 10).unwrap();
    let meter = metrics.meter();
    let requests = meter
        .f64_histogram("http.server.request.duration")
        .with_unit("s")
        .with_boundaries(vec![0.1, 1.0])
        .with_description("The duration.")
        .build();
    requests.record(0.5, &[KeyValue::new("http.request.method", "a\"\n\\")]);
    let sent = meter.u64_counter("messaging.client.sent.messages");
    sent.with_unit("{message}").build().add(3, &[]);
    let up = meter.u64_gauge("frontdoor.ingest.broker_up").build();
    up.record(1, &[]);
    let text = metrics.text().unwrap();
    assert_eq!(
        lines(&text),
        [
            "# TYPE frontdoor_ingest_broker_up gauge",
            "frontdoor_ingest_broker_up 1",
            "# HELP http_server_request_duration_seconds The duration.",
            "# TYPE http_server_request_duration_seconds histogram",
            r#"http_server_request_duration_seconds_bucket{http_request_method="a\"\n\\",le="0.1"} 0"#,
            r#"http_server_request_duration_seconds_bucket{http_request_method="a\"\n\\",le="1"} 1"#,
            r#"http_server_request_duration_seconds_bucket{http_request_method="a\"\n\\",le="+Inf"} 1"#,
            r#"http_server_request_duration_seconds_sum{http_request_method="a\"\n\\"} 0.5"#,
            r#"http_server_request_duration_seconds_count{http_request_method="a\"\n\\"} 1"#,
            "# TYPE messaging_client_sent_messages_total counter",
            "messaging_client_sent_messages_total 3",
        ]
    );
    let target = text.lines().find(|line| line.starts_with("target_info{"));
    let target = target.unwrap();
    assert!(
        target.contains(r#"service_name="test",service_version="1""#),
        "{target}"
    );
}

#[test]
fn the_series_of_an_instrument_are_bounded() {
    let metrics = Metrics::new(resource(), 4).unwrap();
    let counter = metrics.meter().u64_counter("requests").build();
    for key in 0..100 {
        counter.add(1, &[KeyValue::new("key", key)]);
    }
    let text = metrics.text().unwrap();
    let series: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("requests_total{"))
        .collect();
    assert_eq!(series.len(), 5, "{text}");
    assert!(series.contains(&r#"requests_total{otel_metric_overflow="true"} 96"#));
    assert!(Metrics::new(resource(), 0).is_err());
}

#[test]
fn collects_for_a_push_what_the_text_has() {
    let metrics = Metrics::with_push(resource(), 4).unwrap();
    let counter = metrics.meter().u64_counter("requests").build();
    counter.add(7, &[]);
    for _ in 0..2 {
        assert!(metrics.text().unwrap().contains("\nrequests_total 7\n"));
        let collected = metrics.collect().unwrap().unwrap();
        let mut all = collected.scope_metrics().flat_map(|scope| scope.metrics());
        let metric = all.next().unwrap();
        let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
            panic!("{metric:?}");
        };
        assert_eq!(sum.data_points().map(|point| point.value()).sum::<u64>(), 7);
        assert!(all.next().is_none());
    }
    let without = Metrics::new(resource(), 4).unwrap();
    assert!(without.collect().unwrap().is_none());
}

/// An observable gauge keeps such a series; the programs' values with changing attributes are sums for that reason.
#[test]
fn an_observed_sum_ends_when_it_is_not_observed_any_more() {
    let metrics = Metrics::new(resource(), 4).unwrap();
    let calls = std::sync::atomic::AtomicI64::new(0);
    let _sum = metrics
        .meter()
        .i64_observable_up_down_counter("lag")
        .with_callback(move |observer| {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            observer.observe(call, &[KeyValue::new("partition", call)]);
        })
        .build();
    assert!(metrics.text().unwrap().contains("lag{partition=\"0\"} 0\n"));
    let text = metrics.text().unwrap();
    assert_eq!(lines(&text), ["# TYPE lag gauge", "lag{partition=\"1\"} 1"]);
}
