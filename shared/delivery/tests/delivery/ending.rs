//! The end of delivery: deadline, stop, and revoked partitions.

use std::time::{Duration, Instant};

use delivery::{Order, RouteState};
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, TIMEOUT, message, reason, set_batch, word};

#[test]
fn no_retry_is_planned_after_the_deadline() {
    let endpoint =
        Endpoint::always(Answer::status(503).header("retry-after", "60")).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.backoff_max = Duration::from_secs(60)
    });
    harness
        .delivery
        .set_deadline(Instant::now() + Duration::from_secs(30));
    harness.offer((0..100).map(|offset| message(0, offset)));
    let start = Instant::now();
    harness.assert_outcomes(100, "deferred");
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "deferred without a wait"
    );
    assert!(matches!(
        harness.delivery.state(0),
        RouteState::Deferred { .. }
    ));
}

#[test]
fn requests_in_flight_at_the_deadline_are_deferred() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer((0..100).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, TIMEOUT));
    harness
        .delivery
        .set_deadline(Instant::now() + Duration::from_millis(100));
    harness.assert_outcomes(100, "deferred");
    assert!(harness.holds(0, 0));
    harness.offer([message(0, 100)]);
    assert_eq!(word(&harness.outcome()), "deferred");
    assert_eq!(endpoint.count(), 4);
}

#[test]
fn stop_lets_requests_in_flight_finish_and_defers_the_rest() {
    let endpoint =
        Endpoint::always(Answer::ok().after(Duration::from_millis(300))).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer((0..100).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, TIMEOUT));
    harness.delivery.stop(TIMEOUT);
    assert!(harness.delivery.offer(0, message(0, 100)).is_err());
    let completions = harness.rest();
    let count = |expected| {
        completions
            .iter()
            .filter(|completion| word(&completion.outcome) == expected)
            .count()
    };
    assert_eq!((count("delivered"), count("deferred")), (4, 96));
    assert_eq!(endpoint.count(), 4);
}

#[test]
fn stop_does_not_wait_longer_than_its_timeout() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.request_timeout = 10 * TIMEOUT
    });
    harness.offer((0..10).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, TIMEOUT));
    let start = Instant::now();
    harness.delivery.stop(Duration::from_millis(200));
    let completions = harness.rest();
    assert_eq!(completions.len(), 10);
    assert!(
        completions
            .iter()
            .all(|completion| word(&completion.outcome) == "deferred")
    );
    assert!(start.elapsed() < TIMEOUT);
}

#[test]
fn a_failure_after_stop_is_not_retried() {
    let endpoint =
        Endpoint::always(Answer::status(503).after(Duration::from_millis(200))).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 0)]);
    assert!(endpoint.wait_for(1, TIMEOUT));
    harness.delivery.stop(TIMEOUT);
    let completions = harness.rest();
    assert_eq!(reason(&completions[0].outcome), "503");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_revoked_partition_is_deferred_except_for_requests_in_flight() {
    for (order, batch) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 5),
    ] {
        let endpoint =
            Endpoint::always(Answer::ok().after(Duration::from_millis(300))).expect("endpoint");
        let harness = Harness::to(&endpoint, |config| {
            config.endpoints[0].order = order;
            set_batch(&mut config.endpoints[0], batch);
            config.endpoints[0].limits.max_in_flight = 1;
        });
        harness.offer((0..10).map(|offset| message(0, offset)));
        assert!(endpoint.wait_for(1, TIMEOUT));
        harness.offer((10..20).map(|offset| message(0, offset)));
        harness.offer((20..25).map(|offset| message(1, offset)));
        harness.delivery.revoke(0);
        harness.offer([message(0, 30)]);
        for (offset, outcome) in harness.outcomes(26) {
            let first = offset < batch as i64;
            let expected = if first || offset >= 20 {
                "delivered"
            } else {
                "deferred"
            };
            assert_eq!(outcome, expected, "{order:?} {batch} {offset}");
        }
    }
}

#[test]
fn a_record_of_a_revoked_partition_is_not_retried() {
    let endpoint =
        Endpoint::always(Answer::status(503).after(Duration::from_millis(200))).expect("endpoint");
    let harness = Harness::to(&endpoint, |_| {});
    harness.offer([message(0, 0)]);
    assert!(endpoint.wait_for(1, TIMEOUT));
    harness.delivery.revoke(0);
    assert_eq!(word(&harness.outcome()), "deferred");
    assert_eq!(endpoint.count(), 1);
}
