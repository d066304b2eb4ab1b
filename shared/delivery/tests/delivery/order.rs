//! The order of deliveries, through failures too.

use std::collections::HashMap;

use delivery::Order;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::harness::{Harness, keyed, message};

/// A quarter of the requests fail, each in a different way.
fn flaky() -> Endpoint {
    Endpoint::start(|request| match request.number % 12 {
        2 => Answer::status(503),
        5 => Answer::reset(),
        8 => Answer::status(429),
        _ => Answer::ok(),
    })
    .expect("endpoint")
}

/// The bodies with a 200 response, grouped by `key`.
fn accepted(endpoint: &Endpoint, key: impl Fn(&Request) -> u8) -> HashMap<u8, Vec<u8>> {
    let mut accepted: HashMap<u8, Vec<u8>> = HashMap::new();
    for request in endpoint.requests() {
        if request.answered == Some(200) {
            accepted
                .entry(key(&request))
                .or_default()
                .push(request.body[0]);
        }
    }
    accepted
}

#[test]
fn a_key_keeps_its_order_through_retries() {
    let endpoint = flaky();
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].order = Order::Key;
        config.endpoints[0].limits.max_attempts = 100;
        config.endpoints[0].limits.max_in_flight = 16;
    });
    harness.offer((0..240).map(|offset| keyed(offset, &format!("key {}", offset % 8))));
    harness.assert_outcomes(240, "delivered");
    for (key, bodies) in accepted(&endpoint, |request| request.body[0] % 8) {
        let expected: Vec<u8> = (0..30).map(|n| n * 8 + key).collect();
        assert_eq!(bodies, expected, "key {key}");
    }
    assert!(
        endpoint.peak_in_flight() > 1,
        "keys do not wait for each other"
    );
}

#[test]
fn messages_without_a_key_do_not_wait() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [0] => Answer::hang(),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| config.endpoints[0].order = Order::Key);
    harness.offer((0..100).map(|offset| message(0, offset)));
    harness.assert_outcomes(99, "delivered");
}

#[test]
fn a_partition_keeps_its_order_through_retries() {
    let endpoint = flaky();
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].order = Order::Partition;
        config.endpoints[0].limits.max_attempts = 100;
        config.endpoints[0].limits.max_in_flight = 16;
    });
    harness.offer((0..240).map(|offset| message((offset % 6) as i32, offset)));
    harness.assert_outcomes(240, "delivered");
    for (partition, bodies) in accepted(&endpoint, |request| request.body[0] % 6) {
        let expected: Vec<u8> = (0..40).map(|n| n * 6 + partition).collect();
        assert_eq!(bodies, expected, "partition {partition}");
    }
}

#[test]
fn only_records_behind_a_deferred_one_are_deferred() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [13] => Answer::status(500),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    for order in [Order::Key, Order::Partition] {
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].order = order;
            config.endpoints[0].limits.max_attempts = 2;
        });
        // The key and the partition of a record are its offset modulo 5.
        harness.offer((0..50).map(|offset| {
            let mut message = keyed(offset, &format!("key {}", offset % 5));
            message.at.partition = (offset % 5) as i32;
            message
        }));
        for (offset, outcome) in harness.outcomes(50) {
            let expected = if offset >= 13 && offset % 5 == 3 {
                "deferred"
            } else {
                "delivered"
            };
            assert_eq!(outcome, expected, "{order:?} {offset}");
        }
        // The same applies to records that are offered later.
        harness.offer([message(3, 53), message(2, 52)].map(|message| {
            let key = format!("key {}", message.at.partition);
            record::Message {
                key: Some(key.into()),
                ..message
            }
        }));
        let outcomes = harness.outcomes(2);
        assert_eq!(
            (outcomes[&53].as_str(), outcomes[&52].as_str()),
            ("deferred", "delivered")
        );
    }
}

#[test]
fn records_behind_a_rejected_one_are_delivered() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [3] => Answer::status(422),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    for order in [Order::Key, Order::Partition] {
        let harness = Harness::to(&endpoint, |config| config.endpoints[0].order = order);
        harness.offer((0..10).map(|offset| keyed(offset, "k")));
        for (offset, outcome) in harness.outcomes(10) {
            assert_eq!(
                outcome,
                if offset == 3 {
                    "rejected 422"
                } else {
                    "delivered"
                },
                "{offset}"
            );
        }
    }
}
