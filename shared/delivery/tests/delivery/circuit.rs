//! An endpoint that is down, slow or limited: how many requests it receives, and its effect on other routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use delivery::{EndpointPause, RouteState};
use testkit::endpoint::{Answer, Endpoint};

use crate::harness::{Harness, TIMEOUT, config, message, reason, word};

#[test]
fn an_endpoint_that_is_down_receives_few_requests_and_its_route_is_deferred() {
    let endpoint = Endpoint::always(Answer::status(503)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 2;
        config.endpoints[0].limits.max_attempts = 100;
        config.endpoints[0].limits.circuit_failure_threshold = 5;
        config.endpoints[0].limits.circuit_max_probes = 3;
    });
    harness.offer((0..100).map(|offset| message(0, offset)));
    let completions = harness.completions(100);
    for completion in &completions {
        assert_eq!(word(&completion.outcome), "deferred");
        assert!(!reason(&completion.outcome).is_empty());
    }
    // Five failures, one more that was in flight, three probes.
    let count = endpoint.count();
    assert!((8..=9).contains(&count), "{count}");
    let requests = endpoint.requests();
    for (probe, cool_down) in [50, 100, 200].into_iter().enumerate() {
        let at = count - 3 + probe;
        let pause = requests[at].at - requests[at - 1].at;
        // Within the millisecond of a timer.
        assert!(
            pause >= Duration::from_millis(cool_down - 2),
            "{probe} {pause:?}"
        );
    }
    match harness.delivery.state(0) {
        RouteState::Deferred { reason } => assert!(reason.contains("503"), "{reason}"),
        other => panic!("{other:?}"),
    }
    // A message that is offered now is deferred immediately.
    harness.offer([message(0, 100)]);
    assert_eq!(word(&harness.outcome()), "deferred");
    assert_eq!(endpoint.count(), count);
}

#[test]
fn an_endpoint_that_recovers_receives_all_records() {
    let healthy = Arc::new(AtomicBool::new(false));
    let script = Arc::clone(&healthy);
    let endpoint = Endpoint::start(move |_| match script.load(Ordering::SeqCst) {
        true => Answer::ok(),
        false => Answer::status(500),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 100;
        config.endpoints[0].limits.circuit_failure_threshold = 3;
        config.endpoints[0].limits.circuit_max_probes = 30;
        config.endpoints[0].limits.circuit_cool_down = Duration::from_millis(20);
    });
    harness.offer((0..50).map(|offset| message(0, offset)));
    assert!(endpoint.wait_for(5, TIMEOUT));
    // The endpoint has received the requests; the route processes the responses later.
    let end = Instant::now() + TIMEOUT;
    while harness.delivery.state(0) != RouteState::Paused {
        assert!(Instant::now() < end, "the circuit does not open");
        std::thread::sleep(Duration::from_millis(1));
    }
    healthy.store(true, Ordering::SeqCst);
    harness.assert_outcomes(50, "delivered");
    assert_eq!(harness.delivery.state(0), RouteState::Open);
}

#[test]
fn a_refused_connection_counts_as_a_failure() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let url = endpoint.url();
    drop(endpoint);
    let other = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&other, |config| {
        config.endpoints[0].url = url;
        config.endpoints[0].limits.circuit_failure_threshold = 2;
        config.endpoints[0].limits.circuit_max_probes = 1;
    });
    harness.offer((0..10).map(|offset| message(0, offset)));
    harness.assert_outcomes(10, "deferred");
    assert!(matches!(
        harness.delivery.state(0),
        RouteState::Deferred { .. }
    ));
    assert!(harness.delivery.statistics(0).connection_errors >= 3);
}

#[test]
fn an_expired_token_rejects_nothing() {
    let endpoint = Endpoint::always(Answer::status(401)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.circuit_failure_threshold = 10;
        config.endpoints[0].limits.circuit_max_probes = 2;
    });
    harness.offer((0..1000).map(|offset| message(0, offset)));
    harness.assert_outcomes(1000, "deferred");
    assert!(endpoint.count() <= 10 + 3 + 2, "{}", endpoint.count());
}

