//! Which requests are sent again, and when.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use delivery::status::{StatusClass, classify};
use delivery::{DeliveryOutcome, StatusRule};
use record::Message;
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, message, reason, word};

/// The number of requests for each status, and the outcome of the record.
#[test]
fn each_status_is_handled_as_its_class() {
    for status in [
        200, 202, 204, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409,
        411, 413, 415, 421, 422, 423, 425, 428, 429, 431, 451, 498, 500, 501, 502, 503, 504, 507,
    ] {
        let endpoint = Endpoint::always(Answer::status(status)).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.max_attempts = 3
        });
        harness.offer([message(0, 0)]);
        let outcome = word(&harness.outcome());
        let (expected, requests) = match classify(status) {
            StatusClass::Accepted => ("delivered".to_owned(), 1),
            StatusClass::Retryable => ("deferred".to_owned(), 3),
            StatusClass::RecordRejected => (format!("rejected {status}"), 1),
            StatusClass::Deferred | StatusClass::RouteGone => ("deferred".to_owned(), 1),
        };
        assert_eq!(outcome, expected, "{status}");
        assert_eq!(endpoint.count(), requests, "{status}");
        let statistics = harness.delivery.statistics(0);
        assert_eq!(statistics.statuses[&status], requests as u64, "{status}");
        assert_eq!(statistics.attempts, requests as u64);
    }
}

#[test]
fn a_redirect_is_not_followed_and_not_a_delivery() {
    let page = Endpoint::always(Answer::ok().body("please log in")).expect("endpoint");
    let endpoint =
        Endpoint::always(Answer::status(302).header("location", &page.url())).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 0)]);
    let outcome = harness.outcome();
    assert_eq!(word(&outcome), "deferred");
    assert!(
        reason(&outcome).contains("redirects are not followed"),
        "{outcome:?}"
    );
    assert_eq!((endpoint.count(), page.count()), (1, 0));
}

#[test]
fn each_attempt_sends_the_same_key_and_bytes() {
    let endpoint = Endpoint::sequence(vec![
        // The next request opens a new connection, so that a failure is not taken for a stale connection.
        Answer::status(503).closing(),
        Answer::reset(),
        Answer::ok().reset_in_head(),
        Answer::garbage(),
        Answer::status(200),
    ])
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 7)]);
    match harness.outcome() {
        DeliveryOutcome::Delivered(receipt) => {
            assert_eq!((receipt.status(), receipt.attempts()), (200, 5));
        }
        other => panic!("{other:?}"),
    }
    let requests = endpoint.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(
            request.header("idempotency-key"),
            Some("\"cluster/topic/0/7\"")
        );
        assert_eq!(request.body, requests[0].body);
    }
    let statistics = harness.delivery.statistics(0);
    assert_eq!(statistics.connection_errors, 3);
}

#[test]
fn a_failure_in_the_response_body_does_not_change_the_outcome() {
    for answer in [
        Answer::ok().body(vec![b'x'; 100]).reset_in_body(),
        Answer::ok().body(vec![b'x'; 100]).stalling_in_body(),
    ] {
        let endpoint = Endpoint::always(answer).expect("endpoint");
        let harness = Harness::to(&endpoint, |_| {});
        harness.offer([message(0, 0)]);
        assert_eq!(word(&harness.outcome()), "delivered");
        assert_eq!(endpoint.count(), 1);
    }
}

#[test]
fn an_incomplete_response_head_is_not_a_delivery() {
    for answer in [
        Answer::ok().reset_in_head(),
        Answer::garbage(),
        Answer::reset(),
    ] {
        let endpoint = Endpoint::always(answer).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.max_attempts = 2
        });
        harness.offer([message(0, 0)]);
        let outcome = harness.outcome();
        assert_eq!(word(&outcome), "deferred");
        assert!(
            reason(&outcome).ends_with("after 2 attempts"),
            "{outcome:?}"
        );
        assert_eq!(endpoint.count(), 2);
    }
}

#[test]
fn a_request_ends_at_its_timeout() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 2;
        config.endpoints[0].limits.request_timeout = Duration::from_millis(50);
    });
    harness.offer([message(0, 0)]);
    let outcome = harness.outcome();
    assert_eq!(word(&outcome), "deferred");
    assert_eq!(reason(&outcome), "timeout after 2 attempts");
    assert_eq!(harness.delivery.statistics(0).timeouts, 2);
}

#[test]
fn a_stale_connection_does_not_count_as_an_attempt() {
    let endpoint = Endpoint::always(Answer::ok().closing_unannounced()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 1;
        config.endpoints[0].limits.max_in_flight = 1;
    });
    for offset in 0..20 {
        harness.offer([message(0, offset)]);
        assert_eq!(word(&harness.outcome()), "delivered");
    }
    assert_eq!(harness.delivery.statistics(0).connection_errors, 0);
    assert_eq!(endpoint.count(), 20);

    // The endpoint reads the request on the open connection and resets it.
    let endpoint = Endpoint::start(|request| match request.turn {
        0 => Answer::ok(),
        _ => Answer::reset(),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 1;
        config.endpoints[0].limits.max_in_flight = 1;
    });
    harness.offer((0..4).map(|offset| message(0, offset)));
    harness.assert_outcomes(4, "delivered");
    let statistics = harness.delivery.statistics(0);
    assert_eq!((statistics.attempts, statistics.stale_connections), (4, 3));
}

