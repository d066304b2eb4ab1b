//! Who may post: refused callers receive only the status, and nothing is published.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use testkit::endpoint::{Answer, Endpoint};
use testkit::issuer::{SigningKey, jwks, seconds_from_now};
use testkit::webhook;

use super::avro_bytes::{paul, user};
use super::fixture::{Fixture, Plain, Reply, Request};
use super::lambda::{Lambda, SHAPES};

const TOKENS: (&str, &str) = ("CALLER_TOKENS", "canary-first, canary-second");
const SECRET: &[u8] = b"a secret of at least 24 bytes";

fn with_token(request: Request, token: &str) -> Request {
    request.header("authorization", &format!("Bearer {token}"))
}

fn signed(body: &[u8], timestamp: i64) -> Request {
    let timestamp = seconds_from_now(timestamp).unwrap();
    let headers = webhook::headers(SECRET, "msg_1", timestamp, body).unwrap();
    (headers.iter()).fold(Request::post(body.to_vec()), |request, (name, value)| {
        request.header(name, value)
    })
}

/// Asserts that a response says nothing but that the request is refused.
fn assert_refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{reply:?}");
    let mut body = reply.json();
    body.as_object_mut().unwrap().remove("call_id");
    let expected = match status {
        401 => json!({
            "type": "urn:problem-type:frontdoor:unauthorized",
            "title": "The request is not authenticated",
            "status": 401,
            "detail": "The request has no credentials that this service accepts.",
        }),
        _ => json!({
            "type": "urn:problem-type:frontdoor:forbidden",
            "title": "The caller may not send this request",
            "status": 403,
            "detail": "The caller may not send requests to this service.",
        }),
    };
    assert_eq!(body, expected);
}

#[tokio::test]
async fn every_host_accepts_each_token_and_refuses_every_other() {
    let fixture = Fixture::new();
    let settings = [&fixture.settings("ingest")[..], &[TOKENS]].concat();
    let plain = Plain::start(&settings).await;
    let mut function = fixture.function_with(&[TOKENS]).await;
    for token in ["canary-first", "canary-second"] {
        let request = with_token(Request::post(paul()), token);
        assert_eq!(plain.call(&request).await.status, 202);
        let call = request.through_gateway();
        assert_eq!(function.call(call).await.unwrap().status, 202);
        assert_eq!(function.call(request.invoked()).await.unwrap().status, 202);
    }
    let refused = [
        Request::post(paul()),
        with_token(Request::post(paul()), "canary-firs"),
        with_token(Request::post(paul()), "canary-first, canary-second"),
        with_token(Request::post(paul()), &"x".repeat(5_000)),
        with_token(Request::post(paul()), ""),
        Request::post(paul()).header("authorization", "Basic Y2FuYXJ5LWZpcnN0Og=="),
        with_token(
            with_token(Request::post(paul()), "canary-first"),
            "canary-first",
        ),
        // The body is not judged.
        with_token(Request::post("no Avro"), "wrong"),
        with_token(Request::post(paul()), "wrong").header("content-type", "text/html"),
        with_token(Request::post(paul()), "wrong").header("content-encoding", "br"),
        with_token(Request::post(paul()), "wrong").header("idempotency-key", "\"open"),
        with_token(Request::post(vec![0; 7_000_000]), "wrong"),
        with_token(Request::post(""), "wrong").method("PUT"),
    ];
    for request in &refused {
        let reply = plain.call(request).await;
        assert_refused(&reply, 401);
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        let through_gateway = function.call(request.through_gateway()).await.unwrap();
        assert_refused(&through_gateway.into(), 401);
    }
    for shape in SHAPES {
        let mut lambda = Lambda::start(&settings).await;
        assert_refused(&lambda.call(shape, &refused[1]).await, 401);
        let request = with_token(Request::post(paul()), "canary-second");
        assert_eq!(lambda.call(shape, &request).await.status, 202, "{shape:?}");
    }
    assert_eq!(fixture.stored().len(), 6 + SHAPES.len());
    for log in [plain.log(), function.log()] {
        assert!(
            log.contains("the bearer token is none of the configured ones"),
            "{log}"
        );
        assert!(!log.contains("canary"), "{log}");
    }
}

#[tokio::test]
async fn the_schema_needs_a_token_and_health_checks_do_not() {
    let fixture = Fixture::new();
    let settings = [&fixture.settings("ingest")[..], &[TOKENS]].concat();
    let plain = Plain::start(&settings).await;
    assert_eq!(plain.get("/health").await.status, 200);
    let end = Instant::now() + Duration::from_secs(10);
    while plain.get("/ready").await.status != 200 {
        assert!(Instant::now() < end);
    }
    assert_refused(&plain.get("/schema").await, 401);
    let get = with_token(Request::post("").method("GET"), "canary-first");
    assert_eq!(plain.call_path("/schema", &get).await.status, 200);
    assert_eq!(plain.call(&get).await.status, 405);
}

