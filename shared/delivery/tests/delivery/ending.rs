//! How it ends: the budget, a stop, and a partition that is taken away.

use std::time::{Duration, Instant};

use delivery::{Order, RouteState};
use testkit::endpoint::{Answer, Endpoint};

use crate::rig::{PATIENCE, Rig, message, reason, word};

#[test]
fn no_wait_is_planned_beyond_the_budget() {
    let endpoint =
        Endpoint::always(Answer::status(503).header("retry-after", "60")).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.backoff_max = Duration::from_secs(60)
    });
    rig.delivery
        .set_deadline(Instant::now() + Duration::from_secs(30));
    rig.offer((0..100).map(|offset| message(0, offset)));
    let start = Instant::now();
    assert!(rig.fates(100).values().all(|outcome| outcome == "left"));
    assert!(
        start.elapsed() < Duration::from_secs(25),
        "nobody waits for a wait that is too long"
    );
    assert!(matches!(rig.delivery.state(0), RouteState::Deferred { .. }));
}

#[test]
fn what_hangs_at_the_end_of_the_budget_is_left() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer((0..100).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, PATIENCE));
    rig.delivery
        .set_deadline(Instant::now() + Duration::from_millis(100));
    assert!(rig.fates(100).values().all(|outcome| outcome == "left"));
    assert!(rig.holds(0, 0));
    rig.offer([message(0, 100)]);
    assert_eq!(word(&rig.outcome()), "left");
    assert_eq!(endpoint.count(), 4);
}

#[test]
fn a_stop_lets_those_in_flight_finish_and_leaves_the_rest() {
    let endpoint =
        Endpoint::always(Answer::ok().after(Duration::from_millis(300))).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer((0..100).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, PATIENCE));
    rig.delivery.stop(PATIENCE);
    assert!(rig.delivery.offer(0, message(0, 100)).is_err());
    let completions = rig.rest();
    let count = |expected| {
        completions
            .iter()
            .filter(|completion| word(&completion.outcome) == expected)
            .count()
    };
    assert_eq!((count("delivered"), count("left")), (4, 96));
    assert_eq!(endpoint.count(), 4);
}

#[test]
fn a_stop_does_not_wait_beyond_its_grace() {
    let endpoint = Endpoint::always(Answer::hang()).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.request_timeout = 10 * PATIENCE
    });
    rig.offer((0..10).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(4, PATIENCE));
    let start = Instant::now();
    rig.delivery.stop(Duration::from_millis(200));
    let completions = rig.rest();
    assert_eq!(completions.len(), 10);
    assert!(
        completions
            .iter()
            .all(|completion| word(&completion.outcome) == "left")
    );
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn a_failure_during_the_grace_is_not_tried_again() {
    let endpoint =
        Endpoint::always(Answer::status(503).after(Duration::from_millis(200))).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer([message(0, 0)]);
    assert!(endpoint.wait_for(1, PATIENCE));
    rig.delivery.stop(PATIENCE);
    let completions = rig.rest();
    assert_eq!(reason(&completions[0].outcome), "503");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_recalled_partition_is_left_at_once_but_for_what_is_in_flight() {
    for (order, batch) in [
        (Order::None, 1),
        (Order::Key, 1),
        (Order::Partition, 1),
        (Order::None, 5),
    ] {
        let endpoint =
            Endpoint::always(Answer::ok().after(Duration::from_millis(300))).expect("endpoint");
        let rig = Rig::to(&endpoint, |config| {
            config.order = order;
            config.endpoints[0].batch = batch;
            config.limits.max_in_flight = 1;
        });
        rig.offer((0..10).map(|offset| message(0, offset)));
        assert!(endpoint.wait_for(1, PATIENCE));
        rig.offer((10..20).map(|offset| message(0, offset)));
        rig.offer((20..25).map(|offset| message(1, offset)));
        rig.delivery.revoke(0);
        rig.offer([message(0, 30)]);
        for (offset, outcome) in rig.fates(26) {
            let first = offset < batch as i64;
            let expected = if first || offset >= 20 {
                "delivered"
            } else {
                "left"
            };
            assert_eq!(outcome, expected, "{order:?} {batch} {offset}");
        }
    }
}

#[test]
fn a_record_of_a_recalled_partition_is_not_tried_again() {
    let endpoint =
        Endpoint::always(Answer::status(503).after(Duration::from_millis(200))).expect("endpoint");
    let rig = Rig::to(&endpoint, |_| {});
    rig.offer([message(0, 0)]);
    assert!(endpoint.wait_for(1, PATIENCE));
    rig.delivery.revoke(0);
    assert_eq!(word(&rig.outcome()), "left");
    assert_eq!(endpoint.count(), 1);
}
