use http::Request;
use http::header::{ALLOW, AUTHORIZATION, WWW_AUTHENTICATE};
use runtime::secret::Secret;

use super::*;
use crate::config::tests::config;
use crate::exit::RunOutcome;
use crate::report::RunReport;
use crate::report::tests::report;

async fn sources(token: Option<&str>) -> Sources {
    let config = config(&[]).await.unwrap();
    let token = token.map(|token| Secret::new(token.to_owned()));
    Sources {
        board: Arc::new(Board::new(&config, Duration::from_secs(30))),
        access: Access::new(token.as_ref()),
        metrics: JobMetrics::new(true, |_| None),
        max_silence: Duration::from_secs(60),
    }
}

fn request(sources: &Sources, method: Method, uri: &str, token: &str) -> Response<Bytes> {
    let mut request = Request::builder().method(method).uri(uri);
    if !token.is_empty() {
        request = request.header(AUTHORIZATION, token);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    respond(sources, &head, SystemTime::now())
}

fn get(sources: &Sources, uri: &str) -> (u16, String) {
    let response = request(sources, Method::GET, uri, "");
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), body)
}

fn with(run: &str, outcome: RunOutcome) -> RunReport {
    RunReport {
        run: run.to_owned(),
        outcome,
        exit_code: outcome.code(),
        ..report()
    }
}

#[tokio::test]
async fn a_report_is_returned_by_its_run_or_as_the_newest() {
    let sources = sources(None).await;
    let (status, body) = get(&sources, "/report");
    assert!(status == 404 && body.contains("no-report"), "{body}");
    let (first, second) = (
        with("1-1", RunOutcome::Completed),
        with("2-1", RunOutcome::Partial),
    );
    sources.board.end_window(&first);
    sources.board.end_window(&second);
    assert_eq!(get(&sources, "/report"), (200, second.json()));
    assert_eq!(get(&sources, "/report?a=b&run=1-1"), (200, first.json()));
    let (status, page) = get(&sources, "/report?run=1-1&output=html");
    assert!(status == 200 && page.contains("<dt>delivered</dt><dd>2,000</dd>"));
    assert_eq!(get(&sources, "/report?run=3-1").0, 404);
    assert_eq!(get(&sources, "/report?run=").0, 404);
}

#[tokio::test]
async fn the_job_is_ready_after_the_first_window_that_has_read_the_topic() {
    let sources = sources(None).await;
    assert_eq!(get(&sources, "/ready").0, 503);
    for outcome in [RunOutcome::Source, RunOutcome::ConcurrentRun] {
        sources.board.end_window(&with("1", outcome));
        let (status, body) = get(&sources, "/ready");
        let reason = format!("exit code {}", outcome.code());
        assert!(status == 503 && body.contains(&reason), "{body}");
    }
    sources.board.end_window(&with("2", RunOutcome::Endpoint));
    assert_eq!(get(&sources, "/ready"), (200, "ok\n".to_owned()));
    sources.board.end_window(&with("3", RunOutcome::Source));
    assert_eq!(get(&sources, "/ready").0, 200);
}

#[tokio::test]
async fn a_schedule_that_does_not_advance_is_unhealthy() {
    let mut sources = sources(None).await;
    assert_eq!(get(&sources, "/health"), (200, "ok\n".to_owned()));
    sources.max_silence = Duration::from_millis(20);
    std::thread::sleep(Duration::from_millis(50));
    let (status, body) = get(&sources, "/health");
    assert!(status == 503 && body.contains("stalled"), "{body}");
    sources.board.advance();
    assert_eq!(get(&sources, "/health").0, 200);
}

#[tokio::test]
async fn the_metrics_are_those_of_the_job() {
    let sources = sources(None).await;
    assert_eq!(get(&sources, "/metrics"), (200, String::new()));
    let last = with("1-1", RunOutcome::DataLoss);
    sources.metrics.begin(&last.topic, &last.group);
    sources.metrics.record(&last, None);
    let response = request(&sources, Method::GET, "/metrics", "");
    assert_eq!(response.headers()[CONTENT_TYPE], metrics::CONTENT_TYPE);
    let (status, text) = get(&sources, "/metrics");
    assert_eq!(status, 200);
    let is_exit_code = |line: &&str| line.starts_with("frontdoor_job_last_run_exit_code{");
    let exit_code = text.lines().find(is_exit_code).unwrap();
    assert!(exit_code.ends_with(" 76"), "{text}");
    assert!(text.contains("service_name=\"forward\""), "{text}");
}

#[tokio::test]
async fn a_token_protects_all_paths_but_the_probes() {
    let sources = sources(Some("s3cret")).await;
    sources.board.end_window(&report());
    for uri in ["/", "/report", "/metrics", "/nothing"] {
        let refused = request(&sources, Method::GET, uri, "");
        assert_eq!(refused.status(), 401, "{uri}");
        let challenges: Vec<_> = refused.headers().get_all(WWW_AUTHENTICATE).iter().collect();
        assert_eq!(challenges.len(), 2, "{challenges:?}");
        let wrong = request(&sources, Method::GET, uri, "Bearer wrong");
        assert_eq!(wrong.status(), 401, "{uri}");
        // The password of a browser's prompt: `:s3cret`.
        for token in ["Bearer s3cret", "Basic OnMzY3JldA=="] {
            let status = request(&sources, Method::GET, uri, token).status();
            assert_eq!(status.as_u16(), if uri == "/nothing" { 404 } else { 200 });
        }
    }
    assert_eq!(request(&sources, Method::POST, "/", "").status(), 401);
    assert_eq!(get(&sources, "/health").0, 200);
    assert_eq!(get(&sources, "/ready").0, 200);
    sources
        .access
        .replace(Some(&Secret::new("next".to_owned())));
    assert_eq!(
        request(&sources, Method::GET, "/", "Bearer s3cret").status(),
        401
    );
    assert_eq!(
        request(&sources, Method::GET, "/", "Bearer next").status(),
        200
    );
}

#[tokio::test]
async fn only_get_and_head_are_allowed_and_each_response_has_the_security_headers() {
    let sources = sources(None).await;
    for uri in ["/", "/report", "/metrics", "/health", "/ready"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let response = request(&sources, method, uri, "");
            assert_eq!(response.status(), 405, "{uri}");
            assert_eq!(response.headers()[ALLOW], "GET, HEAD");
        }
    }
    for uri in ["/", "/report", "/nothing", "/?refresh=off"] {
        let response = request(&sources, Method::HEAD, uri, "");
        let headers = response.headers();
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[CACHE_CONTROL], "no-store");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"));
    }
}
