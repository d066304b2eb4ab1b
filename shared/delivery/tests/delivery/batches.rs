//! Many records in one request.

use std::time::Duration;

use apache_avro::Reader;
use bytes::Bytes;
use delivery::{DeliveryConfig, Order};
use record::Message;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::rig::{Rig, message};

fn batch(size: usize) -> impl FnOnce(&mut DeliveryConfig) {
    move |config| config.endpoints[0].batch = size
}

/// An Avro datum of the schema `"bytes"`: its length, then the offset in one byte.
fn datum(partition: i32, offset: i64) -> Message {
    Message {
        value: Some(Bytes::copy_from_slice(&[2, offset as u8])),
        ..message(partition, offset)
    }
}

/// What a reader that is not ours finds in the file.
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
    let rig = Rig::to(&endpoint, batch(10));
    rig.offer((0..100).map(|offset| datum((offset % 3) as i32, offset)));
    assert!(
        rig.fates(100)
            .values()
            .all(|outcome| outcome == "delivered")
    );
    let requests = endpoint.requests();
    // 34, 33 and 33 records, at most ten together; a moment's wait may cut one more.
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
fn a_batch_has_one_key_over_all_its_attempts() {
    let endpoint = Endpoint::sequence(vec![Answer::status(503), Answer::reset(), Answer::ok()])
        .expect("endpoint");
    let rig = Rig::to(&endpoint, batch(50));
    rig.offer((0..50).map(|offset| datum(0, offset)));
    assert!(rig.fates(50).values().all(|outcome| outcome == "delivered"));
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 3);
    let key = requests[0]
        .header("idempotency-key")
        .expect("a key")
        .to_owned();
    assert!(key.starts_with("\"batch-") && key.len() == 72, "{key}");
    for request in &requests {
        assert_eq!(request.header("idempotency-key"), Some(key.as_str()));
        assert_eq!(request.body, requests[0].body);
    }
    // A run later, the same records are the same request.
    let rig = Rig::to(&endpoint, batch(50));
    rig.offer((0..50).map(|offset| datum(0, offset)));
    rig.completions(50);
    assert_eq!(
        endpoint.requests()[3].header("idempotency-key"),
        Some(key.as_str())
    );
}

#[test]
fn a_refused_batch_is_split_down_to_the_records_that_are_refused() {
    for order in [Order::None, Order::Partition] {
        let endpoint = Endpoint::start(|request| {
            let records = records(request);
            match records.iter().any(|record| [17, 18, 60].contains(record)) {
                true => Answer::status(422).body("no such thing"),
                false => Answer::ok(),
            }
        })
        .expect("endpoint");
        let rig = Rig::to(&endpoint, |config| {
            batch(64)(config);
            config.order = order;
        });
        rig.offer((0..64).map(|offset| datum(0, offset)));
        for (offset, outcome) in rig.fates(64) {
            let bad = [17, 18, 60].contains(&offset);
            assert_eq!(
                outcome,
                if bad { "refused 422" } else { "delivered" },
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
fn a_batch_that_is_too_large_is_split_and_a_record_that_is_too_large_refused() {
    let endpoint = Endpoint::start(|request| match request.body.len() {
        0..4000 => Answer::ok(),
        _ => Answer::status(413),
    })
    .expect("endpoint");
    let rig = Rig::to(&endpoint, batch(100));
    rig.offer((0..40).map(|offset| {
        let size = if offset == 33 { 5000 } else { 400 };
        Message {
            value: Some(vec![offset as u8; size].into()),
            ..message(0, offset)
        }
    }));
    for (offset, outcome) in rig.fates(40) {
        assert_eq!(
            outcome,
            if offset == 33 {
                "refused 413"
            } else {
                "delivered"
            },
            "{offset}"
        );
    }
}

#[test]
fn an_expired_token_splits_nothing() {
    let endpoint = Endpoint::always(Answer::status(403)).expect("endpoint");
    let rig = Rig::to(&endpoint, batch(100));
    rig.offer((0..100).map(|offset| datum(0, offset)));
    assert!(rig.fates(100).values().all(|outcome| outcome == "left"));
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_few_records_do_not_wait_long_for_company() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&endpoint, batch(1000));
    rig.offer([datum(0, 0), datum(0, 1)]);
    assert!(rig.fates(2).values().all(|outcome| outcome == "delivered"));

    let rig = Rig::to(&endpoint, |config| {
        batch(1000)(config);
        config.limits.linger = Duration::from_secs(3600);
    });
    rig.offer([datum(0, 0), datum(0, 1)]);
    rig.delivery.flush();
    assert!(rig.fates(2).values().all(|outcome| outcome == "delivered"));
    assert_eq!(endpoint.count(), 2);
}

#[test]
fn only_the_records_that_the_endpoint_names_are_sent_again() {
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
        let rig = Rig::to(&endpoint, |config| {
            batch(64)(config);
            config.order = order;
        });
        rig.offer((0..64).map(|offset| datum(0, offset)));
        assert!(rig.fates(64).values().all(|outcome| outcome == "delivered"));
        let requests = endpoint.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(records(&requests[1]), [7, 8, 31]);
        assert_ne!(
            requests[0].header("idempotency-key"),
            requests[1].header("idempotency-key")
        );
    }
}

#[test]
fn a_list_of_failures_that_is_cut_or_wrong_is_no_delivery() {
    let json = Answer::ok().header("content-type", "application/json");
    for answer in [
        json.clone()
            .body(r#"{"batchItemFailures":[{"itemIdentifier":"x"}]}"#),
        json.clone().body(vec![b' '; 100]).reset_in_body(),
        json.body(vec![b' '; 2 << 20]),
    ] {
        let endpoint = Endpoint::always(answer).expect("endpoint");
        let rig = Rig::to(&endpoint, |config| {
            batch(10)(config);
            config.limits.max_attempts = 2;
        });
        rig.offer((0..10).map(|offset| datum(0, offset)));
        assert!(rig.fates(10).values().all(|outcome| outcome == "left"));
        assert_eq!(endpoint.count(), 2);
    }
}
