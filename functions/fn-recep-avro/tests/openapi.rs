//! The ingest function conforms to docs/openapi/ingest-function.yaml. `make openapi-check` runs this test; `cargo test`
//! ignores it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use testkit::broker::Broker;
use testkit::program::Program;
use tokio::process::Command;

#[tokio::test]
#[ignore = "installs schemathesis from PyPI"]
async fn responses_conform_to_the_openapi_document() {
    check(&[]).await;
}

#[tokio::test]
#[ignore = "installs schemathesis from PyPI"]
async fn responses_to_unauthorized_requests_conform_to_the_openapi_document() {
    check(&[("CALLER_TOKENS", "s3cret")]).await;
}

async fn check(more: &[(&str, &str)]) {
    let broker = Broker::start().unwrap();
    broker.create_topic("orders", 3).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap()),
        ("KAFKA_TOPIC", "orders"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "text"),
        // A body of three records is a 413.
        ("MAX_RECORDS", "2"),
    ];
    let settings = [&settings[..], more].concat();
    let mut program = Program::start("function", program, &settings, |_| {}).unwrap();
    let line = program.wait_for_line("listening address=").await.unwrap();
    let (_, address) = line.split_once("address=").unwrap();
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/check");
    let status = Command::new(check)
        .args(["ingest-function.yaml", &format!("http://{address}")])
        .status();
    assert!(status.await.unwrap().success(), "{}", program.log());
}
