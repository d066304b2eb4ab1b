//! Tokens of a scripted authorization server.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::time::{Duration, Instant};

use oauth2::{ClientCredentials, TokenError, TokenSource};
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint};

const HOUR: Duration = Duration::from_secs(3600);

/// A server whose tokens are `token-0`, `token-1` and so on, after this delay.
fn server(delay: Duration) -> Endpoint {
    Endpoint::start(move |request| {
        std::thread::sleep(delay);
        let number = request.number;
        Answer::ok().body(format!(
            r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#
        ))
    })
    .unwrap()
}

fn source(endpoint: &Endpoint) -> TokenSource {
    let credentials = ClientCredentials {
        token_url: endpoint.url().parse().unwrap(),
        client_id: "client".to_owned(),
        client_secret: Secret::new("hunter2-client"),
        auth_method: oauth2::AuthMethod::default(),
        scope: None,
        audience: None,
    };
    TokenSource::new(|| Ok(reqwest::Client::builder()), &credentials).unwrap()
}

fn header(source: &TokenSource, now: Instant) -> Result<String, TokenError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let header = runtime.build().unwrap().block_on(source.header(now))?;
    Ok(header.to_str().unwrap().to_owned())
}

#[test]
fn callers_on_several_runtimes_share_one_request() {
    let server = server(Duration::from_millis(50));
    let source = source(&server);
    let now = Instant::now();
    let headers: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..16)
            .map(|_| scope.spawn(|| header(&source, now).unwrap()))
            .collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    assert_eq!(headers, vec!["Bearer token-0"; 16]);
    assert_eq!(server.count(), 1);
}

#[test]
fn callers_do_not_wait_while_a_token_that_expires_soon_is_replaced() {
    let server = server(Duration::from_millis(200));
    let source = source(&server);
    let now = Instant::now();
    assert_eq!(header(&source, now).unwrap(), "Bearer token-0");
    let soon = now + HOUR - Duration::from_secs(10);
    let started = Instant::now();
    assert_eq!(header(&source, soon).unwrap(), "Bearer token-0");
    assert!(started.elapsed() < Duration::from_millis(150));
    while source.current().unwrap() != "Bearer token-1" {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(header(&source, soon).unwrap(), "Bearer token-1");
    assert_eq!(server.count(), 2);
}

#[test]
fn a_request_outlives_the_caller_that_started_it() {
    let server = server(Duration::from_millis(100));
    let source = source(&server);
    let now = Instant::now();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build().unwrap();
    let cancelled = runtime.block_on(async {
        tokio::time::timeout(Duration::from_millis(20), source.header(now)).await
    });
    assert!(cancelled.is_err());
    drop(runtime);
    assert_eq!(header(&source, now).unwrap(), "Bearer token-0");
    assert_eq!(server.count(), 1);
}

#[test]
fn a_failed_request_is_not_repeated_at_once_and_its_error_has_no_secret() {
    let server = Endpoint::start(|request| {
        Answer::status(503).body(format!("{:?}", request.header("authorization")))
    })
    .unwrap();
    let source = source(&server);
    let now = Instant::now();
    for _ in 0..10 {
        let error = header(&source, now).unwrap_err();
        assert!(matches!(error, TokenError::Unavailable(_)), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("503 Service Unavailable"), "{text}");
        assert!(text.contains("[redacted]"), "{text}");
    }
    assert_eq!(server.count(), 1);
}
