//! What endpoints receive with each kind of authorization, and access tokens of a scripted authorization server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use testkit::endpoint::Request;
use testkit::webhook;

use super::*;

const KEY: [u8; 32] = [7; 32];
const OLD_KEY: [u8; 32] = [8; 32];

/// Runs with one route to endpoint A that has these members.
fn run_with(stage: &Stage, members: &Value, arguments: &[&str]) -> Run {
    let mut route = json!({"name": "A", "when": "id == 1010", "url": stage.a.url()});
    let route_members = route.as_object_mut().unwrap();
    route_members.extend(members.as_object().unwrap().clone());
    run_routes(stage, &json!([route]), arguments)
}

pub(super) fn run_routes(stage: &Stage, routes: &Value, arguments: &[&str]) -> Run {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, json!({"version": 1, "routes": routes}).to_string()).unwrap();
    let mut command = stage.forward(arguments);
    command
        .env_remove("API_TYPE_A_URL")
        .env_remove("API_TYPE_B_URL")
        .env("ROUTES", file.path())
        .env("THE_SECRET", "canary-secret");
    let run = Run::from_output(&command.output().unwrap());
    assert!(!run.log.contains("canary"), "{}", run.log);
    assert!(!run.report.to_string().contains("canary"));
    run
}

fn oauth2(server: &Endpoint) -> Value {
    json!({"oauth2": {
        "token_url": format!("{}token", server.url()), "client_id": "job",
        "client_secret": "${env:THE_SECRET}", "scope": "orders.write", "audience": "https://api/",
    }})
}

/// An authorization server whose tokens are `canary-0`, `canary-1` and so on.
fn token_server(expires_in: f64) -> Endpoint {
    Endpoint::start(move |request| {
        let number = request.number;
        let body = json!({"access_token": format!("canary-{number}"), "token_type": "Bearer", "expires_in": expires_in});
        Answer::ok().body(body.to_string())
    })
    .unwrap()
}

/// The number of the token of a request.
fn token_number(request: &Request) -> Option<usize> {
    let text = request.header("authorization")?;
    text.strip_prefix("Bearer canary-")?.parse().ok()
}

/// Accepts tokens from this number on.
fn accepting_from(first: &Arc<AtomicUsize>) -> Endpoint {
    let first = Arc::clone(first);
    Endpoint::start(move |request| match token_number(request) {
        Some(number) if number >= first.load(Ordering::SeqCst) => Answer::ok(),
        _ => Answer::status(401).body("invalid token"),
    })
    .unwrap()
}

pub(super) fn users(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|index| user(1010, &format!("{index}")))
        .collect()
}

#[test]
fn fixed_credentials_are_sent_with_each_request() {
    for (auth, name, expected) in [
        (
            json!({"bearer": "${env:THE_SECRET}"}),
            "authorization",
            "Bearer canary-secret".to_owned(),
        ),
        (
            json!({"basic": {"username": "job", "password": "${env:THE_SECRET}"}}),
            "authorization",
            format!("Basic {}", STANDARD.encode("job:canary-secret")),
        ),
        (
            json!({"header": {"name": "X-API-Key", "value": "${env:THE_SECRET}"}}),
            "x-api-key",
            "canary-secret".to_owned(),
        ),
    ] {
        let stage = Stage::accepting();
        stage.write(&users(3));
        run_with(&stage, &json!({"auth": auth}), &[]).assert(0, &json!({"delivered": 3}));
        for request in stage.a.requests() {
            assert_eq!(request.header(name), Some(&*expected));
        }
    }
}

#[test]
fn each_attempt_is_signed_with_both_webhook_secrets_under_the_same_id() {
    let stage = Stage::new(
        Endpoint::sequence(vec![Answer::status(503), Answer::ok()]).unwrap(),
        Endpoint::always(Answer::ok()).unwrap(),
    );
    stage.write(&users(1));
    let secrets = [webhook::secret(&KEY), webhook::secret(&OLD_KEY)];
    let members =
        json!({"sign": {"standard_webhooks": secrets}, "auth": {"bearer": "${env:THE_SECRET}"}});
    run_with(&stage, &members, &[]).assert(0, &json!({"delivered": 1}));
    let requests = stage.a.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let id = request.header("webhook-id").unwrap();
        assert_eq!(
            Some(&*format!("\"{id}\"")),
            request.header("idempotency-key")
        );
        let timestamp: i64 = request
            .header("webhook-timestamp")
            .unwrap()
            .parse()
            .unwrap();
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert!((now.as_secs() as i64 - timestamp).abs() < 60);
        let signature = |key: &[u8]| {
            let [_, _, (_, value)] = webhook::headers(key, id, timestamp, &request.body).unwrap();
            value
        };
        let both = format!("{} {}", signature(&KEY), signature(&OLD_KEY));
        assert_eq!(request.header("webhook-signature"), Some(&*both));
        assert_eq!(
            request.header("authorization"),
            Some("Bearer canary-secret")
        );
    }
    assert_eq!(
        requests[0].header("webhook-id"),
        requests[1].header("webhook-id")
    );
}

