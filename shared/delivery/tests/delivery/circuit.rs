//! An endpoint that is down, slow or limited: how often it is asked, and what that costs the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use delivery::RouteState;
use testkit::endpoint::{Answer, Endpoint};

use crate::rig::{PATIENCE, Rig, config, message, reason, word};

#[test]
fn a_down_endpoint_gets_few_requests_and_is_then_given_up() {
    let endpoint = Endpoint::always(Answer::status(503)).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.max_in_flight = 2;
        config.limits.max_attempts = 100;
        config.limits.circuit_failure_threshold = 5;
        config.limits.circuit_max_probes = 3;
    });
    rig.offer((0..100).map(|offset| message(0, offset)));
    let completions = rig.completions(100);
    for completion in &completions {
        assert_eq!(word(&completion.outcome), "left");
        assert!(!reason(&completion.outcome).is_empty());
    }
    // Five failures, one more that was under way, three probes.
    let count = endpoint.count();
    assert!((8..=9).contains(&count), "{count}");
    let requests = endpoint.requests();
    for (probe, cool_down) in [50, 100, 200].into_iter().enumerate() {
        let at = count - 3 + probe;
        let rest = requests[at].at - requests[at - 1].at;
        // Within the millisecond of a timer.
        assert!(
            rest >= Duration::from_millis(cool_down - 2),
            "{probe} {rest:?}"
        );
    }
    match rig.delivery.state(0) {
        RouteState::Deferred { reason } => assert!(reason.contains("503"), "{reason}"),
        other => panic!("{other:?}"),
    }
    // Whatever is offered now is left at once.
    rig.offer([message(0, 100)]);
    assert_eq!(word(&rig.outcome()), "left");
    assert_eq!(endpoint.count(), count);
}

#[test]
fn an_endpoint_that_comes_back_gets_everything() {
    let healthy = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&healthy);
    let endpoint = Endpoint::start(move |_| match script.load(Ordering::SeqCst) {
        true => Answer::ok(),
        false => Answer::status(500),
    })
    .expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.max_attempts = 100;
        config.limits.circuit_failure_threshold = 3;
        config.limits.circuit_max_probes = 30;
        config.limits.circuit_cool_down = Duration::from_millis(20);
    });
    rig.offer((0..50).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(5, PATIENCE));
    assert_eq!(rig.delivery.state(0), RouteState::Paused);
    healthy.store(true, Ordering::SeqCst);
    assert!(rig.fates(50).values().all(|outcome| outcome == "delivered"));
    assert_eq!(rig.delivery.state(0), RouteState::Open);
}

#[test]
fn a_refused_connection_is_a_failure_like_any_other() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let url = endpoint.url();
    drop(endpoint);
    let other = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&other, |config| {
        config.endpoints[0].url = url;
        config.limits.circuit_failure_threshold = 2;
        config.limits.circuit_max_probes = 1;
    });
    rig.offer((0..10).map(|offset| message(0, offset)));
    assert!(rig.fates(10).values().all(|outcome| outcome == "left"));
    assert!(matches!(rig.delivery.state(0), RouteState::Deferred { .. }));
    assert!(rig.delivery.statistics(0).connection_errors >= 3);
}

#[test]
fn an_expired_token_dead_letters_nothing() {
    let endpoint = Endpoint::always(Answer::status(401)).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.circuit_failure_threshold = 10;
        config.limits.circuit_max_probes = 2;
    });
    rig.offer((0..1000).map(|offset| message(0, offset)));
    assert!(rig.fates(1000).values().all(|outcome| outcome == "left"));
    assert!(endpoint.count() <= 10 + 3 + 2, "{}", endpoint.count());
}

#[test]
fn one_record_that_is_always_forbidden_does_not_stop_the_others() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [7] => Answer::status(403),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.circuit_failure_threshold = 5
    });
    rig.offer((0..100).map(|offset| message(0, offset)));
    let fates = rig.fates(100);
    let left: Vec<_> = fates
        .iter()
        .filter(|(_, outcome)| *outcome != "delivered")
        .collect();
    assert_eq!(left, [(&7, &"left".to_owned())]);
}

#[test]
fn gone_ends_the_route_for_the_run() {
    let endpoint = Endpoint::always(Answer::status(410)).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| config.limits.max_in_flight = 2);
    rig.offer((0..100).map(|offset| message(0, offset)));
    assert!(rig.fates(100).values().all(|outcome| outcome == "left"));
    assert!(endpoint.count() <= 2);
    assert!(matches!(rig.delivery.state(0), RouteState::Deferred { .. }));
}

#[test]
fn an_endpoint_that_hangs_costs_the_others_nothing() {
    let hanging = Endpoint::always(Answer::hang()).expect("endpoint");
    let healthy = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::start(config(&[&hanging, &healthy]));
    for offset in 0..500 {
        rig.delivery.offer(0, message(0, offset)).expect("room");
        rig.delivery.offer(1, message(1, offset)).expect("room");
    }
    // The other route hangs for ten seconds at least: these do not wait for it.
    let completions = rig.completions(500);
    assert!(completions.iter().all(|completion| completion.route == 1));
    assert!(rig.holds(0, 500) && rig.holds(1, 0));
}

#[test]
fn a_message_that_hangs_or_backs_off_holds_only_its_own_slot() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [0] => Answer::hang(),
        [1] => Answer::status(500).header("retry-after", "3600"),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.max_in_flight = 2;
        config.limits.backoff_max = Duration::from_secs(3600);
    });
    rig.offer((0..200).map(|offset| message(0, offset)));
    assert!(
        rig.fates(198)
            .values()
            .all(|outcome| outcome == "delivered")
    );
    assert!(rig.holds(0, 2));
}

#[test]
fn requests_keep_to_the_rate() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let rig = Rig::to(&endpoint, |config| {
        config.limits.rate_limit = Some(100.0);
        config.limits.max_in_flight = 16;
    });
    rig.offer((0..60).map(|offset| message(0, offset)));
    rig.completions(60);
    let mut times: Vec<Instant> = endpoint
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    times.sort();
    // A busy machine may delay a request and so move it closer to the next one, but not sixty of them.
    assert!(
        times[59] - times[0] >= Duration::from_millis(540),
        "{:?}",
        times[59] - times[0]
    );
}