#[test]
fn a_record_with_403_does_not_stop_the_others() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [7] => Answer::status(403),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.circuit_failure_threshold = 5
    });
    harness.offer((0..100).map(|offset| message(0, offset)));
    let outcomes = harness.outcomes(100);
    let deferred: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| *outcome != "delivered")
        .collect();
    assert_eq!(deferred, [(&7, &"deferred".to_owned())]);
}

#[test]
fn gone_defers_the_route() {
    let endpoint = Endpoint::always(Answer::status(410)).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 2
    });
    harness.offer((0..100).map(|offset| message(0, offset)));
    harness.assert_outcomes(100, "deferred");
    assert!(endpoint.count() <= 2);
    assert!(matches!(
        harness.delivery.state(0),
        RouteState::Deferred { .. }
    ));
}

#[test]
fn an_endpoint_that_hangs_does_not_delay_others() {
    let hanging = Endpoint::always(Answer::hang()).expect("endpoint");
    let healthy = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::start(config(&[&hanging, &healthy]));
    for offset in 0..500 {
        harness.delivery.offer(0, message(0, offset)).expect("room");
        harness.delivery.offer(1, message(1, offset)).expect("room");
    }
    // The other route hangs for at least ten seconds; these messages do not wait for it.
    let completions = harness.completions(500);
    assert!(completions.iter().all(|completion| completion.route == 1));
    assert!(harness.holds(0, 500) && harness.holds(1, 0));
}

#[test]
fn a_hanging_or_waiting_message_does_not_delay_others() {
    let endpoint = Endpoint::start(|request| match request.body[..] {
        [0] => Answer::hang(),
        [1] => Answer::status(500).header("retry-after", "3600"),
        _ => Answer::ok(),
    })
    .expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_in_flight = 2;
        config.endpoints[0].limits.backoff_max = Duration::from_secs(3600);
    });
    harness.offer((0..200).map(|offset| message(0, offset)));
    harness.assert_outcomes(198, "delivered");
    assert!(harness.holds(0, 2));
}

#[test]
fn requests_keep_the_rate_limit() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.rate_limit = Some(100.0);
        config.endpoints[0].limits.max_in_flight = 16;
    });
    harness.offer((0..60).map(|offset| message(0, offset)));
    harness.completions(60);
    let mut times: Vec<Instant> = endpoint
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    times.sort();
    // A busy machine can delay one request, and so move it closer to the next, but not sixty.
    assert!(
        times[59] - times[0] >= Duration::from_millis(540),
        "{:?}",
        times[59] - times[0]
    );
}

#[test]
fn a_rate_limit_that_permits_a_request_just_after_it_was_checked_does_not_stop_the_route() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.rate_limit = Some(3000.0);
        config.endpoints[0].limits.max_in_flight = 1;
    });
    harness.offer((0..4000).map(|offset| message(0, offset)));
    harness.assert_outcomes(4000, "delivered");
}

#[test]
fn the_pause_of_an_earlier_run_ends_with_one_probe() {
    let endpoint =
        Endpoint::always(Answer::ok().after(Duration::from_millis(20))).expect("endpoint");
    let until = Instant::now() + Duration::from_millis(300);
    let harness = Harness::to(&endpoint, |config| {
        let reason = "paused".to_owned();
        config.endpoints[0].pause = Some(EndpointPause { until, reason });
    });
    harness.offer((0..4).map(|offset| message(0, offset)));
    harness.assert_outcomes(4, "delivered");
    let starts: Vec<_> = endpoint
        .requests()
        .iter()
        .map(|request| request.at)
        .collect();
    assert!(starts[0] >= until);
    assert!(
        starts[1] >= starts[0] + Duration::from_millis(20),
        "{starts:?}"
    );
    assert_eq!(harness.delivery.not_before(0), None);
}

