//! Tokens and a JWKS URL, over real sockets.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssl::ssl::{SslAcceptor, SslMethod};
use serde_json::{Value, json};
use testkit::certificates::CertificateAuthority;
use testkit::endpoint::{Answer, Endpoint};
use testkit::issuer::{self, SigningKey, jwks, seconds_from_now};

use super::*;

const ISSUER: &str = "https://issuer.example";

/// A JWKS URL with a changeable answer, and a verifier of its tokens.
struct Fixture {
    endpoint: Endpoint,
    answer: Arc<Mutex<Answer>>,
    verifier: JwtVerifier,
}

impl Fixture {
    fn new(keys: &[&SigningKey], scopes: &[&str]) -> Self {
        let answer = Arc::new(Mutex::new(Answer::ok().body(jwks(keys).unwrap())));
        let scripted = Arc::clone(&answer);
        let endpoint = Endpoint::start(move |_| scripted.lock().unwrap().clone()).unwrap();
        let verifier = JwtVerifier::new(JwtConfig {
            jwks_url: format!("{}jwks.json", endpoint.url()).parse().unwrap(),
            ca: None,
            issuer: ISSUER.to_owned(),
            audiences: vec!["orders".to_owned(), "invoices".to_owned()],
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        });
        Self {
            endpoint,
            answer,
            verifier: verifier.unwrap(),
        }
    }

    fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    async fn verify(&self, token: &str) -> Result<(), JwtError> {
        self.verifier.verify(token.as_bytes()).await
    }
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "orders", "sub": "me", "exp": seconds_from_now(60).unwrap()})
}

/// The claims with another value of one of them; without it if that is null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn accepts_every_algorithm_of_a_public_key() {
    for algorithm in [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    ] {
        let key = SigningKey::generate("a", algorithm).unwrap();
        let fixture = Fixture::new(&[&key], &[]);
        let token = key.sign(&claims()).unwrap();
        assert_eq!(fixture.verify(&token).await, Ok(()), "{algorithm}");
        // Each part is signed.
        for (position, _) in token.match_indices('.') {
            let mut changed = token.clone().into_bytes();
            let byte = &mut changed[position - 2];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(fixture.verify(&changed).await.is_err(), "{algorithm}");
        }
        let other = SigningKey::generate("a", algorithm).unwrap();
        let forged = other.sign(&claims()).unwrap();
        let refused = fixture.verify(&forged).await.unwrap_err();
        assert_eq!(
            refused,
            JwtError::Invalid("the signature of the JWT is not valid")
        );
    }
}

#[tokio::test]
async fn refuses_tokens_whose_header_selects_another_algorithm() {
    let key = SigningKey::generate("a", "RS256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let claims = claims();
    let none = issuer::unsigned(&json!({"alg": "none", "kid": "a"}), &claims);
    // The public key as a shared secret: everyone knows it.
    let pem = key.public_pem().unwrap();
    let modulus = key.jwk().unwrap()["n"]
        .as_str()
        .unwrap()
        .as_bytes()
        .to_vec();
    let tokens = [
        format!("{none}."),
        none,
        issuer::sign_hs256(&pem, "a", &claims).unwrap(),
        issuer::sign_hs256(&modulus, "a", &claims).unwrap(),
        issuer::sign_hs256(b"x", "a", &claims).unwrap(),
        key.sign_with(&json!({"alg": "RS384", "kid": "a"}), &claims)
            .unwrap(),
        key.sign_with(&json!({"alg": "ES256", "kid": "a"}), &claims)
            .unwrap(),
        key.sign_with(&json!({"alg": "EdDSA", "kid": "a"}), &claims)
            .unwrap(),
        key.sign_with(
            &json!({"alg": "RS256", "kid": "a", "crit": ["exp"]}),
            &claims,
        )
        .unwrap(),
        key.sign_with(&json!({"alg": ["RS256"], "kid": "a"}), &claims)
            .unwrap(),
        // A token cannot bring its own key.
        key.sign_with(
            &json!({"alg": "RS256", "kid": "b", "jwk": key.jwk().unwrap()}),
            &claims,
        )
        .unwrap(),
    ];
    for token in tokens {
        assert!(fixture.verify(&token).await.is_err(), "{token}");
    }
    assert_eq!(fixture.verify(&key.sign(&claims).unwrap()).await, Ok(()));
}

#[tokio::test]
async fn checks_the_claims() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let at = |seconds| json!(seconds_from_now(seconds).unwrap());
    for claims in [
        claims(),
        with("aud", json!(["other", "invoices"])),
        with("exp", at(-30)),
        with("nbf", at(30)),
        with("nbf", at(-30)),
        with("iat", at(1_000)),
    ] {
        let token = key.sign(&claims).unwrap();
        assert_eq!(fixture.verify(&token).await, Ok(()), "{claims}");
    }
    for claims in [
        json!({}),
        json!([]),
        with("iss", Value::Null),
        with("iss", json!("https://other.example")),
        with("iss", json!(format!("{ISSUER}/"))),
        with("iss", json!(1)),
        with("aud", Value::Null),
        with("aud", json!("other")),
        with("aud", json!([])),
        with("aud", json!({"orders": 1})),
        with("exp", Value::Null),
        with("exp", json!("soon")),
        with("exp", json!(-1)),
        with("exp", at(-90)),
        with("exp", json!(0)),
        with("nbf", at(90)),
        with("nbf", json!("never")),
    ] {
        let token = key.sign(&claims).unwrap();
        let refused = fixture.verify(&token).await;
        assert!(
            matches!(refused, Err(JwtError::Invalid(_))),
            "{claims}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_required_scope_is_in_scope_or_scp() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &["orders.write", "orders.read"]);
    for (name, value, expected) in [
        ("scope", json!("orders.read orders.write"), Ok(())),
        ("scp", json!(["orders.write", "x", "orders.read"]), Ok(())),
        ("scp", json!("orders.write orders.read"), Ok(())),
        ("scope", json!("orders.write"), Err(JwtError::Scope)),
        (
            "scope",
            json!("orders.writer orders.read"),
            Err(JwtError::Scope),
        ),
        ("scope", json!(7), Err(JwtError::Scope)),
        (
            "other",
            json!("orders.read orders.write"),
            Err(JwtError::Scope),
        ),
    ] {
        let token = key.sign(&with(name, value)).unwrap();
        assert_eq!(fixture.verify(&token).await, expected, "{token}");
    }
}

#[tokio::test]
async fn malformed_tokens_cause_no_request() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let long = format!("e30.{}.e30", "A".repeat(20_000));
    for token in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.e30",
        "opaque",
        "\u{0}.\u{0}.",
        &long,
    ] {
        assert!(fixture.verify(token).await.is_err(), "{token:?}");
    }
    assert!(
        fixture
            .verifier
            .verify(&[0xff, b'.', 0xfe, b'.', 0xfd])
            .await
            .is_err()
    );
    assert_eq!(fixture.endpoint.count(), 0);
}

