#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on says so by panicking

//! A broker that takes connections and never answers holds up nobody who has a deadline or is asked to stop.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far more than either test needs, and far less than `START_TIMEOUT`.
const SOON: Duration = Duration::from_secs(30);

fn forward(broker: &TcpListener, deadline: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env(
            "KAFKA_BOOTSTRAP_SERVERS",
            broker.local_addr().unwrap().to_string(),
        )
        .env("API_TYPE_A_URL", "http://127.0.0.1:9")
        .env("API_TYPE_B_URL", "http://127.0.0.1:9")
        .env("START_TIMEOUT", "120s")
        .env("DEADLINE", deadline)
        .args(["run", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The exit code and the report.
fn end(mut run: Child) -> (Option<i32>, Value) {
    let begin = Instant::now();
    while run.try_wait().unwrap().is_none() {
        if begin.elapsed() > SOON {
            run.kill().unwrap();
            panic!("the run did not end in {SOON:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = run.wait_with_output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
}

#[test]
fn a_run_with_a_deadline_waits_for_the_broker_no_longer_than_that() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, report) = end(forward(&broker, "2s"));
    assert_eq!(code, Some(74), "{report:#}");
}

#[test]
fn a_run_that_waits_for_the_broker_ends_when_it_is_asked_to() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = forward(&broker, "100s");
    // It listens for signals before it connects.
    let connection = broker.accept().unwrap();
    let asked = Command::new("kill").arg(run.id().to_string()).status();
    assert!(asked.unwrap().success());
    let (code, report) = end(run);
    assert_eq!(code, Some(12), "{report:#}");
    assert_eq!(report["outcome"], "more_work");
    let notes = report["notes"].to_string();
    assert!(notes.contains("a signal ended the run"), "{notes}");
    drop(connection);
}