#[test]
fn a_longer_pause_of_an_earlier_run_defers_the_route() {
    let endpoint = Endpoint::always(Answer::ok()).expect("endpoint");
    let until = Instant::now() + Duration::from_secs(900);
    let harness = Harness::to(&endpoint, |config| {
        let reason = "paused until later".to_owned();
        config.endpoints[0].pause = Some(EndpointPause { until, reason });
    });
    harness.offer([message(0, 0)]);
    assert_eq!(reason(&harness.outcome()), "paused until later");
    assert_eq!(endpoint.count(), 0);
    assert_eq!(harness.delivery.not_before(0), Some(until));
}

#[test]
fn a_requested_pause_is_known_in_full_after_the_run() {
    let answer = Answer::status(429).header("retry-after", "900");
    let endpoint = Endpoint::always(answer).expect("endpoint");
    let harness = Harness::to(&endpoint, |config| {
        config.endpoints[0].limits.max_attempts = 1
    });
    let before = Instant::now();
    harness.offer([message(0, 0)]);
    assert_eq!(word(&harness.outcome()), "deferred");
    harness.delivery.stop(Duration::ZERO);
    let not_before = harness.delivery.not_before(0).expect("a pause");
    assert!(not_before >= before + Duration::from_secs(900));
    assert!(not_before < before + Duration::from_secs(930));
}

#[test]
fn routes_to_one_endpoint_share_the_pause_of_a_429_and_not_the_failures_of_a_path() {
    let endpoint = Endpoint::start(|request| match request.target.as_str() {
        "/limited" => Answer::status(429).header("retry-after", "1"),
        "/failing" => Answer::status(500),
        _ => Answer::ok(),
    });
    let endpoint = endpoint.expect("endpoint");
    let mut config = config(&[&endpoint, &endpoint, &endpoint]);
    for (route, path) in config
        .endpoints
        .iter_mut()
        .zip(["limited", "failing", "good"])
    {
        route.url += path;
        route.group = Some(0);
        route.limits.max_attempts = 1;
        route.limits.circuit_failure_threshold = 2;
        route.limits.circuit_max_probes = 1;
    }
    let harness = Harness::start(config);
    let offer = |route, offset| {
        let offered = harness.delivery.offer(route, message(0, offset));
        offered.expect("there is room");
    };
    (0..20).for_each(|offset| offer(1, offset));
    harness.assert_outcomes(20, "deferred");
    assert!(harness.delivery.is_deferred(1));
    offer(2, 20);
    assert_eq!(word(&harness.outcome()), "delivered");
    offer(0, 21);
    assert_eq!(word(&harness.outcome()), "deferred");
    let paused = Instant::now();
    offer(2, 22);
    assert_eq!(word(&harness.outcome()), "delivered");
    assert!(paused.elapsed() >= Duration::from_millis(900));
}

#[test]
fn routes_to_one_endpoint_share_the_failures_of_its_connections() {
    let unused = Endpoint::always(Answer::ok()).expect("endpoint");
    let mut config = config(&[&unused, &unused]);
    for route in &mut config.endpoints {
        route.url = "http://127.0.0.1:1/".to_owned();
        route.group = Some(0);
        route.limits.max_attempts = 1;
        route.limits.circuit_failure_threshold = 2;
        route.limits.circuit_max_probes = 1;
    }
    let harness = Harness::start(config);
    for offset in 0..20 {
        let offered = harness.delivery.offer(0, message(0, offset));
        offered.expect("there is room");
    }
    harness.assert_outcomes(20, "deferred");
    let offered = harness.delivery.offer(1, message(0, 20));
    offered.expect("there is room");
    let outcome = harness.outcome();
    assert!(
        reason(&outcome).contains("a route with the same host"),
        "{outcome:?}"
    );
    assert_eq!(harness.delivery.statistics(1).attempts, 0);
}
