//! Requests that other libraries make: signatures of Standard Webhooks' own and PyJWT, events of CloudEvents' SDK. `make
//! callers-check` runs these tests; `cargo test` ignores them.

#![allow(clippy::unwrap_used)]

use std::io::{Seek, Write};
use std::path::Path;

use runtime::text::hex;
use serde_json::{Map, Value, json};
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint};
use testkit::program::Program;
use testkit::records;
use tokio::process::Command;

#[tokio::test]
#[ignore = "installs packages from PyPI"]
async fn accepts_what_other_libraries_sign() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &[]).await;
    let jwks = std::fs::read(folder.path().join("jwks.json")).unwrap();
    let issuer = Endpoint::always(Answer::ok().body(jwks)).unwrap();
    let issuer = issuer.url();
    let broker = Broker::start().unwrap();
    broker.create_topic("orders", 1).unwrap();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("KAFKA_TOPIC", "orders"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "text"),
        ("CALLER_JWT_JWKS_URL", &issuer),
        ("CALLER_JWT_ISSUER", "https://issuer.example"),
        ("CALLER_JWT_AUDIENCE", "orders"),
        (
            "CALLER_WEBHOOK_SECRETS",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let mut program = Program::start("function", program, &settings, |_| {}).unwrap();
    let line = program.wait_for_line("listening address=").await.unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    run(folder.path(), &[&format!("http://{address}/")]).await;
    // Nine algorithms, and two signatures of three bodies.
    let stored = records::all(broker.bootstrap(), "orders").unwrap();
    assert_eq!(stored.len(), 9 + 6);
}

async fn run(folder: &Path, more: &[&str]) {
    let status = python("callers.py").arg(folder).args(more).status().await;
    assert!(status.unwrap().success());
}

/// A program of the folder `callers`.
fn python(program: &str) -> Command {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/callers/python");
    let mut command = Command::new(script);
    command.arg(program);
    command
}

#[tokio::test]
#[ignore = "installs packages from PyPI"]
async fn stores_events_as_the_kafka_binding_of_cloudevents() {
    let broker = Broker::start().unwrap();
    broker.create_topic("events", 1).unwrap();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("KAFKA_TOPIC", "events"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "text"),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let mut program = Program::start("function", program, &settings, |_| {}).unwrap();
    let line = program.wait_for_line("listening address=").await.unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    let url = format!("http://{address}/");
    let sent = events(&["send", &url], "").await;
    assert_eq!(sent.len(), 5);

    let mut messages = String::new();
    for record in records::all(broker.bootstrap(), "events").unwrap() {
        let headers = record.headers.iter();
        let headers: Map<String, Value> = headers
            .map(|(name, value)| (name.clone(), hex(value.as_ref().unwrap()).into()))
            .collect();
        let value = hex(&record.value.unwrap());
        let message = json!({"headers": headers, "value": value});
        messages.push_str(&format!("{message}\n"));
    }
    assert_eq!(events(&["read"], &messages).await, sent);
}

/// Runs `events.py` with this input, and returns the lines that it prints.
async fn events(arguments: &[&str], input: &str) -> Vec<Value> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    file.rewind().unwrap();
    let mut command = python("events.py");
    command.args(arguments).stdin(file);
    let output = command.output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
