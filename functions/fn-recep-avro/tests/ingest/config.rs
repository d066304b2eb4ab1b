//! The command line, and invalid configurations.

use std::process::{Command, Stdio};

use testkit::agent::Agent;
use testkit::program;

use super::fixture::binary;

async fn ended(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = Agent::run_to_end(binary(), environment).await.unwrap();
    (ended.code, ended.log)
}

#[tokio::test]
async fn an_invalid_configuration_is_one_sentence_and_exit_code_78() {
    let broker = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");
    let long = format!("unix:/tmp/{}", "x".repeat(110));
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[], "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (
            &[broker, ("PUBLISH_TIMEOUT", "soon")],
            "PUBLISH_TIMEOUT is \"soon\"",
        ),
        (
            &[broker, ("PUBLISH_TIMEOUT", "0s")],
            "PUBLISH_TIMEOUT must be greater than zero",
        ),
        (
            &[("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://b:9092")],
            "KAFKA_BOOTSTRAP_SERVERS is \"SASL_SSL://b:9092\", expected host:port",
        ),
        (
            // Quotes around the whole value are removed.
            &[("KAFKA_BOOTSTRAP_SERVERS", "\"a:9092\",\"b:9092\"")],
            "KAFKA_BOOTSTRAP_SERVERS is",
        ),
        (
            &[broker, ("KAFKA_TOPIC", "my topic")],
            "KAFKA_TOPIC is \"my topic\", expected 1 to 249 characters",
        ),
        (
            &[broker, ("MAX_MESSAGE", "2MiB"), ("KAFKA_PROFILE", "oci")],
            "MAX_MESSAGE is 2097152 bytes, and OCI Streaming accepts 1048576",
        ),
        (&[broker, ("MAX_MESSAGE", "0")], "MAX_MESSAGE is 0 bytes"),
        (&[broker, ("MAX_BODY", "much")], "MAX_BODY is \"much\""),
        (
            &[broker, ("KAFKA_USERNAME", "u")],
            "KAFKA_USERNAME and KAFKA_PASSWORD go together",
        ),
        (&[broker, ("AVRO_SCHEMA", "/nowhere.avsc")], "/nowhere.avsc"),
        (&[broker, ("CONFIG_LOCATION", "/nowhere")], "/nowhere"),
        (
            &[broker, ("KAFKA_KEY_FIELD", "nosuch")],
            "KAFKA_KEY does not fit the Avro schema User: the record has no field nosuch",
        ),
        (&[broker, ("KAFKA_KEY", "id + nosuch")], "(at character 6)"),
        (
            &[broker, ("KAFKA_TIMESTAMP", "name")],
            "KAFKA_TIMESTAMP does not fit the Avro schema User: expected a timestamp",
        ),
        (
            &[broker, ("KAFKA_HEADERS", "tenant,Cookie")],
            "KAFKA_HEADERS: cookie cannot be copied",
        ),
        (&[broker, ("FN_FORMAT", "json")], "FN_FORMAT is \"json\""),
        (
            &[broker, ("FN_LISTENER", "/tmp/x.sock")],
            "FN_LISTENER is \"/tmp/x.sock\"",
        ),
        (&[broker, ("FN_LISTENER", &long)], "FN_LISTENER is "),
        (
            &[
                broker,
                ("KAFKA_SECURITY_PROTOCOL", "ssl"),
                ("KAFKA_SSL_CA_LOCATION", "/nowhere.pem"),
            ],
            "reading KAFKA_SSL_CA_LOCATION from /nowhere.pem",
        ),
    ];
    for (environment, wanted) in cases {
        let (code, log) = ended(environment).await;
        assert_eq!(code, Some(78), "{environment:?}: {log}");
        let sentence = log.lines().last().unwrap_or_default();
        assert!(
            sentence.starts_with("fn-recep-avro: "),
            "{environment:?}: {log}"
        );
        assert!(sentence.contains(wanted), "{environment:?}: {log}");
    }
}

#[tokio::test]
async fn two_hosts_or_an_incomplete_lambda_environment_are_configuration_errors() {
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
    let (code, log) = ended(&[lambda]).await;
    assert_eq!(code, Some(78));
    assert!(log.contains("AWS_LAMBDA_FUNCTION_NAME"), "{log}");
    let all = [
        lambda,
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ];
    let (code, log) = ended(&all).await;
    assert_eq!(code, Some(78));
    assert!(
        log.contains("FN_LISTENER and AWS_LAMBDA_RUNTIME_API"),
        "{log}"
    );
}

pub(super) fn run(
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = program::spawn(|| command.spawn()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn help_lists_the_settings_and_print_config_their_values() {
    let (code, out, _) = run(&["--help"], &[]);
    assert_eq!(code, Some(0));
    for flag in [
        "--kafka-key",
        "--publish-timeout",
        "--listen",
        "--max-body",
        "--print-config",
    ] {
        assert!(out.contains(flag), "{flag} in {out}");
    }
    assert!(
        !out.contains("--kafka-group-id"),
        "the job's settings are not the function's"
    );
    let environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", "b:9092"),
        ("KAFKA_USERNAME", "u"),
        ("KAFKA_PASSWORD", "hunter2"),
    ];
    let (code, out, err) = run(&["--print-config", "--kafka-topic", "orders"], &environment);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("kafka_topic=orders (flag)\n"), "{out}");
    assert!(
        out.contains("kafka_bootstrap_servers=b:9092 (environment)\n"),
        "{out}"
    );
    assert!(out.contains("publish_timeout=10s (default)\n"), "{out}");
    assert!(
        !out.contains("kafka_group_id="),
        "not a setting of the function: {out}"
    );
    assert!(
        out.contains("kafka_password=[redacted] (environment)\n"),
        "{out}"
    );
    assert!(!out.contains("hunter2") && !err.contains("hunter2"));
}

#[test]
fn an_unknown_flag_is_a_usage_error_and_a_taken_port_is_named() {
    assert_eq!(run(&["--kafka-topc", "x"], &[]).0, Some(64));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let environment = [
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
        ("LISTEN", address.as_str()),
    ];
    let (code, _, err) = run(&[], &environment);
    assert_eq!(code, Some(78));
    assert!(err.contains(&format!("LISTEN is {address}")), "{err}");
}

/// The reader of the output may exit before the first byte, as `head` may.
#[test]
fn a_closed_output_is_not_an_error() {
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", "b:9092")];
    for (argument, code) in [("--print-config", 0), ("--help", 0), ("--no-such-flag", 64)] {
        let mut command = Command::new(binary());
        command
            .arg(argument)
            .env_clear()
            .envs(settings)
            .stdout(closed_pipe())
            .stderr(closed_pipe());
        let mut child = program::spawn(|| command.spawn()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code), "{argument}");
    }
    let mut command = Command::new(binary());
    command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", "b:9092")
        .env("LOG_LEVEL", "inof")
        .stderr(closed_pipe());
    let mut child = program::spawn(|| command.spawn()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(78));
}

/// The writing end of a pipe whose reading end is closed.
fn closed_pipe() -> std::io::PipeWriter {
    let (_, writer) = std::io::pipe().unwrap();
    writer
}

#[test]
fn print_config_names_the_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.properties");
    std::fs::write(&file, "kafka_bootstrap_servers=b:9092\n").unwrap();
    let location = file.to_str().unwrap();
    let (code, out, err) = run(&["--print-config", "--config-location", location], &[]);
    assert_eq!(code, Some(0), "{err}");
    let line = "kafka_bootstrap_servers=b:9092 (config.properties)\n";
    assert!(out.contains(line), "{out}");
}