#[tokio::test]
async fn concurrent_calls_share_one_request_and_unknown_keys_cause_no_more() {
    let (key, other) = (
        SigningKey::generate("a", "ES256").unwrap(),
        SigningKey::generate("b", "ES256").unwrap(),
    );
    let fixture = Fixture::new(&[&key], &[]);
    let slow = Answer::ok().body(jwks(&[&key]).unwrap());
    fixture.answer(slow.after(Duration::from_millis(50)));
    let (good, bad) = (key.sign(&claims()).unwrap(), other.sign(&claims()).unwrap());
    let calls = (0..100).map(|number| fixture.verify(if number % 2 == 0 { &good } else { &bad }));
    let results = futures_util::future::join_all(calls).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 50);
    assert_eq!(fixture.endpoint.count(), 1);
    for _ in 0..100 {
        assert!(matches!(
            fixture.verify(&bad).await,
            Err(JwtError::Invalid(_))
        ));
    }
    assert_eq!(fixture.endpoint.count(), 1);
}

#[tokio::test]
async fn a_call_that_is_cancelled_during_the_request_does_not_affect_the_next() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let token = key.sign(&claims()).unwrap();
    fixture.answer(Answer::hang());
    let soon = Duration::from_millis(100);
    let cancelled = tokio::time::timeout(soon, fixture.verify(&token)).await;
    assert!(cancelled.is_err());
    fixture.answer(Answer::ok().body(jwks(&[&key]).unwrap()));
    assert_eq!(fixture.verify(&token).await, Ok(()));
}

