#![allow(clippy::unwrap_used, clippy::expect_used)] // A test fails by panicking.

//! A broker that accepts connections and never responds does not delay a deadline or a shutdown.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than each test needs, and shorter than `START_TIMEOUT`.
const TIMEOUT: Duration = Duration::from_secs(30);

fn forward(broker: &str, deadline: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_forward"))
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker)
        .env("API_TYPE_A_URL", "http://127.0.0.1:9")
        .env("API_TYPE_B_URL", "http://127.0.0.1:9")
        .env("START_TIMEOUT", "120s")
        .env("DEADLINE", deadline)
        .env("SHUTDOWN_TIMEOUT", "2s")
        .args(["run", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn address(broker: &TcpListener) -> String {
    broker.local_addr().unwrap().to_string()
}

fn terminate(run: &Child) {
    let kill = Command::new("kill").arg(run.id().to_string()).status();
    assert!(kill.unwrap().success());
}

/// Waits for the run to end and returns its exit code and report.
fn wait(mut run: Child) -> (Option<i32>, Value) {
    let start = Instant::now();
    while run.try_wait().unwrap().is_none() {
        if start.elapsed() > TIMEOUT {
            run.kill().unwrap();
            panic!("the run did not end in {TIMEOUT:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = run.wait_with_output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
}

#[test]
fn a_run_that_waits_for_the_broker_ends_at_its_deadline() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, report) = wait(forward(&address(&broker), "2s"));
    assert_eq!(code, Some(74), "{report:#}");
}

#[test]
fn a_run_that_waits_for_the_broker_ends_on_sigterm() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let run = forward(&address(&broker), "100s");
    // The signal handlers are installed before the connection is opened.
    let connection = broker.accept().unwrap();
    terminate(&run);
    let (code, report) = wait(run);
    assert_eq!(code, Some(12), "{report:#}");
    assert_eq!(report["outcome"], "more_work");
    let notes = report["notes"].to_string();
    assert!(notes.contains("a signal ended the run"), "{notes}");
    drop(connection);
}

#[test]
fn a_run_ends_on_sigterm_if_the_broker_falls_silent_after_its_metadata() {
    let broker = testkit::silent_broker::start("FrontDoorTopic").unwrap();
    let run = forward(&broker.address, "100s");
    let request = broker.unanswered.recv_timeout(TIMEOUT).unwrap();
    let start = Instant::now();
    terminate(&run);
    let (code, report) = wait(run);
    let took = start.elapsed();
    println!("request {request}, exit code {code:?} after {took:?}");
    assert_eq!(code, Some(12), "{report:#}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// A thread that requests a token may use OpenSSL while the process ends.
#[test]
fn a_run_without_a_token_ends_with_its_exit_code() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let token_url = format!("https://{}/token", closed.local_addr().unwrap());
    drop(closed);
    // The threads use OpenSSL once a second, at the time at which the start ends.
    let start = |_| {
        Command::new(env!("CARGO_BIN_EXE_forward"))
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", address(&broker))
            .env("KAFKA_SECURITY_PROTOCOL", "sasl_ssl")
            .env("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", &token_url)
            .env("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "job")
            .env("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2")
            .env("API_TYPE_A_URL", "http://127.0.0.1:9")
            .env("API_TYPE_B_URL", "http://127.0.0.1:9")
            .env("START_TIMEOUT", "1s")
            .args(["check", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for _ in 0..5 {
        let runs: Vec<_> = (0..8).map(start).collect();
        for run in runs {
            let (code, report) = wait(run);
            assert_eq!(code, Some(74), "{report:#}");
        }
    }
}
