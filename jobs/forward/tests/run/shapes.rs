//! The method and headers of a route's requests.

use testkit::endpoint::Request;

use super::formats::run_with;
use super::*;

/// A record with these Kafka headers.
fn record(headers: &[(&str, Option<&[u8]>)]) -> NewRecord {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
    NewRecord {
        headers: headers.collect(),
        ..NewRecord::to(0, user(1010, "Paul"))
    }
}

fn write(stage: &Stage, records: &[NewRecord]) {
    let topics = Topics::connect(stage.broker.bootstrap()).unwrap();
    topics.write(TOPIC, records).unwrap();
}

fn values<'r>(request: &'r Request, name: &str) -> Vec<&'r str> {
    let headers = request.headers.iter();
    headers
        .filter(|(known, _)| known == name)
        .map(|(_, value)| &**value)
        .collect()
}

#[test]
fn a_request_has_the_method_and_headers_of_its_route() {
    let stage = Stage::accepting();
    write(
        &stage,
        &[record(&[
            ("X-Tenant", Some(b"a b")),
            ("other", Some(b"no")),
            ("x-tenant", Some(b"")),
            ("x-tenant", None),
        ])],
    );
    let run = run_with(
        &stage,
        "format: json, method: PUT, headers: {X-Source: 'orders; v=1'}, kafka_headers: [X-Tenant]",
    );
    run.assert(0, &json!({"delivered": 1}));
    let request = &stage.a.requests()[0];
    assert_eq!(request.method, "PUT");
    assert_eq!(values(request, "x-source"), ["orders; v=1"]);
    assert_eq!(values(request, "x-tenant"), ["a b", ""]);
    assert_eq!(request.header("other"), None);
    assert!(request.header("idempotency-key").is_some());
}

#[test]
fn a_kafka_header_that_is_no_http_value_is_a_dead_letter_and_nothing_is_sent() {
    let stage = Stage::accepting();
    let long = vec![b'a'; 5_000];
    let hostile: [&[u8]; 8] = [
        b"a\r\nx: y",
        b"a\nb",
        b"a\0b",
        b"\xff",
        "é".as_bytes(),
        b" a",
        b"a\t",
        &long,
    ];
    let mut records: Vec<NewRecord> = hostile
        .iter()
        .map(|value| record(&[("x-tenant", Some(value))]))
        .collect();
    records.push(record(&[("x-tenant", Some(b"good"))]));
    let many = vec![("x-tenant", Some(&b"a"[..])); 65];
    records.push(record(&many));
    write(&stage, &records);
    let run = run_with(&stage, "kafka_headers: [x-tenant]");
    run.assert(10, &json!({"delivered": 1, "dead_lettered": 9}));
    assert_eq!(stage.a.count(), 1);
    assert_eq!(values(&stage.a.requests()[0], "x-tenant"), ["good"]);
    for letter in records::all(stage.broker.bootstrap(), DEAD_LETTER_TOPIC).unwrap() {
        let cause = letter.header("frontdoor.cause");
        assert_eq!(cause.as_deref(), Some("invalid-request"));
    }
}