#[tokio::test]
async fn a_request_that_is_not_utf_8_is_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fixture = Fixture::new();
    let settings = [&fixture.settings("ingest")[..], &[TOKENS]].concat();
    let plain = Plain::start(&settings).await;
    for field in [
        &b"authorization: Bearer \xff\xfe\xfd"[..],
        b"authorization: \xff\xfe x",
        b"webhook-signature: \xff\r\nwebhook-id: \xff\r\nwebhook-timestamp: \xff",
    ] {
        let mut stream = tokio::net::TcpStream::connect(&plain.address)
            .await
            .unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 1\r\n";
        let request = [head, field, b"\r\n\r\n\x01"].concat();
        stream.write_all(&request).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 401 "), "{reply}");
    }
}

#[tokio::test]
async fn accepts_a_signature_over_the_body_as_it_was_sent() {
    let fixture = Fixture::new();
    let old = webhook::secret(&[1; 32]);
    let secrets = format!("{old} {}", webhook::secret(SECRET));
    let secrets = [("CALLER_WEBHOOK_SECRETS", secrets.as_str())];
    let settings = [
        &fixture.settings("ingest")[..],
        &secrets,
        &[("MAX_BODY", "1kB")],
    ]
    .concat();
    let plain = Plain::start(&settings).await;
    let mut function = fixture.function_with(&secrets).await;
    let gzip = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&paul()).unwrap();
        encoder.finish().unwrap()
    };
    let json = json!({"id": 1, "name": "n", "email": "e"}).to_string();
    let accepted = [
        signed(&paul(), 0),
        signed(&paul(), -290),
        signed(&gzip, 0).header("content-encoding", "gzip"),
        signed(STANDARD.encode(paul()).as_bytes(), 0).header("content-transfer-encoding", "base64"),
        signed(json.as_bytes(), 0).header("content-type", "application/json"),
    ];
    for request in &accepted {
        let reply = plain.call(request).await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let call = request.through_gateway();
        assert_eq!(function.call(call).await.unwrap().status, 202);
    }
    // API Gateway sends these bytes as base64: the signature covers what the client sent.
    for shape in SHAPES {
        let mut lambda = Lambda::start(&settings).await;
        let reply = lambda.call(shape, &accepted[0]).await;
        assert_eq!(reply.status, 202, "{shape:?} {reply:?}");
    }
    let mut other_body = signed(&paul(), 0);
    other_body.body = user(1, "another", "body").into();
    let mut no_avro = signed(b"text", 0).header("content-type", "text/html");
    no_avro.body = "other text".into();
    for request in [
        Request::post(paul()),
        other_body,
        no_avro,
        signed(&paul(), -310),
        signed(&paul(), 310),
        signed(&paul(), 0).header("webhook-id", "msg_1"),
        // The secret is not a token.
        with_token(Request::post(paul()), &webhook::secret(SECRET)),
    ] {
        let reply = plain.call(&request).await;
        assert_refused(&reply, 401);
        let challenge = &reply.headers["www-authenticate"];
        assert_eq!(challenge, "StandardWebhooks realm=\"frontdoor\"");
    }
    // The limit of the body applies before the signature can be verified.
    assert_eq!(plain.call(&signed(&[b'x'; 1_001], 0)).await.status, 413);
    // The body is validated after the signature.
    assert_eq!(plain.call(&signed(b"text", 0)).await.status, 422);
    let schema = Request {
        method: "GET".to_owned(),
        ..signed(b"", 0)
    };
    assert_eq!(plain.call_path("/schema", &schema).await.status, 200);
    assert_eq!(fixture.stored().len(), 2 * accepted.len() + SHAPES.len());
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://issuer.example", "aud": "orders", "exp": seconds_from_now(60).unwrap(),
    });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// The settings of tokens of the issuer whose keys are at this URL.
fn jwt_settings(url: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("CALLER_JWT_JWKS_URL", url),
        ("CALLER_JWT_ISSUER", "https://issuer.example"),
        ("CALLER_JWT_AUDIENCE", "orders"),
        ("CALLER_JWT_SCOPE", "orders.write"),
    ]
}

