//! Endpoints that request a pause that outlasts the run.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn paused(retry_after: &'static str) -> Endpoint {
    Endpoint::always(Answer::status(429).header("retry-after", retry_after)).unwrap()
}

fn accepting() -> Endpoint {
    Endpoint::always(Answer::ok()).unwrap()
}

const ONE_ATTEMPT: [&str; 4] = ["--max-attempts", "1", "--backoff-max", "1s"];

#[test]
fn the_next_run_sends_nothing_before_the_end_of_a_requested_pause() {
    let stage = Stage::new(paused("900"), accepting());
    stage.write(&[user(1010, "Paul")]);
    let first = stage.run(&ONE_ATTEMPT);
    first.assert(75, &json!({"delivered": 0, "deferred": 1}));
    assert!(stage.a.count() == 1);
    let retry_at = first.report["routes"][0]["retry_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(first.report["routes"][1]["retry_at"].is_null());

    stage.write(&[user(1020, "Mary")]);
    let second = stage.run(&ONE_ATTEMPT);
    second.assert(11, &json!({"delivered": 1, "deferred": 1}));
    assert_eq!(stage.a.count(), 1, "{}", second.log);
    let route = &second.report["routes"][0];
    // The record has whole seconds.
    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let difference =
        instant(route["retry_at"].as_str().unwrap()).duration_since(instant(&retry_at));
    assert!(difference.abs().as_secs() <= 1, "{difference:?}");
    let notes = second.report["notes"].to_string();
    assert!(notes.contains("paused until 2"), "{notes}");

    // A window without records, and a dry run, change nothing.
    stage.run(&["--dry-run"]);
    let third = stage.run(&ONE_ATTEMPT);
    assert_eq!(stage.a.count(), 1, "{}", third.log);
}

#[test]
fn after_the_pause_the_endpoint_is_asked_again() {
    let is_paused = std::sync::Arc::new(AtomicBool::new(true));
    let flag = std::sync::Arc::clone(&is_paused);
    let a = Endpoint::start(move |_| match flag.load(Ordering::Relaxed) {
        true => Answer::status(429).header("retry-after", "2"),
        false => Answer::ok(),
    });
    let stage = Stage::new(a.unwrap(), accepting());
    stage.write(&[user(1010, "Paul"), user(1010, "John"), user(1010, "George")]);
    stage
        .run(&ONE_ATTEMPT)
        .assert(75, &json!({"delivered": 0, "deferred": 3}));
    let before = stage.a.count();
    stage
        .run(&ONE_ATTEMPT)
        .assert(75, &json!({"delivered": 0, "deferred": 3}));
    assert_eq!(stage.a.count(), before);

    is_paused.store(false, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(2_500));
    let third = stage.run(&ONE_ATTEMPT);
    third.assert(0, &json!({"delivered": 3, "deferred": 0}));
    assert!(third.report["routes"][0]["retry_at"].is_null());
}

#[test]
fn a_replay_does_not_take_pauses_into_account() {
    let stage = Stage::new(paused("900"), accepting());
    stage.write(&[user(1010, "Paul")]);
    stage.run(&ONE_ATTEMPT);
    let replay = stage.run(&["--window-start", "earliest", "--max-attempts", "1"]);
    assert_eq!(stage.a.count(), 2, "{}", replay.log);
    assert!(replay.report["routes"][0]["retry_at"].is_null());
}

#[test]
fn an_open_circuit_admits_one_probe_in_the_next_run() {
    let stage = Stage::new(Endpoint::always(Answer::status(500)).unwrap(), accepting());
    stage.write(&vec![user(1010, "Paul"); 40]);
    let arguments = [
        "--max-attempts",
        "1",
        "--circuit-failure-threshold",
        "5",
        "--circuit-max-probes",
        "1",
    ];
    stage.run(&arguments);
    let before = stage.a.count();
    assert!(before >= 6, "{before}");
    let second = stage.run(&arguments);
    assert_eq!(stage.a.count(), before + 1, "{}", second.log);
}