#[test]
fn a_connection_is_not_reused_after_connection_close() {
    let endpoint = Endpoint::always(Answer::ok().body("bye").closing()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 1;
        config.endpoints[0].limits.max_in_flight = 2;
    });
    harness.offer((0..50).map(|offset| message(0, offset)));
    harness.assert_outcomes(50, "delivered");
    assert_eq!(endpoint.connections(), 50);
    assert_eq!(harness.delivery.statistics(0).stale_connections, 0);
}

#[test]
fn retry_after_pauses_the_route() {
    let second = Duration::from_secs(1);
    let date = |time| httpdate::fmt_http_date(time);
    let now = SystemTime::now() - Duration::from_secs(1_000_000);
    for first in [
        Answer::status(429).header("retry-after", "1"),
        // The endpoint's clock is far behind.
        Answer::status(503)
            .header("date", &date(now))
            .header("retry-after", &date(now + second)),
    ] {
        let endpoint = Endpoint::sequence(vec![first, Answer::ok()]).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.max_in_flight = 1;
            config.endpoints[0].limits.backoff_max = 30 * second;
        });
        harness.offer((0..5).map(|offset| message(0, offset)));
        harness.assert_outcomes(5, "delivered");
        let requests = endpoint.requests();
        assert_eq!(requests.len(), 6);
        assert!(requests[1].at - requests[0].at >= second);
    }
}

#[test]
fn retry_after_is_capped_and_ignored_if_zero_or_malformed() {
    for hint in ["86400", "0", "soon"] {
        let endpoint = Endpoint::sequence(vec![
            Answer::status(503).header("retry-after", hint),
            Answer::ok(),
        ])
        .expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.backoff_max = Duration::from_millis(200);
        });
        harness.offer([message(0, 0)]);
        assert_eq!(word(&harness.outcome()), "delivered", "{hint}");
        let requests = endpoint.requests();
        let wait = requests[1].at - requests[0].at;
        assert_eq!(
            wait >= Duration::from_millis(200),
            hint == "86400",
            "{hint} {wait:?}"
        );
    }
}

#[test]
fn retries_spread_below_the_backoff_ceiling() {
    let endpoint = Endpoint::always(Answer::status(500)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 16;
        config.endpoints[0].limits.max_attempts = 2;
        config.endpoints[0].limits.backoff_initial = Duration::from_millis(400);
    });
    harness.offer((0..16).map(|offset| message(0, offset)));
    harness.completions(16);
    let requests = endpoint.requests();
    let mut waits: Vec<Duration> = (0..16)
        .map(|offset| {
            let key = format!("\"cluster/topic/0/{offset}\"");
            let mine = |request: &&testkit::endpoint::Request| {
                request.header("idempotency-key") == Some(&key)
            };
            let times: Vec<_> = requests
                .iter()
                .filter(mine)
                .map(|request| request.at)
                .collect();
            assert_eq!(times.len(), 2);
            times[1] - times[0]
        })
        .collect();
    waits.sort();
    // The seed is fixed, so the delays are known: the smallest is below a quarter, the largest above three quarters.
    assert!(
        waits[15] - waits[0] >= Duration::from_millis(150),
        "{waits:?}"
    );
}

#[test]
fn a_rejection_keeps_a_kibibyte_of_the_response_body() {
    let words = format!(
        "field \u{1b}[1mid\u{1b}[0m is missing\r\n{}",
        "é".repeat(40_000)
    );
    let endpoint = Endpoint::always(Answer::status(422).body(words)).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 0)]);
    let outcome = harness.outcome();
    assert_eq!(word(&outcome), "rejected 422");
    assert!(
        reason(&outcome).starts_with("422: field  [1mid [0m is missing"),
        "{outcome:?}"
    );
    assert!(reason(&outcome).len() <= 1100);
}

#[test]
fn an_early_success_is_not_a_delivery_and_an_early_rejection_counts() {
    // More than the socket buffers hold.
    let large = || Message {
        value: Some(Bytes::from(vec![0; 32 << 20])),
        ..message(0, 0)
    };
    let endpoint = Endpoint::ignoring_bodies(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 2
    });
    harness.offer([large()]);
    let outcome = harness.outcome();
    assert_eq!(word(&outcome), "deferred");
    assert!(
        reason(&outcome).contains("before the whole request"),
        "{outcome:?}"
    );
    assert_eq!(endpoint.count(), 2);

    let endpoint = Endpoint::ignoring_bodies(Answer::status(413)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 2
    });
    harness.offer([large()]);
    assert_eq!(word(&harness.outcome()), "rejected 413");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn the_rules_of_a_route_decide_about_its_statuses() {
    for (status, rule, expected, requests) in [
        (409, StatusRule::Success, "delivered", 1),
        (404, StatusRule::Retry, "deferred", 3),
        (503, StatusRule::Drop, "rejected 503", 1),
    ] {
        let endpoint = Endpoint::always(Answer::status(status)).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].limits.max_attempts = 3;
            assert!(config.endpoints[0].statuses.add(status..=status, rule));
        });
        harness.offer([message(0, 0)]);
        assert_eq!(word(&harness.outcome()), expected);
        assert_eq!(endpoint.count(), requests, "{status}");
    }
}
