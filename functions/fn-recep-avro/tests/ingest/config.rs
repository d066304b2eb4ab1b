//! The command line, and invalid configurations.

use std::process::{Command, Stdio};
use std::time::Duration;

use testkit::agent::{Agent, Call};
use testkit::program;

use super::avro_bytes::paul;
use super::fixture::{Fixture, binary, expect_status};

async fn ended(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let ended = Agent::run_to_end(binary(), environment).await.unwrap();
    (ended.code, ended.log)
}

const BROKER: (&str, &str) = ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");

/// An invalid configuration.
struct Invalid {
    environment: &'static [(&'static str, &'static str)],
    /// A part of the sentence in the log.
    logged: &'static str,
    /// A part of the response to a caller, which names the setting.
    answered: &'static str,
    /// What the caller must not receive: the value.
    hidden: &'static str,
}

const INVALID: &[Invalid] = &[
    Invalid {
        environment: &[],
        logged: "KAFKA_BOOTSTRAP_SERVERS is not set",
        answered: "KAFKA_BOOTSTRAP_SERVERS is not set",
        hidden: "redacted",
    },
    Invalid {
        environment: &[BROKER, ("PUBLISH_TIMEOUT", "soon")],
        logged: "PUBLISH_TIMEOUT is \"soon\"",
        answered: "PUBLISH_TIMEOUT is malformed, expected ",
        hidden: "soon",
    },
    Invalid {
        environment: &[BROKER, ("PUBLISH_TIMEOUT", "0s")],
        logged: "PUBLISH_TIMEOUT must be greater than zero",
        answered: "PUBLISH_TIMEOUT is invalid",
        hidden: "0s",
    },
    Invalid {
        environment: &[BROKER, ("LOG_LEVEL", "inof")],
        logged: "LOG_LEVEL is \"inof\"",
        answered: "LOG_LEVEL is malformed",
        hidden: "inof",
    },
    Invalid {
        environment: &[("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://b:9092")],
        logged: "KAFKA_BOOTSTRAP_SERVERS is \"SASL_SSL://b:9092\", expected host:port",
        answered: "KAFKA_BOOTSTRAP_SERVERS is malformed, expected host:port",
        hidden: "SASL_SSL",
    },
    Invalid {
        // Quotes around the whole value are removed.
        environment: &[("KAFKA_BOOTSTRAP_SERVERS", "\"a:9092\",\"b:9092\"")],
        logged: "KAFKA_BOOTSTRAP_SERVERS is",
        answered: "KAFKA_BOOTSTRAP_SERVERS is malformed",
        hidden: "b:9092",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_TOPIC", "my topic")],
        logged: "KAFKA_TOPIC is \"my topic\", expected 1 to 249 characters",
        answered: "KAFKA_TOPIC is malformed, expected 1 to 249 characters",
        hidden: "my topic",
    },
    Invalid {
        environment: &[BROKER, ("MAX_MESSAGE", "2MiB"), ("KAFKA_PROFILE", "oci")],
        logged: "MAX_MESSAGE is 2097152 bytes, and OCI Streaming accepts 1048576",
        answered: "MAX_MESSAGE is invalid",
        hidden: "2097152",
    },
    Invalid {
        environment: &[BROKER, ("MAX_MESSAGE", "0")],
        logged: "MAX_MESSAGE is 0 bytes",
        answered: "MAX_MESSAGE is invalid",
        hidden: "0 bytes",
    },
    Invalid {
        environment: &[BROKER, ("MAX_BODY", "much")],
        logged: "MAX_BODY is \"much\"",
        answered: "MAX_BODY is malformed",
        hidden: "much",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_USERNAME", "user-7")],
        logged: "KAFKA_USERNAME and KAFKA_PASSWORD go together",
        answered: "KAFKA_USERNAME and KAFKA_PASSWORD are invalid, or contradict each other",
        hidden: "user-7",
    },
    Invalid {
        environment: &[BROKER, ("AVRO_SCHEMA", "/nowhere.avsc")],
        logged: "/nowhere.avsc",
        answered: "AVRO_SCHEMA",
        hidden: "nowhere",
    },
    Invalid {
        environment: &[BROKER, ("CONFIG_LOCATION", "/nowhere")],
        logged: "/nowhere",
        answered: "CONFIG_LOCATION",
        hidden: "nowhere",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_KEY_FIELD", "nosuch")],
        logged: "KAFKA_KEY does not fit the Avro schema User: the record has no field nosuch",
        answered: "KAFKA_KEY is invalid",
        hidden: "nosuch",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_KEY", "id + nosuch")],
        logged: "(at character 6)",
        answered: "KAFKA_KEY is invalid",
        hidden: "nosuch",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_TIMESTAMP", "name")],
        logged: "KAFKA_TIMESTAMP does not fit the Avro schema User: expected a timestamp",
        answered: "KAFKA_TIMESTAMP is invalid",
        hidden: "User",
    },
    Invalid {
        environment: &[BROKER, ("KAFKA_HEADERS", "tenant,Cookie")],
        logged: "KAFKA_HEADERS: cookie cannot be copied",
        answered: "KAFKA_HEADERS is invalid",
        hidden: "ookie",
    },
    Invalid {
        environment: &[
            BROKER,
            ("KAFKA_SECURITY_PROTOCOL", "ssl"),
            ("KAFKA_SSL_CA_LOCATION", "/nowhere.pem"),
        ],
        logged: "reading KAFKA_SSL_CA_LOCATION from /nowhere.pem",
        answered: "KAFKA_SSL_CA_LOCATION",
        hidden: "nowhere",
    },
];

