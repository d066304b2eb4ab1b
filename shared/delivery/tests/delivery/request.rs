//! What an endpoint receives.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use delivery::{Delivery, DeliveryError};
use record::Message;
use runtime::secret::Secret;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::rig::{Rig, config, message, word};

#[test]
fn posts_the_raw_datum_with_the_headers_that_belong_to_it() {
    let endpoint = Endpoint::always(Answer::status(204)).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.endpoints[0].url = format!("{}in/here?x=1", endpoint.url());
        config.endpoints[0].token = Some(Secret::new("hunter2"));
    });
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let bytes = Bytes::from_static(b"\x00\xff\r\n\r\n");
    rig.offer([Message {
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
    assert_eq!(word(&rig.outcome()), "delivered");
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
fn the_clients_own_key_goes_along() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer([Message {
        client_key: Some("order \"7\"".into()),
        ..message(0, 1)
    }]);
    rig.completions(1);
    let request = endpoint.requests().remove(0);
    assert_eq!(request.header("idempotency-key"), Some(r#""order \"7\"""#));
    assert_eq!(request.header("traceparent"), None);
    assert_eq!(request.header("authorization"), None);
}

#[test]
fn connections_are_kept_and_never_more_than_the_limit() {
    let endpoint = Endpoint::always(Answer::ok().body("taken").after(Duration::from_millis(1)))
        .expect("endpoint");
    let rig = Rig::to(&endpoint, |config| config.limits.max_in_flight = 3);
    rig.offer((0..200).map(|offset| message(0, offset)));
    assert!(
        rig.fates(200)
            .values()
            .all(|outcome| outcome == "delivered")
    );
    assert_eq!(endpoint.count(), 200);
    assert!(endpoint.peak() <= 3, "{}", endpoint.peak());
    assert!(endpoint.connections() <= 3, "{}", endpoint.connections());
}

#[test]
fn requests_stop_when_too_many_records_are_uncommitted_and_go_on_with_the_commit() {
    let refuses_7 = |request: &Request| match request.body.as_ref() {
        [7] => Answer::status(422),
        _ => Answer::ok(),
    };
    let endpoint = Endpoint::start(refuses_7).unwrap();
    let rig = Rig::to(&endpoint, |config| config.limits.max_uncommitted = Some(10));
    rig.offer((0..30).map(|offset| message(0, offset)));
    rig.completions(10);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        endpoint.count(),
        10,
        "a refused record counts like any other"
    );
    rig.delivery.committed(0, 4);
    rig.completions(4);
    rig.delivery.committed(0, 10);
    rig.completions(10);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(endpoint.count(), 24);
    rig.delivery.committed(0, 10);
    rig.completions(6);
}

#[test]
fn a_bound_below_the_requests_in_flight_is_kept_too() {
    let endpoint = Endpoint::start(|_| Answer::ok().after(Duration::from_millis(20))).unwrap();
    let rig = Rig::to(&endpoint, |config| config.limits.max_uncommitted = Some(2));
    rig.offer((0..6).map(|offset| message(0, offset)));
    for _ in 0..3 {
        rig.completions(2);
        rig.delivery.committed(0, 2);
    }
    assert_eq!(endpoint.peak(), 2);
}

#[test]
fn what_an_endpoint_talks_does_not_fill_memory_and_costs_only_the_connection() {
    let endpoint = Endpoint::always(Answer::ok().body(vec![b'x'; 4 << 20])).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| config.limits.max_in_flight = 1);
    rig.offer((0..3).map(|offset| message(0, offset)));
    assert!(rig.fates(3).values().all(|outcome| outcome == "delivered"));
    assert_eq!(endpoint.connections(), 3);
}

#[test]
fn a_tombstone_is_refused_and_never_sent() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer([Message {
        value: None,
        ..message(0, 0)
    }]);
    assert_eq!(word(&rig.outcome()), "refused -");
    assert_eq!(endpoint.count(), 0);
}

#[test]
fn a_large_record_arrives_whole() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    let value: Bytes = (0..1 << 20).map(|n: u32| n as u8).collect();
    rig.offer([Message {
        value: Some(value.clone()),
        ..message(0, 0)
    }]);
    assert_eq!(word(&rig.outcome()), "delivered");
    assert_eq!(endpoint.requests()[0].body, value);
}

#[test]
fn a_url_or_token_of_no_use_is_named_before_anything_is_sent() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let start = |url: &str, token: Option<&str>| {
        let mut config = config(&[&endpoint]);
        config.endpoints[0].url = url.to_owned();
        config.endpoints[0].token = token.map(Secret::new);
        Delivery::start(config, std::sync::mpsc::channel().0).expect_err("refused")
    };
    let error = start("http://joe:hunter2@h/", None).to_string();
    assert!(
        error.starts_with("the url of route A holds a user or a password"),
        "{error}"
    );
    assert!(!error.contains("hunter2"));
    let error = start(&endpoint.url(), Some("hunter2\n"));
    assert!(matches!(error, DeliveryError::Token { .. }));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

/// The system's authorities are what `SSL_CERT_FILE` names, so this runs in a process of its own.
#[test]
fn speaks_tls_with_whom_the_systems_authorities_vouch_for_and_nobody_else() {
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