#[test]
fn routes_with_the_same_credentials_share_one_token() {
    let stage = Stage::accepting();
    let server = token_server(3600.0);
    let records: Vec<_> = (0..200)
        .map(|index| user(1010 + index % 2 * 10, "x"))
        .collect();
    stage.write(&records);
    let routes = json!([
        {"name": "A", "when": "id == 1010", "url": stage.a.url(), "auth": oauth2(&server)},
        {"name": "B", "when": "id == 1020", "url": stage.b.url(), "auth": oauth2(&server)},
    ]);
    run_routes(&stage, &routes, &[]).assert(0, &json!({"delivered": 200}));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        requests[0].body,
        "grant_type=client_credentials&scope=orders.write&audience=https%3A%2F%2Fapi%2F"
    );
    let basic = format!("Basic {}", STANDARD.encode("job:canary-secret"));
    assert_eq!(requests[0].header("authorization"), Some(&*basic));
    let used: Vec<_> = stage
        .a
        .requests()
        .iter()
        .chain(&stage.b.requests())
        .map(token_number)
        .collect();
    assert_eq!(used, vec![Some(0); 200]);
}

#[test]
fn a_token_is_replaced_before_it_expires() {
    let stage = Stage::accepting();
    let server = token_server(1.0);
    stage.write(&users(30));
    run_with(
        &stage,
        &json!({"auth": oauth2(&server)}),
        &["--rate-limit", "15"],
    )
    .assert(0, &json!({"delivered": 30}));
    let issued: Vec<_> = server.requests().iter().map(|request| request.at).collect();
    assert!((2..=4).contains(&issued.len()), "{issued:?}");
    for request in stage.a.requests() {
        let age = request.at - issued[token_number(&request).unwrap()];
        assert!(age < Duration::from_millis(1200), "{age:?}");
    }
}

#[test]
fn a_refused_token_is_replaced_once_and_no_record_is_lost() {
    let first = Arc::new(AtomicUsize::new(0));
    let endpoint = accepting_from(&first);
    let stage = Stage::new(endpoint, Endpoint::always(Answer::ok()).unwrap());
    let server = token_server(3600.0);
    stage.write(&users(100));
    first.store(1, Ordering::SeqCst);
    run_with(&stage, &json!({"auth": oauth2(&server)}), &[]).assert(0, &json!({"delivered": 100}));
    assert_eq!(server.count(), 2);

    // An endpoint that refuses the second token too.
    first.store(usize::MAX, Ordering::SeqCst);
    stage.write(&users(100));
    let run = run_with(&stage, &json!({"auth": oauth2(&server)}), &[]);
    run.assert(75, &json!({"delivered": 0, "deferred": 100}));
    assert_eq!(server.count(), 4);
    assert!(run.log.contains("refused a new token too"), "{}", run.log);
    first.store(0, Ordering::SeqCst);
    run_with(&stage, &json!({"auth": oauth2(&server)}), &[]).assert(0, &json!({"delivered": 100}));
}

#[test]
fn without_a_token_no_request_is_sent_and_the_records_are_deferred() {
    let stage = Stage::accepting();
    let is_up = Arc::new(AtomicUsize::new(0));
    let up = Arc::clone(&is_up);
    let server = Endpoint::start(move |request| match up.load(Ordering::SeqCst) {
        0 => Answer::status(401).body(format!(
            r#"{{"error":"invalid_client","error_description":"unknown: {} canary-secret"}}"#,
            request.header("authorization").unwrap_or_default()
        )),
        1 => Answer::hang(),
        _ => Answer::ok().body(r#"{"access_token":"canary-0"}"#),
    })
    .unwrap();
    stage.write(&users(10));
    let members = json!({"auth": oauth2(&server)});
    let run = run_with(&stage, &members, &["--max-attempts", "2"]);
    run.assert(75, &json!({"delivered": 0, "deferred": 10}));
    let reason = "401 Unauthorized invalid_client unknown: Basic am9iO[redacted]= [redacted]";
    assert!(run.log.contains(reason), "{}", run.log);
    assert!(
        run.log
            .contains("authorizing the request: requesting a token from"),
        "{}",
        run.log
    );

    is_up.store(1, Ordering::SeqCst);
    let arguments = ["--max-attempts", "1", "--request-timeout", "300ms"];
    let run = run_with(&stage, &members, &arguments);
    run.assert(75, &json!({"delivered": 0, "deferred": 10}));
    assert!(
        run.log.contains("no credentials within 300ms"),
        "{}",
        run.log
    );
    assert_eq!(stage.a.count(), 0);

    is_up.store(2, Ordering::SeqCst);
    run_with(&stage, &members, &[]).assert(0, &json!({"delivered": 10}));
}
