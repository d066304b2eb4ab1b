//! Traces.

use testkit::collector::{CollectedSpan, Collector};
use testkit::endpoint::{Answer, Endpoint};

use crate::TOPIC;
use crate::stage::Stage;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn accepting() -> Endpoint {
    Endpoint::always(Answer::ok()).unwrap()
}

#[track_caller]
fn only(spans: &[CollectedSpan], is: impl Fn(&CollectedSpan) -> bool) -> &CollectedSpan {
    let found: Vec<_> = spans.iter().filter(|span| is(span)).collect();
    let [span] = found[..] else {
        panic!("{} spans of {spans:#?}", found.len());
    };
    span
}

/// Kinds in OTLP's JSON (`SpanKind` of trace.proto).
const INTERNAL: i64 = 1;
const SERVER: i64 = 2;
const CLIENT: i64 = 3;
const PRODUCER: i64 = 4;

fn kind(span: &CollectedSpan) -> i64 {
    span.json["kind"].as_i64().unwrap()
}

async fn one_trace_leads_from_the_caller_to_the_endpoint(protocol: &str) {
    let collector = Collector::start().await.unwrap();
    let url = collector.url(protocol);
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::ok()]).unwrap();
    let stage = Stage::new(
        endpoint,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ],
    );
    let headers = [
        ("traceparent", SAMPLED),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=a"),
    ];
    stage.post(&[&headers]).await;
    let ended = stage.run(&[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let spans = collector.wait_for_spans(5).await.unwrap();
    assert_eq!(spans.len(), 5, "{spans:#?}");
    for span in &spans {
        let [trace, id, parent] = ["traceId", "spanId", "parentSpanId"].map(|id| span.text(id));
        let (service, name) = (&span.service, &span.name);
        println!("{trace} {id:16} parent {parent:16} {service:13} {name}");
    }

    let server = only(&spans, |span| kind(span) == SERVER);
    assert_eq!(
        (server.service.as_str(), server.name.as_str()),
        ("fn-recep-avro", "POST")
    );
    assert_eq!(
        (server.text("traceId"), server.text("parentSpanId")),
        (TRACE, CALLER)
    );
    assert_eq!(server.text("traceState"), "vendor=1");
    assert_eq!(server.attribute("http.response.status_code"), "202");

    let producer = only(&spans, |span| kind(span) == PRODUCER);
    assert_eq!(producer.name, format!("send {TOPIC}"));
    assert_eq!(producer.text("traceId"), TRACE);
    assert_eq!(producer.text("parentSpanId"), server.text("spanId"));
    assert_eq!(producer.attribute("messaging.kafka.offset"), "0");

    let run = only(&spans, |span| kind(span) == INTERNAL);
    assert_eq!(run.service, "forward");
    assert_ne!(run.text("traceId"), TRACE);
    assert_eq!(run.attribute("frontdoor.records.delivered"), "1");
    assert_eq!(run.attribute("process.exit.code"), "0");

    let stored = stage.stored();
    let header = |name: &str| stored[0].header(name).unwrap_or_default();
    let parent = format!("00-{TRACE}-{}-01", producer.text("spanId"));
    assert_eq!(header("traceparent"), parent);
    assert_eq!(
        (header("tracestate").as_str(), header("baggage").as_str()),
        ("vendor=1", "tenant=a")
    );

    let requests = stage.endpoint.requests();
    assert_eq!(requests.len(), 2);
    for (request, (status, resends)) in requests.iter().zip([("503", ""), ("200", "1")]) {
        let client = only(&spans, |span| {
            kind(span) == CLIENT && span.attribute("http.response.status_code") == status
        });
        assert_eq!(
            (client.service.as_str(), client.text("traceId")),
            ("forward", TRACE)
        );
        assert_eq!(client.text("parentSpanId"), producer.text("spanId"));
        assert_eq!(client.attribute("http.request.resend_count"), resends);
        assert_eq!(client.links(), [(run.text("traceId"), run.text("spanId"))]);
        let sent = format!("00-{TRACE}-{}-01", client.text("spanId"));
        assert_eq!(request.header("traceparent"), Some(sent.as_str()));
        assert_eq!(request.header("tracestate"), Some("vendor=1"));
        assert_eq!(request.header("baggage"), Some("tenant=a"));
    }
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn one_trace_leads_from_the_caller_to_the_endpoint_over_http() {
    one_trace_leads_from_the_caller_to_the_endpoint("http/protobuf").await;
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn one_trace_leads_from_the_caller_to_the_endpoint_over_grpc() {
    one_trace_leads_from_the_caller_to_the_endpoint("grpc").await;
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn a_trace_in_b3_headers_is_continued_and_an_unsampled_one_is_only_passed_on() {
    let collector = Collector::start().await.unwrap();
    let stage = Stage::new(
        accepting(),
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.http())],
    );
    let b3 = format!("{TRACE}-{CALLER}-1");
    stage
        .post(&[&[("b3", b3.as_str())], &[("traceparent", UNSAMPLED)]])
        .await;
    let ended = stage.run(&[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    // Of the run, and of three operations of the sampled trace.
    let spans = collector.wait_for_spans(4).await.unwrap();
    assert_eq!(spans.len(), 4, "{spans:#?}");
    let server = only(&spans, |span| kind(span) == SERVER);
    assert_eq!(
        (server.text("traceId"), server.text("parentSpanId")),
        (TRACE, CALLER)
    );
    let stored = stage.stored();
    assert!(stored[0].header("traceparent").unwrap().ends_with("-01"));
    assert_eq!(stored[1].header("traceparent").as_deref(), Some(UNSAMPLED));
    let requests = stage.endpoint.requests();
    let mut sent: Vec<_> = requests
        .iter()
        .filter_map(|request| request.header("traceparent"))
        .collect();
    sent.retain(|sent| *sent == UNSAMPLED);
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
#[ignore = "needs an OpenTelemetry collector: run by `make e2e`"]
async fn the_span_of_a_batch_has_links_to_its_records() {
    let collector = Collector::start().await.unwrap();
    let stage = Stage::new(
        accepting(),
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.http())],
    );
    stage
        .post(&[
            &[("traceparent", SAMPLED)],
            &[("traceparent", SAMPLED)],
            &[],
        ])
        .await;
    let routes = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    let route = serde_json::json!({"version": 1, "routes": [
        {"name": "all", "when": "true", "url": stage.endpoint.url(), "batch": 10},
    ]});
    std::fs::write(routes.path(), route.to_string()).unwrap();
    let ended = stage
        .run(&[("ROUTES", routes.path().to_str().unwrap())])
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let spans = collector.wait_for_spans(8).await.unwrap();
    assert_eq!(spans.len(), 8, "{spans:#?}");
    let run = only(&spans, |span| kind(span) == INTERNAL);
    let batch = only(&spans, |span| kind(span) == CLIENT);
    assert_eq!(batch.text("parentSpanId"), run.text("spanId"));
    assert_eq!(batch.text("traceId"), run.text("traceId"));
    assert_eq!(batch.attribute("messaging.batch.message_count"), "3");
    let mut links = batch.links();
    let producers = spans.iter().filter(|span| kind(span) == PRODUCER);
    let mut expected: Vec<_> = producers
        .map(|span| (span.text("traceId"), span.text("spanId")))
        .collect();
    links.sort_unstable();
    expected.sort_unstable();
    assert_eq!(links, expected);
    let requests = stage.endpoint.requests();
    let sent = format!("00-{}-{}-01", batch.text("traceId"), batch.text("spanId"));
    assert_eq!(requests[0].header("traceparent"), Some(sent.as_str()));
}
