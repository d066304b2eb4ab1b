//! What an endpoint receives.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use delivery::Delivery;
use delivery::request::FixedHeader;
use record::{Message, Payload};
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::harness::{Harness, config, message, reason, word};

#[test]
fn posts_the_datum_with_its_headers() {
    let endpoint = Endpoint::always(Answer::status(204)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].url = format!("{}in/here?x=1", endpoint.url());
        let token = Secret::new("hunter2");
        config.endpoints[0].authorization = Arc::new(FixedHeader::bearer(&token).expect("token"));
    });
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let bytes = Bytes::from_static(b"\x00\xff\r\n\r\n");
    harness.offer([Message {
        value: Some(bytes.clone()),
        headers: vec![
            (
                "content-type".into(),
                Some(Bytes::from_static(b"avro/binary")),
            ),
            (
                "traceparent".into(),
                Some(Bytes::from_static(trace.as_bytes())),
            ),
        ],
        ..message(3, 42)
    }]);
    assert_eq!(word(&harness.outcome()), "delivered");
    let request = endpoint.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("POST", "/in/here?x=1")
    );
    assert_eq!(request.body, bytes);
    let expected = [
        ("host", endpoint.address().to_string()),
        ("content-type", "application/octet-stream".into()),
        ("content-length", "6".into()),
        ("idempotency-key", "\"cluster/topic/3/42\"".into()),
        ("authorization", "Bearer hunter2".into()),
        (
            "user-agent",
            format!("frontdoor/{}", env!("CARGO_PKG_VERSION")),
        ),
        ("traceparent", trace.into()),
    ];
    for (name, value) in &expected {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!(
        request.headers.len(),
        expected.len(),
        "{:?}",
        request.headers
    );
}

#[test]
fn sends_the_clients_idempotency_key() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([Message {
        client_key: Some("order \"7\"".into()),
        ..message(0, 1)
    }]);
    harness.completions(1);
    let request = endpoint.requests().remove(0);
    assert_eq!(request.header("idempotency-key"), Some(r#""order \"7\"""#));
    assert_eq!(request.header("traceparent"), None);
    assert_eq!(request.header("authorization"), None);
}

#[test]
fn connections_are_reused_and_limited() {
    let endpoint = Endpoint::always(Answer::ok().body("taken").after(Duration::from_millis(1)))
        .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 3
    });
    harness.offer((0..200).map(|offset| message(0, offset)));
    harness.assert_outcomes(200, "delivered");
    assert_eq!(endpoint.count(), 200);
    assert!(
        endpoint.peak_in_flight() <= 3,
        "{}",
        endpoint.peak_in_flight()
    );
    assert!(endpoint.connections() <= 3, "{}", endpoint.connections());
}

#[test]
fn requests_wait_while_too_many_records_are_uncommitted() {
    let rejects_7 = |request: &Request| match request.body.as_ref() {
        [7] => Answer::status(422),
        _ => Answer::ok(),
    };
    let endpoint = Endpoint::start(rejects_7).unwrap();
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_uncommitted = Some(10)
    });
    harness.offer((0..30).map(|offset| message(0, offset)));
    harness.completions(10);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(endpoint.count(), 10, "a rejected record counts too");
    harness.delivery.committed(0, 4);
    harness.completions(4);
    harness.delivery.committed(0, 10);
    harness.completions(10);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(endpoint.count(), 24);
    harness.delivery.committed(0, 10);
    harness.completions(6);
}

#[test]
fn max_uncommitted_limits_requests_in_flight() {
    let endpoint = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(20))).unwrap();
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_uncommitted = Some(2)
    });
    harness.offer((0..6).map(|offset| message(0, offset)));
    for _ in 0..3 {
        harness.completions(2);
        harness.delivery.committed(0, 2);
    }
    assert_eq!(endpoint.peak_in_flight(), 2);
}