/// Asserts that the last line of a log is a sentence of the program with this part.
fn assert_sentence(log: &str, part: &str) {
    let sentence = log.lines().last().unwrap_or_default();
    assert!(sentence.starts_with("fn-recep-avro: "), "{log}");
    assert!(sentence.contains(part), "{log}");
}

#[tokio::test]
async fn an_invalid_configuration_is_one_sentence_and_exit_code_78() {
    for invalid in INVALID {
        // Without a listener of Fn, the host is plain HTTP.
        let host = [("FN_LISTENER", ""), ("LISTEN", "127.0.0.1:0")];
        let environment = [invalid.environment, &host].concat();
        let (code, log) = ended(&environment).await;
        assert_eq!(code, Some(78), "{environment:?}: {log}");
        assert_sentence(&log, invalid.logged);
    }
}

/// Without the contract of the container no response is possible.
#[tokio::test]
async fn an_invalid_socket_or_format_of_fn_is_exit_code_78() {
    let long = format!("unix:/tmp/{}", "x".repeat(110));
    for (variable, logged) in [
        (("FN_FORMAT", "json"), "FN_FORMAT is \"json\""),
        (
            ("FN_LISTENER", "/tmp/x.sock"),
            "FN_LISTENER is \"/tmp/x.sock\"",
        ),
        (("FN_LISTENER", &*long), "FN_LISTENER is "),
    ] {
        let (code, log) = ended(&[BROKER, variable]).await;
        assert_eq!(code, Some(78), "{variable:?}: {log}");
        assert_sentence(&log, logged);
    }
}

/// Fn shows its callers only that a function ended, so the program continues and answers.
#[tokio::test]
async fn a_caller_of_fn_reads_which_setting_is_invalid_but_no_value() {
    for invalid in INVALID {
        let mut function = Agent::start(binary(), invalid.environment).await.unwrap();
        let gateway = Call::http("POST", "/ingest", paul());
        for call in [Call::direct(paul()), gateway] {
            let reply = function.call(call).await.unwrap();
            let body = String::from_utf8_lossy(&reply.body);
            assert_eq!((reply.outer, reply.status), (200, 500), "{body}");
            assert_eq!(reply.headers["content-type"], "application/problem+json");
            let problem = reply.json().unwrap();
            assert_eq!(problem["type"], "urn:problem-type:frontdoor:cannot-start");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(invalid.answered), "{detail}");
            assert!(!body.contains(invalid.hidden), "{body}");
        }
        assert!(function.is_running());
        let log = function.log();
        let sentence = log.lines().find(|line| line.starts_with("fn-recep-avro: "));
        assert!(sentence.unwrap().contains(invalid.logged), "{log}");
    }
}

#[tokio::test]
async fn a_function_that_cannot_start_reads_the_whole_body() {
    let mut function = Agent::start(binary(), &[]).await.unwrap();
    expect_status(&mut function, vec![0; 30_000_000], 500).await;
    expect_status(&mut function, paul(), 500).await;
}

#[tokio::test]
async fn a_corrected_settings_file_starts_the_function_at_a_later_call() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.properties");
    let right = format!("kafka_bootstrap_servers={}\n", fixture.broker.bootstrap());
    std::fs::write(&file, format!("{right}publish_timeout=soon\n")).unwrap();
    let settings = [
        ("CONFIG_LOCATION", file.to_str().unwrap()),
        ("KAFKA_TOPIC", "ingest"),
    ];
    let mut function = Agent::start(binary(), &settings).await.unwrap();
    let reply = expect_status(&mut function, paul(), 500).await;
    let detail = reply.json().unwrap()["detail"].to_string();
    assert!(detail.contains("PUBLISH_TIMEOUT"), "{detail}");
    let ready = Call::http("GET", "/ready", "");
    assert_eq!(function.call(ready).await.unwrap().status, 500);
    std::fs::write(&file, right).unwrap();
    // Not at the next call: each attempt may cost requests to a vault.
    expect_status(&mut function, paul(), 500).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    expect_status(&mut function, paul(), 202).await;
    assert_eq!(fixture.stored().len(), 1);
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
