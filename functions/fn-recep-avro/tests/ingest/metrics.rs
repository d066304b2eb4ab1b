//! `GET /metrics` of the plain host: what is counted, with which labels, and who may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::avro_bytes::{Codec, container, paul, user};
use super::fixture::{Fixture, Plain, Reply, Request};
use testkit::agent::Call;

const DURATION: &str = "http_server_request_duration_seconds";
const SENT: &str = "messaging_client_sent_messages_total";
const SEND_DURATION: &str = "messaging_client_operation_duration_seconds";

/// The series of a scrape: name and labels, without those of the resource, and the value.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    async fn of(plain: &Plain) -> Self {
        Self::parse(&plain.get("/metrics").await)
    }

    fn parse(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(
            reply.headers["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        let text = std::str::from_utf8(&reply.body).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        Self(series.collect())
    }

    fn value(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The count of each set of labels of a histogram, or the value of each series of a counter.
    fn counts(&self, metric: &str) -> BTreeMap<&str, f64> {
        let prefixes = [format!("{metric}_count{{"), format!("{metric}{{")];
        let counts = self.0.iter().filter_map(|(series, value)| {
            let labels = prefixes
                .iter()
                .find_map(|prefix| series.strip_prefix(prefix))?;
            Some((labels.strip_suffix('}')?, *value))
        });
        counts.collect()
    }

    fn total(&self, metric: &str) -> f64 {
        self.counts(metric).values().sum()
    }
}

fn answered(method: &str, status: u16, reason: Option<&str>) -> String {
    let reason = reason.map_or_else(String::new, |reason| format!(r#"error_type="{reason}","#));
    format!(r#"{reason}http_request_method="{method}",http_response_status_code="{status}""#)
}

fn bearer(token: &str) -> Request {
    let value = format!("Bearer {token}");
    let request = Request::post("").method("GET");
    request.header("authorization", &value)
}

#[tokio::test]
async fn every_response_is_counted_once_with_its_status_and_reason() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    assert_eq!(Scrape::of(&plain).await.total(DURATION), 0.0);
    let several = container(
        Codec::Null,
        &[&[paul(), user(1, "a", "b"), user(2, "c", "d")]],
    );
    let bytes = (5 * paul().len() + several.len() + 2 * 4) as f64;
    let cases = [
        (5, Request::post(paul()), 202, None),
        (1, Request::post(several), 202, None),
        (2, Request::post("junk"), 422, Some("malformed-datum")),
        (3, Request::post(""), 400, Some("empty-body")),
        (
            4,
            Request::post(paul()).header("content-type", "text/html"),
            415,
            Some("unsupported-media-type"),
        ),
        (
            2,
            Request::post("").method("GET"),
            405,
            Some("method-not-allowed"),
        ),
        (
            1,
            Request::post(paul()).header("idempotency-key", &"k".repeat(300)),
            400,
            Some("malformed-header"),
        ),
    ];
    let mut expected = BTreeMap::new();
    for (times, request, status, reason) in &cases {
        for _ in 0..*times {
            let reply = plain.call(request).await;
            assert_eq!(reply.status, *status, "{reply:?}");
            let labels = answered(&request.method, *status, *reason);
            *expected.entry(labels).or_insert(0.0) += 1.0;
        }
    }
    for check in ["/health", "/ready", "/metrics"] {
        assert_eq!(plain.get(check).await.status, 200);
    }
    let scrape = Scrape::of(&plain).await;
    let expected: BTreeMap<&str, f64> = expected.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(scrape.counts(DURATION), expected);
    assert_eq!(
        scrape.counts(SENT),
        BTreeMap::from([(r#"messaging_system="kafka""#, 8.0)])
    );
    assert_eq!(scrape.total(SEND_DURATION), 6.0);
    assert_eq!(scrape.value("http_server_active_requests"), Some(0.0));
    assert_eq!(scrape.value("frontdoor_ingest_broker_up"), Some(1.0));
    let memory = scrape.value("process_resident_memory_bytes").unwrap();
    assert!((1e6..1e9).contains(&memory), "{memory}");
    let read = scrape.value("http_server_request_body_size_bytes_sum");
    assert!(read >= Some(bytes), "{read:?} of {bytes}");
    let resource = scrape
        .0
        .keys()
        .find(|name| name.starts_with("target_info{"));
    assert!(
        resource
            .unwrap()
            .contains(r#"service_name="fn-recep-avro""#)
    );
    // The classes of the conventions, not the SDK's for milliseconds.
    let class = format!(
        r#"{DURATION}_bucket{{{},le="0.005"}}"#,
        answered("POST", 202, None)
    );
    assert!(scrape.value(&class).is_some(), "{:?}", scrape.0.keys());
    // A scrape changes no counter.
    assert_eq!(Scrape::of(&plain).await.counts(DURATION), expected);
}

#[tokio::test]
async fn messages_that_the_broker_does_not_acknowledge_count_as_errors() {
    let fixture = Fixture::new();
    let mut settings = fixture.settings("ingest");
    settings.push(("PUBLISH_TIMEOUT", "500ms"));
    let plain = Plain::start(&settings).await;
    assert_eq!(plain.call(&Request::post(paul())).await.status, 202);
    fixture.broker.set_down().unwrap();
    assert_eq!(plain.call(&Request::post(paul())).await.status, 503);
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let scrape = Scrape::of(&plain).await;
        let lost = r#"error_type="not-acknowledged",messaging_system="kafka""#;
        assert_eq!(
            scrape.counts(SENT),
            BTreeMap::from([(lost, 1.0), (r#"messaging_system="kafka""#, 1.0)])
        );
        let labels = answered("POST", 503, Some("not-acknowledged"));
        assert_eq!(scrape.counts(DURATION).get(&*labels), Some(&1.0));
        if scrape.value("frontdoor_ingest_broker_up") == Some(0.0) {
            break;
        }
        assert!(Instant::now() < end, "the broker is still up");
    }
    fixture.broker.set_up().unwrap();
    while Scrape::of(&plain).await.value("frontdoor_ingest_broker_up") != Some(1.0) {
        assert!(Instant::now() < end + Duration::from_secs(10), "still down");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn no_text_of_a_request_becomes_a_label() {
    let fixture = Fixture::new();
    let plain = Plain::start(&fixture.settings("ingest")).await;
    for number in 0..120 {
        let canary = format!("CANARY{number}");
        let path = format!("/{canary}?{canary}={canary}");
        for request in [
            Request::post(paul()).method(&canary),
            Request::post(canary.clone()),
            Request::post(paul()).header("content-type", &format!("application/{canary}")),
            Request::post(paul())
                .header("content-encoding", &canary)
                .header("user-agent", &canary)
                .header("x-request-id", &canary)
                .header("traceparent", &canary),
        ] {
            let reply = plain.call_path(&path, &request).await;
            assert!(reply.status >= 400, "{reply:?}");
        }
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "post"] {
        plain
            .call_path("/x", &Request::post("").method(method))
            .await;
    }
    let scrape = Scrape::of(&plain).await;
    assert_eq!(scrape.total(DURATION), 4.0 * 120.0 + 7.0);
    let counts = scrape.counts(DURATION);
    let methods: BTreeSet<&str> = counts
        .keys()
        .map(|labels| labels.split('"').nth(3).unwrap())
        .collect();
    let known = [
        "DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "_OTHER",
    ];
    assert_eq!(methods, BTreeSet::from(known));
    assert_eq!(counts.len(), 10, "{counts:?}");
    assert!(scrape.0.keys().all(|series| !series.contains("CANARY")));
}

#[tokio::test]
async fn concurrent_requests_and_scrapes_lose_no_count() {
    let fixture = Fixture::new();
    let plain = Arc::new(Plain::start(&fixture.settings("ingest")).await);
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (caller, scraper) = (Arc::clone(&plain), Arc::clone(&plain));
        tasks.spawn(async move {
            for _ in 0..10 {
                assert_eq!(caller.call(&Request::post(paul())).await.status, 202);
            }
        });
        tasks.spawn(async move {
            let mut last = 0.0;
            for _ in 0..5 {
                let total = Scrape::of(&scraper).await.total(DURATION);
                assert!(total >= last, "{total} after {last}");
                last = total;
            }
        });
    }
    tasks.join_all().await;
    let scrape = Scrape::of(&plain).await;
    assert_eq!(scrape.total(DURATION), 320.0);
    assert_eq!(scrape.total(SENT), 320.0);
    assert_eq!(scrape.value("http_server_active_requests"), Some(0.0));
}

#[tokio::test]
async fn the_metrics_need_the_token_of_their_own() {
    let fixture = Fixture::new();
    let mut settings = fixture.settings("ingest");
    settings.push(("METRICS_TOKEN", "s3cret-of-metrics, s3cret-of-tomorrow"));
    settings.push(("CALLER_TOKENS", "s3cret-of-callers"));
    let plain = Plain::start(&settings).await;
    for refused in [
        Request::post("").method("GET"),
        bearer("s3cret-of-callers"),
        bearer("s3cret-of-metric"),
        bearer("s3cret-of-metrics, s3cret-of-tomorrow"),
        bearer("s3cret-of-metrics").header("authorization", "Bearer s3cret-of-metrics"),
        Request::post("")
            .method("GET")
            .header("authorization", "Basic czNjcmV0"),
    ] {
        let reply = plain.call_path("/metrics", &refused).await;
        assert_eq!(reply.status, 401, "{refused:?}");
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer "), "{challenge}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("s3cret"));
    }
    for token in ["s3cret-of-metrics", "s3cret-of-tomorrow"] {
        let reply = plain.call_path("/metrics", &bearer(token)).await;
        assert_eq!(Scrape::parse(&reply).total(SENT), 0.0);
        let publish = Request::post(paul()).header("authorization", &format!("Bearer {token}"));
        assert_eq!(plain.call(&publish).await.status, 401, "{token}");
        // The path is exact.
        let reply = plain.call_path("/stage/metrics", &bearer(token)).await;
        assert_eq!(reply.status, 401);
    }
    let scrape = Scrape::parse(
        &plain
            .call_path("/metrics", &bearer("s3cret-of-metrics"))
            .await,
    );
    let [post, get] = ["POST", "GET"].map(|method| answered(method, 401, Some("unauthorized")));
    let expected = BTreeMap::from([(&*post, 2.0), (&*get, 2.0)]);
    assert_eq!(scrape.counts(DURATION), expected);
    assert!(!plain.log().contains("s3cret"), "{}", plain.log());
}

#[tokio::test]
async fn without_a_token_only_this_machine_gets_the_metrics() {
    let fixture = Fixture::new();
    let mut settings = fixture.settings("ingest");
    settings.push(("LISTEN", "0.0.0.0:0"));
    let mut plain = Plain::start(&settings).await;
    let port = plain.address.rsplit_once(':').unwrap().1.to_owned();
    plain.address = format!("127.0.0.1:{port}");
    assert_eq!(plain.get("/metrics").await.status, 200);
    // No packet is sent: the system selects the address of the route.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    let own = socket.local_addr().unwrap().ip();
    assert!(!own.is_loopback(), "this machine has no other address");
    plain.address = format!("{own}:{port}");
    let reply = plain.get("/metrics").await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.json()["type"], "urn:problem-type:frontdoor:forbidden");
    assert!(
        plain.log().contains("METRICS_TOKEN is not set"),
        "{}",
        plain.log()
    );
    let spoofed = Request::post("")
        .method("GET")
        .header("x-forwarded-for", "127.0.0.1")
        .header("forwarded", "for=127.0.0.1");
    assert_eq!(plain.call_path("/metrics", &spoofed).await.status, 403);
    assert_eq!(plain.get("/health").await.status, 200);
}

#[tokio::test]
async fn fn_has_no_metrics_page() {
    let fixture = Fixture::new();
    let mut function = fixture.function().await;
    let reply = function.call(Call::http("GET", "/metrics", "")).await;
    assert_eq!(reply.unwrap().status, 405);
}