/// The endpoint runs in another thread with the real time; only the waits of the verifier are skipped.
async fn later(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_new_key_is_fetched_when_its_first_token_arrives() {
    let (old, new) = (
        SigningKey::generate("old", "ES256").unwrap(),
        SigningKey::generate("new", "EdDSA").unwrap(),
    );
    let fixture = Fixture::new(&[&old], &[]);
    let (first, second) = (old.sign(&claims()).unwrap(), new.sign(&claims()).unwrap());
    assert_eq!(fixture.verify(&first).await, Ok(()));
    fixture.answer(Answer::ok().body(jwks(&[&new]).unwrap()));
    later(Duration::from_secs(11)).await;
    assert_eq!(fixture.verify(&second).await, Ok(()));
    // The old key is no longer in the JWKS.
    assert!(fixture.verify(&first).await.is_err());
    assert_eq!(fixture.endpoint.count(), 2);
}

#[tokio::test]
async fn keys_are_fetched_again_when_they_are_old_and_used_while_that_fails() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let body = jwks(&[&key]).unwrap();
    fixture.answer(
        Answer::ok()
            .header("cache-control", "max-age=120")
            .body(body),
    );
    let token = key
        .sign(&with("exp", json!(seconds_from_now(1_000_000).unwrap())))
        .unwrap();
    assert_eq!(fixture.verify(&token).await, Ok(()));
    later(Duration::from_secs(119)).await;
    assert_eq!(fixture.verify(&token).await, Ok(()));
    assert_eq!(fixture.endpoint.count(), 1);
    fixture.answer(Answer::status(500));
    for requests in 2..5 {
        later(Duration::from_secs(11)).await;
        for _ in 0..3 {
            assert_eq!(fixture.verify(&token).await, Ok(()));
        }
        assert_eq!(fixture.endpoint.count(), requests);
    }
    later(Duration::from_secs(25 * 60 * 60)).await;
    let refused = fixture.verify(&token).await;
    assert!(
        matches!(refused, Err(JwtError::Unavailable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn without_keys_a_token_is_neither_accepted_nor_refused() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let token = key.sign(&claims()).unwrap();
    let large = format!("{{\"keys\":[{}]}}", " ".repeat(10 << 20));
    for (answer, reason) in [
        (Answer::status(404), "404"),
        (Answer::status(302).header("location", "/other"), "302"),
        (Answer::reset(), "fetching"),
        (Answer::garbage(), "fetching"),
        (Answer::ok().body("<html>"), "not a JWKS"),
        (Answer::ok().body([0xff, 0xfe]), "not a JWKS"),
        (Answer::ok().body(large), "larger than 262144 bytes"),
        (
            Answer::ok().body(jwks(&[&key]).unwrap()).stalling_in_body(),
            "5 s",
        ),
    ] {
        fixture.answer(answer);
        match fixture.verify(&token).await {
            Err(JwtError::Unavailable(text)) => assert!(text.contains(reason), "{text}"),
            other => panic!("{reason}: {other:?}"),
        }
        // Another call at once makes no request.
        let count = fixture.endpoint.count();
        assert!(matches!(
            fixture.verify(&token).await,
            Err(JwtError::Unavailable(_))
        ));
        assert_eq!(fixture.endpoint.count(), count);
        later(Duration::from_secs(2)).await;
    }
    fixture.answer(Answer::ok().body(jwks(&[&key]).unwrap()));
    assert_eq!(fixture.verify(&token).await, Ok(()));
}

/// Serves a JWKS over TLS on a free port. Returns the port.
fn serve_tls(authority: &CertificateAuthority, jwks: String) -> u16 {
    let server = authority.server("issuer").unwrap();
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&server.certificate).unwrap();
    builder.set_private_key(&server.key).unwrap();
    let acceptor = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else {
                continue;
            };
            let _ = stream.read(&mut [0; 4096]);
            let length = jwks.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{jwks}"
            );
        }
    });
    port
}

#[tokio::test]
async fn the_jwks_url_must_have_a_certificate_of_the_configured_authority() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let (authority, other) = (
        CertificateAuthority::new("one").unwrap(),
        CertificateAuthority::new("one").unwrap(),
    );
    let port = serve_tls(&authority, jwks(&[&key]).unwrap());
    let token = key.sign(&claims()).unwrap();
    let verifier = |ca: Option<String>| {
        JwtVerifier::new(JwtConfig {
            jwks_url: format!("https://localhost:{port}/").parse().unwrap(),
            ca,
            issuer: ISSUER.to_owned(),
            audiences: vec!["orders".to_owned()],
            scopes: Vec::new(),
        })
    };
    let trusting = verifier(Some(authority.pem().unwrap())).unwrap();
    assert_eq!(trusting.verify(token.as_bytes()).await, Ok(()));
    for ca in [None, Some(other.pem().unwrap())] {
        match verifier(ca).unwrap().verify(token.as_bytes()).await {
            Err(JwtError::Unavailable(reason)) => {
                assert!(reason.contains("certificate verify failed"), "{reason}");
            }
            result => panic!("{result:?}"),
        }
    }
    for text in ["", "no PEM"] {
        assert!(verifier(Some(text.to_owned())).is_err(), "{text:?}");
    }
}

#[tokio::test]
async fn a_verifier_with_the_same_url_keeps_the_keys() {
    let key = SigningKey::generate("a", "ES256").unwrap();
    let fixture = Fixture::new(&[&key], &[]);
    let token = key.sign(&claims()).unwrap();
    assert_eq!(fixture.verify(&token).await, Ok(()));
    fixture.endpoint.refuse_connections(true);
    let config = |url: String| JwtConfig {
        jwks_url: url.parse().unwrap(),
        ca: None,
        issuer: ISSUER.to_owned(),
        audiences: vec!["orders".to_owned()],
        scopes: vec!["orders.write".to_owned()],
    };
    let mut next =
        JwtVerifier::new(config(format!("{}jwks.json", fixture.endpoint.url()))).unwrap();
    next.keep_keys(&fixture.verifier);
    assert_eq!(next.verify(token.as_bytes()).await, Err(JwtError::Scope));
    let mut other = JwtVerifier::new(config(fixture.endpoint.url())).unwrap();
    other.keep_keys(&fixture.verifier);
    let refused = other.verify(token.as_bytes()).await;
    assert!(
        matches!(refused, Err(JwtError::Unavailable(_))),
        "{refused:?}"
    );
}
