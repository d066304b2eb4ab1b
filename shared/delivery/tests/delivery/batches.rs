//! Requests with several records.

use std::time::Duration;

use apache_avro::Reader;
use bytes::Bytes;
use delivery::Order;
use record::Message;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::harness::{Harness, batch, message};

/// An Avro datum of the schema `"bytes"`: its length, then the offset in one byte.
fn datum(partition: i32, offset: i64) -> Message {
    Message {
        value: Some(Bytes::copy_from_slice(&[2, offset as u8])),
        ..message(partition, offset)
    }
}

/// The records of the file, read by apache-avro.
fn records(request: &Request) -> Vec<u8> {
    Reader::new(&request.body[..])
        .expect("a container file")
        .map(|value| match value.expect("a datum") {
            apache_avro::types::Value::Bytes(bytes) => bytes[0],
            other => panic!("{other:?}"),
        })
        .collect()
}

fn keys(request: &Request) -> Vec<String> {
    let reader = Reader::new(&request.body[..]).expect("a container file");
    let keys = reader.user_metadata()["frontdoor.idempotency-keys"].clone();
    String::from_utf8(keys)
        .expect("text")
        .split('\n')
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_request_is_a_container_file_of_one_partition_in_offset_order() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, batch(10));
    harness.offer((0..100).map(|offset| datum((offset % 3) as i32, offset)));
    harness.assert_outcomes(100, "delivered");
    let requests = endpoint.requests();
    // 34, 33 and 33 records, at most ten in a request. The linger time can end a batch early.
    assert!((12..=20).contains(&requests.len()), "{}", requests.len());
    let mut all = Vec::new();
    for request in &requests {
        assert_eq!(
            request.header("content-type"),
            Some("application/vnd.apache.avro")
        );
        let records = records(request);
        assert!(records.len() <= 10 && records.is_sorted());
        assert!(
            records.iter().all(|record| record % 3 == records[0] % 3),
            "{records:?}"
        );
        let expected: Vec<String> = records
            .iter()
            .map(|offset| format!("cluster/topic/{}/{offset}", offset % 3))
            .collect();
        assert_eq!(keys(request), expected);
        all.extend(records);
    }
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<u8>>());
}

#[test]
fn a_batch_has_the_same_body_in_all_attempts_and_no_key_of_its_own() {
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::reset(), Answer::ok()])
        .expect("endpoint");
    let harness = Harness::to(&endpoint, batch(50));
    harness.offer((0..50).map(|offset| datum(0, offset)));
    harness.assert_outcomes(50, "delivered");
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.header("idempotency-key"), None);
        assert_eq!(request.body, requests[0].body);
    }
    // In a later run, the same records make the same request.
    let harness = Harness::to(&endpoint, batch(50));
    harness.offer((0..50).map(|offset| datum(0, offset)));
    harness.completions(50);
    assert_eq!(endpoint.requests()[3].body, requests[0].body);
}

#[test]
fn a_rejected_batch_is_split_down_to_the_rejected_records() {
    for order in [Order::None, Order::Partition] {
        let endpoint = Endpoint::start(|request| {
            let records = records(request);
            match records.iter().any(|record| [17, 18, 60].contains(record)) {
                true => Answer::status(422).body("no such thing"),
                false => Answer::ok(),
            }
        })
        .expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            batch(64)(config);
            config.endpoints[0].order = order;
        });
        harness.offer((0..64).map(|offset| datum(0, offset)));
        for (offset, outcome) in harness.outcomes(64) {
            let bad = [17, 18, 60].contains(&offset);
            assert_eq!(
                outcome,
                if bad { "rejected 422" } else { "delivered" },
                "{offset}"
            );
        }
        let mut delivered: Vec<u8> = endpoint
            .requests()
            .iter()
            .filter(|request| request.answered == Some(200))
            .flat_map(records)
            .collect();
        if order == Order::None {
            delivered.sort_unstable();
        }
        let good: Vec<u8> = (0..64)
            .filter(|record| ![17, 18, 60].contains(record))
            .collect();
        assert_eq!(delivered, good, "each once, {order:?}");
    }
}

#[test]
fn a_batch_that_is_too_large_is_split_down_to_the_large_record() {
    let endpoint = Endpoint::start(|request| match request.body.len() {
        0..4000 => Answer::ok(),
        _ => Answer::status(413),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, batch(100));
    harness.offer((0..40).map(|offset| {
        let size = if offset == 33 { 5000 } else { 400 };
        Message {
            value: Some(vec![offset as u8; size].into()),
            ..message(0, offset)
        }
    }));
    for (offset, outcome) in harness.outcomes(40) {
        assert_eq!(
            outcome,
            if offset == 33 {
                "rejected 413"
            } else {
                "delivered"
            },
            "{offset}"
        );
    }
}

#[test]
fn an_expired_token_does_not_split_a_batch() {
    let endpoint = Endpoint::always(Answer::status(403)).expect("endpoint");
    let harness = Harness::to(&endpoint, batch(100));
    harness.offer((0..100).map(|offset| datum(0, offset)));
    harness.assert_outcomes(100, "deferred");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_partial_batch_is_sent_after_the_linger_time_or_a_flush() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, batch(1000));
    harness.offer([datum(0, 0), datum(0, 1)]);
    harness.assert_outcomes(2, "delivered");

    let harness = Harness::to(&endpoint, |config| {
        batch(1000)(config);
        config.endpoints[0].limits.linger = Duration::from_secs(3600);
    });
    harness.offer([datum(0, 0), datum(0, 1)]);
    harness.delivery.flush();
    harness.assert_outcomes(2, "delivered");
    assert_eq!(endpoint.count(), 2);
}

#[test]
fn only_records_reported_as_failed_are_sent_again() {
    for order in [Order::None, Order::Partition] {
        let endpoint = Endpoint::start(|request| {
            let names: Vec<String> = keys(request)
                .iter()
                .filter(|key| request.number == 0 && ["7", "8", "31"].contains(&&key[16..]))
                .map(|key| format!(r#"{{"itemIdentifier":"{key}"}}"#))
                .collect();
            let body = format!(r#"{{"batchItemFailures":[{}]}}"#, names.join(","));
            Answer::ok()
                .header("content-type", "application/json; charset=utf-8")
                .body(body)
        })
        .expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            batch(64)(config);
            config.endpoints[0].order = order;
        });
        harness.offer((0..64).map(|offset| datum(0, offset)));
        harness.assert_outcomes(64, "delivered");
        let requests = endpoint.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(records(&requests[1]), [7, 8, 31]);
    }
}

#[test]
fn a_truncated_or_invalid_failure_report_delivers_nothing() {
    let json = Answer::ok().header("content-type", "application/json");
    for answer in [
        json.clone()
            .body(r#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#),
        json.clone().body(vec![b' '; 100]).reset_in_body(),
        json.body(vec![b' '; 2 << 20]),
    ] {
        let endpoint = Endpoint::always(answer).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            batch(10)(config);
            config.endpoints[0].limits.max_attempts = 2;
        });
        harness.offer((0..10).map(|offset| datum(0, offset)));
        harness.assert_outcomes(10, "deferred");
        assert_eq!(endpoint.count(), 2);
    }
}