#[tokio::test]
async fn accepts_tokens_of_an_authorization_server() {
    let fixture = Fixture::new();
    let key = SigningKey::generate("a", "ES256").unwrap();
    let endpoint = Endpoint::always(Answer::ok().body(jwks(&[&key]).unwrap())).unwrap();
    let url = endpoint.url();
    let settings = [
        &fixture.settings("ingest")[..],
        &jwt_settings(&url),
        &[TOKENS],
    ]
    .concat();
    let plain = Plain::start(&settings).await;
    let call = async |more: Value| {
        let token = key.sign(&claims(&more)).unwrap();
        plain.call(&with_token(Request::post(paul()), &token)).await
    };
    assert_eq!(call(json!({"scope": "orders.write"})).await.status, 202);
    // Any one of the methods is enough.
    let request = with_token(Request::post(paul()), "canary-first");
    assert_eq!(plain.call(&request).await.status, 202);

    let expired = call(json!({"exp": 1, "scope": "orders.write"})).await;
    assert_refused(&expired, 401);
    let challenge = &expired.headers["www-authenticate"];
    assert_eq!(
        challenge,
        "Bearer realm=\"frontdoor\", error=\"invalid_token\""
    );
    let unscoped = call(json!({"scope": "orders.read"})).await;
    assert_refused(&unscoped, 403);
    let challenge = &unscoped.headers["www-authenticate"];
    assert_eq!(
        challenge,
        "Bearer realm=\"frontdoor\", error=\"insufficient_scope\""
    );
    assert_refused(&call(json!({"aud": "invoices"})).await, 401);

    assert_eq!(endpoint.count(), 1);
    assert_eq!(fixture.stored().len(), 2);
    let log = plain.log();
    assert!(log.contains("the JWT has expired"), "{log}");
    assert!(log.contains("the JWT is for another audience"), "{log}");
}

#[tokio::test]
async fn a_token_that_cannot_be_verified_now_is_answered_with_503() {
    let fixture = Fixture::new();
    let key = SigningKey::generate("a", "ES256").unwrap();
    let endpoint = Endpoint::always(Answer::ok().body(jwks(&[&key]).unwrap())).unwrap();
    endpoint.refuse_connections(true);
    let url = endpoint.url();
    let settings = [
        &fixture.settings("ingest")[..],
        &jwt_settings(&url),
        &[TOKENS],
    ]
    .concat();
    let plain = Plain::start(&settings).await;
    let token = key
        .sign(&claims(&json!({"scope": "orders.write"})))
        .unwrap();
    let request = with_token(Request::post(paul()), &token);
    let reply = plain.call(&request).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(
        reply.json()["type"],
        "urn:problem-type:frontdoor:caller-keys-unavailable"
    );
    assert_eq!(reply.headers["retry-after"], "1");
    // Other callers are not affected.
    let other = with_token(Request::post(paul()), "canary-first");
    assert_eq!(plain.call(&other).await.status, 202);
    assert_eq!(fixture.stored().len(), 1);
    endpoint.refuse_connections(false);
    let end = Instant::now() + Duration::from_secs(20);
    while plain.call(&request).await.status != 202 {
        assert!(Instant::now() < end, "{}", plain.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn no_log_level_shows_credentials() {
    let fixture = Fixture::new();
    let key = SigningKey::generate("a", "ES256").unwrap();
    let endpoint = Endpoint::always(Answer::ok().body(jwks(&[&key]).unwrap())).unwrap();
    let (url, secret) = (endpoint.url(), webhook::secret(SECRET));
    let more = [
        TOKENS,
        ("CALLER_WEBHOOK_SECRETS", &secret),
        ("LOG_LEVEL", "trace"),
    ];
    let settings = [&fixture.settings("ingest")[..], &jwt_settings(&url), &more].concat();
    let plain = Plain::start(&settings).await;
    let good = key
        .sign(&claims(&json!({"scope": "orders.write"})))
        .unwrap();
    let expired = key.sign(&claims(&json!({"exp": 1}))).unwrap();
    let signature = signed(&paul(), 0);
    for (request, status) in [
        (with_token(Request::post(paul()), "canary-first"), 202),
        (with_token(Request::post(paul()), "canary-guess"), 401),
        (with_token(Request::post(paul()), &good), 202),
        (with_token(Request::post(paul()), &expired), 401),
        (signature.clone(), 202),
    ] {
        assert_eq!(plain.call(&request).await.status, status);
    }
    let log = plain.log();
    let (_, secret) = secret.split_at(10);
    let (_, signature) = &signature.headers[2];
    for text in ["canary", &good, &expired, secret, signature] {
        assert!(!log.contains(text), "{text}: {log}");
    }
}

#[tokio::test]
async fn warns_of_a_listener_that_accepts_every_caller_of_the_network() {
    const WARNING: &str = "every caller that reaches this address is accepted";
    let fixture = Fixture::new();
    for (more, expected) in [
        (&[("LISTEN", "0.0.0.0:0")][..], 1),
        (&[("LISTEN", "[::]:0")], 1),
        (&[("LISTEN", "0.0.0.0:0"), TOKENS], 0),
        (&[("LISTEN", "127.0.0.1:0")], 0),
        (&[("LISTEN", "[::1]:0")], 0),
    ] {
        let plain = Plain::start(&[&fixture.settings("ingest")[..], more].concat()).await;
        let log = plain.log();
        assert_eq!(log.matches(WARNING).count(), expected, "{more:?}: {log}");
    }
}
