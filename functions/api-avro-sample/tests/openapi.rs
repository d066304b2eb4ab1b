//! The sample endpoint conforms to docs/openapi/sample-endpoint.yaml. `make openapi-check` runs this test; `cargo test`
//! ignores it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use testkit::program::Program;
use tokio::process::Command;

#[tokio::test]
#[ignore = "installs schemathesis from PyPI"]
async fn responses_conform_to_the_openapi_document() {
    check(&[("MAX_RECORDS", "2")]).await;
}

#[tokio::test]
#[ignore = "installs schemathesis from PyPI"]
async fn responses_to_unauthorized_requests_conform_to_the_openapi_document() {
    check(&[("CALLER_TOKENS", "s3cret")]).await;
}

async fn check(settings: &[(&str, &str)]) {
    let program = Path::new(env!("CARGO_BIN_EXE_api-avro-sample"));
    let common = [("LISTEN", "127.0.0.1:0"), ("LOG_FORMAT", "text")];
    let settings = [&common, settings].concat();
    let mut program = Program::start("API", program, &settings, |_| {}).unwrap();
    let url = format!("http://{}", program.address().await.unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/check");
    let status = Command::new(script)
        .args(["sample-endpoint.yaml", &url])
        .status();
    assert!(status.await.unwrap().success(), "{}", program.log());
}
