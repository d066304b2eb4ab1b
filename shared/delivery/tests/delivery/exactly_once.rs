//! Each accepted message is completed exactly once, whatever the endpoints do.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use delivery::Order;
use record::Message;
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::harness::{Harness, config, message, set_batch, word};

/// A response chosen by the request's number, from all kinds of failures.
fn anything(request: &Request) -> Answer {
    let draw = (request.number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58;
    match draw {
        0 => Answer::status(503).header("retry-after", "0"),
        1 => Answer::status(500),
        2 => Answer::reset(),
        3 => Answer::ok().reset_in_head(),
        4 => Answer::ok().body("x".repeat(50)).reset_in_body(),
        5 => Answer::status(302).header("location", "/login"),
        6 => Answer::status(422).body("no"),
        7 => Answer::status(413),
        8 => Answer::hang(),
        9 => Answer::garbage(),
        10 => Answer::status(401),
        11 => Answer::ok().closing(),
        12 => Answer::ok().closing_unannounced(),
        13 => Answer::status(429).header("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        14 => Answer::ok().body("x".repeat(200_000)),
        15 => Answer::status(200).after(Duration::from_millis(30)),
        _ => Answer::ok(),
    }
}

#[test]
fn each_message_is_completed_once_and_delivered_means_a_2xx_response() {
    for (order, batch) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 7),
        (Order::Key, 7),
    ] {
        let endpoints = [(); 2].map(|()| Endpoint::start(anything).expect("endpoint"));
        let mut config = config(&[&endpoints[0], &endpoints[1]]);
        config.endpoints[0].order = order;
        set_batch(&mut config.endpoints[1], batch);
        config.endpoints[0].limits.max_in_flight = 8;
        config.endpoints[0].limits.max_attempts = 3;
        config.endpoints[0].limits.request_timeout = Duration::from_millis(300);
        config.endpoints[0].limits.queue_messages = 50;
        config.endpoints[0].limits.circuit_failure_threshold = 6;
        config.endpoints[0].limits.circuit_cool_down = Duration::from_millis(5);
        config.endpoints[0].limits.circuit_max_probes = 50;
        let harness = Harness::start(config);
        let mut offered = HashSet::new();
        let mut completions = Vec::new();
        for offset in 0..600 {
            let route = (offset % 2) as usize;
            let mut message = Message {
                key: (offset % 5 != 0).then(|| Bytes::from(format!("{}", offset % 11))),
                ..message((offset % 4) as i32, offset)
            };
            while let Err(back) = harness.delivery.offer(route, message) {
                message = back;
                completions.extend(harness.received_completions());
                std::thread::yield_now();
            }
            offered.insert(offset);
            if offset == 400 {
                harness.delivery.revoke(2);
            }
        }
        harness.delivery.flush();
        harness
            .delivery
            .set_deadline(Instant::now() + Duration::from_secs(2));
        while completions.len() < offered.len() {
            completions.extend(harness.next_group());
        }
        assert!(harness.holds(0, 0) && harness.holds(1, 0));
        harness.delivery.stop(Duration::ZERO);
        completions.extend(harness.rest());

        let answered: HashMap<String, Vec<Option<u16>>> = {
            let mut answered: HashMap<_, Vec<_>> = HashMap::new();
            for request in endpoints.iter().flat_map(Endpoint::requests) {
                for key in keys(&request) {
                    answered.entry(key).or_default().push(request.answered);
                }
            }
            answered
        };
        for completion in &completions {
            let at = &completion.message.at;
            assert!(offered.remove(&at.offset), "{at} was completed twice");
            let key = format!("cluster/topic/{}/{}", at.partition, at.offset);
            let accepted = answered.get(&key).is_some_and(|all| {
                all.iter()
                    .flatten()
                    .any(|status| (200..300).contains(status))
            });
            if word(&completion.outcome) == "delivered" {
                assert!(
                    accepted,
                    "{at} is reported as delivered without a 2xx response"
                );
            }
        }
        assert!(offered.is_empty(), "{offered:?} were never completed");
    }
}

/// The keys of the records in a request.
fn keys(request: &Request) -> Vec<String> {
    if request.header("content-type") == Some("application/vnd.apache.avro") {
        let reader = apache_avro::Reader::new(&request.body[..]);
        let Ok(reader) = reader else {
            panic!("not a container file")
        };
        let keys = &reader.user_metadata()["frontdoor.idempotency-keys"];
        return String::from_utf8_lossy(keys)
            .split('\n')
            .map(str::to_owned)
            .collect();
    }
    let key = request.header("idempotency-key").expect("a key");
    vec![key.trim_matches('"').to_owned()]
}

#[test]
fn a_full_queue_returns_the_message() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.queue_messages = 10
    });
    harness.offer((0..10).map(|offset| message(0, offset)));
    let back = harness.delivery.offer(0, message(0, 10)).expect_err("full");
    assert_eq!(back.at.offset, 10);
    assert!(harness.holds(0, 10));

    let harness = Harness::to(&endpoint, |config| config.queue_bytes = 100_000);
    let large = |offset| Message {
        value: Some(Bytes::from(vec![0; 60_000])),
        ..message(0, offset)
    };
    harness.offer([large(0)]);
    assert!(harness.delivery.offer(0, large(1)).is_err());
    harness.offer([message(0, 2)]);

    // A message that is larger than the queue is accepted alone.
    let harness = Harness::to(&endpoint, |config| config.queue_bytes = 1000);
    harness.offer([large(0)]);
    assert!(harness.delivery.offer(0, message(0, 1)).is_err());
}
