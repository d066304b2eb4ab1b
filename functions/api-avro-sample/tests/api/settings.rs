//! The settings of the endpoint, and the messages for invalid ones.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Output;

use testkit::program;
use tokio::net::TcpListener;

use super::PROGRAM;

#[tokio::test]
async fn a_token_that_is_not_utf_8_is_a_configuration_error() {
    let mut command = program::command(Path::new(PROGRAM));
    command.env("LISTEN", "127.0.0.1:0");
    command.env("CALLER_TOKENS", OsStr::from_bytes(b"s3cr\xe9t"));
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "api-avro-sample: CALLER_TOKENS is set to bytes that are not UTF-8 text\n"
    );
}

async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = program::command(Path::new(PROGRAM));
    command.args(arguments).envs(settings.iter().copied());
    command.output().await.unwrap()
}

#[tokio::test]
async fn an_invalid_setting_is_reported_in_one_sentence() {
    for (setting, value, expected) in [
        (
            "API_MAX_RECORDS",
            "0",
            "API_MAX_RECORDS is \"0\", expected a number from 1 to 10000",
        ),
        ("API_MAX_KEYS", "many", "API_MAX_KEYS is \"many\""),
        ("MAX_BODY", "6 parsecs", "MAX_BODY is \"6 parsecs\""),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is \"xml\""),
        (
            "AVRO_SCHEMA",
            "/nowhere/user.avsc",
            "AVRO_SCHEMA from /nowhere/user.avsc",
        ),
    ] {
        let output = run(&[], &[("LISTEN", "127.0.0.1:0"), (setting, value)]).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&[], &[("LISTEN", &address)]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{stderr}");
    assert!(stderr.contains("which cannot be bound"), "{stderr}");
    assert_eq!(run(&["--api-keap", "1"], &[]).await.status.code(), Some(64));
    let output = run(&["--help"], &[]).await;
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(help.contains("--api-title"), "{help}");
    assert!(help.contains("CALLER_TOKENS"), "{help}");
}