#[test]
fn a_large_response_body_closes_the_connection() {
    let endpoint = Endpoint::always(Answer::ok().body(vec![b'x'; 4 << 20])).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 1
    });
    harness.offer((0..3).map(|offset| message(0, offset)));
    harness.assert_outcomes(3, "delivered");
    assert_eq!(endpoint.connections(), 3);
}

#[test]
fn posts_the_payload_with_its_schema_instead_of_the_value() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([Message {
        value: Some(Bytes::from_static(b"\0\0\0\0\x07datum")),
        payload: Some(Payload {
            datum: Bytes::from_static(b"datum"),
            schema: [0x51, 0xd5, 0x28, 0xbe, 0x20, 0xc8, 0xa6, 0xcc],
        }),
        ..message(0, 0)
    }]);
    assert_eq!(word(&harness.outcome()), "delivered");
    let request = endpoint.requests().remove(0);
    assert_eq!(request.body, b"datum"[..]);
    let schema = request.header("avro-schema-fingerprint");
    assert_eq!(schema, Some("51d528be20c8a6cc"));
}

#[test]
fn a_tombstone_is_rejected_and_not_sent() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([Message {
        value: None,
        ..message(0, 0)
    }]);
    assert_eq!(word(&harness.outcome()), "rejected -");
    assert_eq!(endpoint.count(), 0);
}

#[test]
fn a_large_record_arrives_completely() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    let value: Bytes = (0..1 << 20).map(|n: u32| n as u8).collect();
    harness.offer([Message {
        value: Some(value.clone()),
        ..message(0, 0)
    }]);
    assert_eq!(word(&harness.outcome()), "delivered");
    assert_eq!(endpoint.requests()[0].body, value);
}

#[test]
fn an_invalid_url_or_token_is_an_error_before_the_first_request() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let mut config = config(&[&endpoint]);
    config.endpoints[0].url = "http://joe:hunter2@h/".to_owned();
    let started = Delivery::start(config, std::sync::mpsc::channel().0);
    let error = started.expect_err("invalid url").to_string();
    assert!(
        error.starts_with("the url of route A contains a user name or a password"),
        "{error}"
    );
    assert!(!error.contains("hunter2"));
    let error = FixedHeader::bearer(&Secret::new("hunter2\n")).expect_err("invalid token");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

/// `SSL_CERT_FILE` is read once for a process, so each case runs in a process of its own.
#[test]
fn tls_accepts_only_certificates_of_trusted_authorities() {
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("ca.pem");
    for trusted in ["true", "false"] {
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--exact",
                "request::tls_in_a_process_of_its_own",
                "--ignored",
                "--nocapture",
            ])
            .env("SSL_CERT_FILE", &file)
            .env("FRONTDOOR_TEST_TRUSTED", trusted)
            .status()
            .expect("runs");
        assert!(status.success(), "trusted: {trusted}");
    }
}

#[test]
#[ignore = "started by the test above"]
fn tls_in_a_process_of_its_own() {
    crate::tls::run();
}

#[test]
fn each_route_has_its_own_limits() {
    let slow = Endpoint::start(|_| Answer::hang()).expect("an endpoint");
    let failing = Endpoint::always(Answer::status(503)).expect("an endpoint");
    let mut config = config(&[&slow, &failing]);
    config.endpoints[0].limits.max_attempts = 1;
    config.endpoints[0].limits.request_timeout = Duration::from_millis(50);
    config.endpoints[1].limits.max_attempts = 3;
    let harness = Harness::start(config);
    for route in 0..2 {
        let offered = harness.delivery.offer(route, message(0, route as i64));
        offered.expect("there is room");
    }
    let mut reasons: Vec<String> = harness
        .completions(2)
        .iter()
        .map(|completion| reason(&completion.outcome).to_owned())
        .collect();
    reasons.sort();
    assert!(reasons[0].ends_with(" after 3 attempts"), "{reasons:?}");
    assert_eq!(reasons[1], "timeout");
}
