//! Requests that other libraries sign: Standard Webhooks' own and PyJWT. `make callers-check` runs this test; `cargo
//! test` ignores it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

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
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/callers/python");
    let status = Command::new(script).arg(folder).args(more).status().await;
    assert!(status.unwrap().success());
}
