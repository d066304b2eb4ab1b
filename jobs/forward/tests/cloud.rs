#![allow(clippy::unwrap_used)] // A test fails by panicking.

//! `forward` with settings in Oracle Cloud: the report of `check`, redaction of secrets, and reload of changed secrets.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::oci_standin::{Fault, NAMESPACE, Standin};
use testkit::topics::{NewRecord, Topics};

const TOPIC: &str = "FrontDoorTopic";
const SCHEMA: &[u8] = include_bytes!("../../../schemas/user.avsc");

/// A bucket, a vault, a broker and two endpoints, and the environment variables that refer to them.
struct Fixture {
    cloud: Standin,
    folder: tempfile::TempDir,
    broker: Broker,
    a: Endpoint,
    b: Endpoint,
    variables: HashMap<String, String>,
}

impl Fixture {
    async fn new() -> Self {
        let cloud = Standin::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 3).unwrap();
        let endpoint = || Endpoint::always(Answer::ok()).unwrap();
        let mut fixture = Self {
            variables: HashMap::new(),
            a: endpoint(),
            b: endpoint(),
            cloud,
            folder,
            broker,
        };
        let lines = fixture.cloud.put_secrets(&[
            ("kafka_bootstrap_servers", fixture.broker.bootstrap()),
            ("kafka_topic", TOPIC),
            ("api_type_a_url", &fixture.a.url()),
            ("api_type_b_url", &fixture.b.url()),
            ("api_type_a_token", "canary-a"),
        ]);
        fixture
            .cloud
            .put_object("config", "config.properties", lines.as_bytes());
        fixture
            .cloud
            .put_object("avro-schema-bucket", "user.avsc", SCHEMA);
        let variables = fixture
            .cloud
            .resource_principal(fixture.folder.path(), Duration::from_secs(3600));
        for (name, value) in variables.unwrap() {
            fixture.set(name, &value);
        }
        let endpoint = fixture.cloud.endpoint();
        fixture.set("OCI_ENDPOINT", &endpoint);
        fixture.set("OCI_TIMEOUT", "1s");
        fixture.set("START_TIMEOUT", "5s");
        fixture.set("CONFIG_LOCATION", "oci://config/config.properties");
        fixture.set("AVRO_SCHEMA", "oci://avro-schema-bucket/user.avsc");
        fixture
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    async fn check(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .envs(&self.variables)
            .arg("check")
            .args(arguments);
        // The stand-in runs on this runtime, so the command must not block it.
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!all.contains("canary"), "{all}");
        output
    }

    /// Returns the exit code, and the message of each failed check by name.
    async fn failures(&self) -> (i32, HashMap<String, String>) {
        let output = self.check(&["--output", "json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let failures = checks
            .iter()
            .filter(|check| check["ok"] == false)
            .map(|check| {
                let part = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
                (
                    part("name"),
                    format!("{}: {}; {}", part("target"), part("detail"), part("advice")),
                )
            });
        (output.status.code().unwrap(), failures.collect())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_complete_setup_prints_one_line_for_each_check_and_exits_with_0() {
    let fixture = Fixture::new().await;
    let output = fixture.check(&[]).await;
    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let names: Vec<String> = lines
        .iter()
        .map(|words| {
            assert_eq!(words[0], "ok", "{text}");
            if words[1] == "endpoint" {
                words[1..3].join(" ")
            } else {
                words[1].to_owned()
            }
        })
        .collect();
    assert_eq!(
        names,
        [
            "principal",
            "namespace",
            "config_location",
            "kafka_bootstrap_servers",
            "kafka_topic",
            "api_type_a_url",
            "api_type_b_url",
            "api_type_a_token",
            "avro_schema",
            "settings",
            "routes",
            "schema",
            "broker",
            "topic",
            "group",
            "endpoint A",
            "endpoint B"
        ]
    );
    assert!(
        text.contains(NAMESPACE) && text.contains("FrontDoorTopic, 3 partitions"),
        "{text}"
    );
    assert_eq!(fixture.a.requests().len(), 1);
    assert_eq!(fixture.a.requests()[0].method, "GET");
    assert_eq!(
        fixture.a.requests()[0].header("authorization"),
        Some("Bearer canary-a")
    );
}

#[tokio::test]
async fn all_failed_checks_are_reported_with_advice() {
    let mut fixture = Fixture::new().await;
    fixture.cloud.expire_secret("api_type_a_token");
    fixture.set("AVRO_SCHEMA", "oci://avro-schema-bucket/nothing");
    fixture.set("KAFKA_TOPIC", "no-such-topic");
    fixture.set("API_TYPE_B_URL", "http://127.0.0.1:1/");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    for (name, message) in [
        (
            "api_type_a_token",
            "its content expired at 2020-01-01T00:00:00.000Z; create a new version of the secret",
        ),
        ("avro_schema", "404 ObjectNotFound"),
        (
            "avro_schema",
            "check the name or OCID, and that a policy lets this principal read it",
        ),
        (
            "endpoint B",
            "http://127.0.0.1:1/: no connection: Connection refused",
        ),
    ] {
        assert!(failures[name].contains(message), "{failures:?}");
    }
    assert!(!failures.contains_key("endpoint A"), "{failures:?}");
}

#[tokio::test]
async fn a_missing_principal_is_reported_once() {
    let mut fixture = Fixture::new().await;
    fixture.set("OCI_RESOURCE_PRINCIPAL_RPST", "/nowhere");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert!(
        failures["principal"].contains("OCI_RESOURCE_PRINCIPAL_RPST names /nowhere: No such file"),
        "{failures:?}"
    );
    assert!(
        failures["config_location"].ends_with("not read: see principal; "),
        "{failures:?}"
    );
}

#[tokio::test]
async fn checks_that_depend_on_an_unread_source_refer_to_it() {
    let fixture = Fixture::new().await;
    fixture.cloud.put_object(
        "config",
        "config.properties",
        b"kafka_topic=a\nauth_tokne=canary",
    );
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 78);
    assert_eq!(
        failures["config_location"],
        "oci://config/config.properties: line 2: unknown setting \"auth_tokne\"; --help lists the settings; "
    );
    for name in ["settings", "routes", "schema"] {
        let message = failures.get(name).map_or("", String::as_str);
        assert_eq!(
            message, ": not checked: see config_location; ",
            "{failures:?}"
        );
    }
    let fixture = Fixture::new().await;
    fixture.cloud.expire_secret("kafka_bootstrap_servers");
    let (_, failures) = fixture.failures().await;
    assert_eq!(
        failures["settings"],
        ": not checked: see kafka_bootstrap_servers; "
    );
    assert!(!failures.contains_key("schema"), "{failures:?}");
}

#[tokio::test]
async fn an_unreachable_broker_is_reported_within_its_timeout() {
    let mut fixture = Fixture::new().await;
    fixture.set("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");
    fixture.set("START_TIMEOUT", "1s");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 74);
    assert!(
        failures["broker"].contains("Connection refused"),
        "{failures:?}"
    );
    assert!(
        failures["broker"].contains("check that the broker is running"),
        "{failures:?}"
    );
    fixture.set("KAFKA_BOOTSTRAP_SERVERS", "no-such-host.invalid:9092");
    let (_, failures) = fixture.failures().await;
    assert!(
        failures["broker"].contains("check KAFKA_BOOTSTRAP_SERVERS"),
        "{failures:?}"
    );
}

#[tokio::test]
async fn an_unresponsive_broker_and_endpoint_are_reported_within_their_timeouts() {
    let mut fixture = Fixture::new().await;
    // The listener accepts connections and never responds.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    fixture.set("KAFKA_BOOTSTRAP_SERVERS", &address);
    fixture.set("START_TIMEOUT", "1s");
    fixture.set("API_TYPE_A_URL", &format!("http://{address}/"));
    fixture.set("API_TYPE_B_URL", &format!("https://{address}/"));
    fixture.set("REQUEST_TIMEOUT", "1s");
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 74);
    assert!(
        failures["broker"].contains("no answer within 1.0s; check that the broker is running"),
        "{failures:?}"
    );
    for name in ["endpoint A", "endpoint B"] {
        assert!(
            failures[name].contains("no response within 1s; check that it is running"),
            "{failures:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_rejects_the_token_or_answers_503_is_reported() {
    let mut fixture = Fixture::new().await;
    fixture.a = Endpoint::always(Answer::status(401)).unwrap();
    fixture.b = Endpoint::always(Answer::status(503)).unwrap();
    let (url_a, url_b) = (fixture.a.url(), fixture.b.url());
    fixture.set("API_TYPE_A_URL", &url_a);
    fixture.set("API_TYPE_B_URL", &url_b);
    let (code, failures) = fixture.failures().await;
    assert_eq!(code, 75);
    assert!(
        failures["endpoint A"].contains("responds 401 Unauthorized; check the route's token"),
        "{failures:?}"
    );
    assert!(
        failures["endpoint B"]
            .contains("responds 503 Service Unavailable; see the log of the endpoint"),
        "{failures:?}"
    );
}

#[test]
fn tls_trusts_the_system_authorities_unless_others_are_configured() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let others = file.path().to_str().unwrap();
    let authorities = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092")
            .envs(variables.iter().copied())
            .args(["settings", "--kafka"]);
        let output = text(&command.output().unwrap().stdout);
        assert!(output.contains("security.protocol="), "{output}");
        let mut found = output
            .lines()
            .filter_map(|line| line.strip_prefix("ssl.ca.location="));
        found.next().map(str::to_owned)
    };
    let tls = ("KAFKA_SECURITY_PROTOCOL", "ssl");
    let system = authorities(&[tls]).expect("the system has certificate authorities");
    assert!(std::path::Path::new(&system).exists());
    // OpenSSL reads `SSL_CERT_FILE` itself.
    assert_eq!(authorities(&[tls, ("SSL_CERT_FILE", others)]), None);
    assert_eq!(
        authorities(&[tls, ("KAFKA_SSL_CA_LOCATION", others)]).as_deref(),
        Some(others)
    );
    assert_eq!(authorities(&[]), None);
}

#[tokio::test]
async fn kafka_settings_are_printed_with_librdkafka_names() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env(
            "KAFKA_BOOTSTRAP_SERVERS",
            "cell-1.streaming.sa-saopaulo-1.oci.oraclecloud.com:9092",
        )
        .env("KAFKA_USERNAME", "tenancy/user/pool")
        .env("KAFKA_PASSWORD", "canary")
        .args(["settings", "--kafka"]);
    let output = text(&command.output().unwrap().stdout);
    for line in [
        "# reader; other properties have librdkafka's defaults",
        "security.protocol=sasl_ssl",
        "sasl.password=[redacted]",
        "enable.idempotence=false",
        "group.protocol=classic",
    ] {
        assert!(
            output.lines().any(|known| known == line),
            "{line}: {output}"
        );
    }
    assert!(!output.contains("canary"));
}

#[tokio::test]
async fn forward_never_prints_a_secret() {
    let mut fixture = Fixture::new().await;
    let id = fixture
        .cloud
        .put_secret("kafka_password", b"canary-in-the-vault");
    let lines = format!(
        "kafka_password_vaultOCID={id}\nkafka_username=u\nkafka_security_protocol=sasl_plaintext\napi_type_b_token=canary-b\n"
    );
    fixture
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    for (name, value) in [
        ("LOG_LEVEL", "trace"),
        ("START_TIMEOUT", "1s"),
        ("API_TYPE_A_TOKEN", "canary-a"),
        ("API_TYPE_A_URL", "http://127.0.0.1:1/"),
        ("API_TYPE_B_URL", "http://127.0.0.1:1/?key=canary"),
    ] {
        fixture.set(name, value);
    }
    let bootstrap = fixture.broker.bootstrap().to_owned();
    fixture.set("KAFKA_BOOTSTRAP_SERVERS", &bootstrap);
    // The key and the token of the principal are secrets too.
    let file = |name: &str| std::fs::read_to_string(fixture.folder.path().join(name)).unwrap();
    let key = file("private.pem").lines().nth(1).unwrap().to_owned();
    let token = file("rpst").split('.').nth(2).unwrap().to_owned();
    for arguments in [
        &["check"][..],
        &["run"],
        &["run", "--output", "json"],
        &["settings"],
        &["settings", "--kafka"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command.env_clear().envs(&fixture.variables).args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(all.len() > 100, "{arguments:?}: {all}");
        for secret in ["canary", &key, &token] {
            assert!(!all.contains(secret), "{arguments:?} wrote {secret}: {all}");
        }
    }
}

#[tokio::test]
async fn a_repeating_run_uses_a_changed_secret() {
    let mut fixture = Fixture::new().await;
    fixture.set("SECRET_REFRESH_INTERVAL", "100ms");
    let other = Endpoint::always(Answer::ok()).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .envs(&fixture.variables)
        .args(["run", "--every", "100ms", "--output", "json"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let datum = b"\xe4\x0f\x08Paul\x06p@x".to_vec();
    let topics = Topics::connect(fixture.broker.bootstrap()).unwrap();
    let write = || {
        topics
            .write(TOPIC, &[NewRecord::to(0, datum.clone())])
            .unwrap()
    };
    write();
    wait_until(|| fixture.a.count() == 1).await;
    // A vault error and an invalid value leave the settings unchanged.
    fixture.cloud.inject_fault(
        "secretbundles",
        Fault::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        5,
    );
    fixture.cloud.put_secret("api_type_a_url", b"no URL");
    tokio::time::sleep(Duration::from_millis(500)).await;
    write();
    wait_until(|| fixture.a.count() == 2).await;
    fixture
        .cloud
        .put_secret("api_type_a_url", format!("{}\n", other.url()).as_bytes());
    wait_until(|| {
        write();
        other.count() > 0
    })
    .await;
    let id = child.id().unwrap().to_string();
    assert!(
        tokio::process::Command::new("kill")
            .arg(id)
            .status()
            .await
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().await.unwrap();
    let log = text(&output.stderr);
    // 0 between two windows, 12 within a window.
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 12)), "{code:?}: {log}");
    assert!(
        log.contains("keeping the current ones") && log.contains("refresh failed, last value kept"),
        "{log}"
    );
}

async fn wait_until(mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The encodings in which a text may contain the token.
fn encodings_of(token: &str) -> Vec<String> {
    let hex = |byte: u8| format!("%{byte:02X}");
    let mut all = vec![token.to_owned(), token.bytes().map(hex).collect()];
    all.push(all[1].to_lowercase());
    // The base64 characters that encode only the token, at each alignment.
    for before in 0..3 {
        for engine in [&STANDARD, &URL_SAFE] {
            let encoded = engine.encode(format!("{}{token}", &"xx"[..before]));
            let (start, end) = ((before * 8).div_ceil(6), (before + token.len()) * 8 / 6);
            all.push(encoded[start..end].to_owned());
        }
    }
    all
}

/// A response that contains parts of the request.
type Echo = fn(&Request) -> Answer;

fn authorization(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

fn rejection(body: impl Into<Vec<u8>>) -> Answer {
    Answer::status(422).body(body)
}

/// A rejection with this text. The excerpt limit cuts the text `missing` bytes before its end.
fn cut(text: &str, missing: usize) -> Answer {
    rejection(".".repeat(1024 + missing - text.len()) + text)
}

const ECHOES: [(&str, Echo); 11] = [
    ("plain", |request| {
        rejection(format!("no such token: {}", authorization(request)))
    }),
    ("JSON", |request| {
        let header = authorization(request).replace('/', "\\/");
        rejection(format!("{{\"authorization\":\"{header}\"}}"))
    }),
    ("base64", |request| {
        rejection(STANDARD.encode(authorization(request)))
    }),
    ("Basic", |request| {
        let token = authorization(request).trim_start_matches("Bearer ");
        rejection(STANDARD.encode(format!("user:{token}")))
    }),
    ("URL-encoded", |request| {
        let bytes = authorization(request).bytes();
        rejection(bytes.map(|byte| format!("%{byte:02x}")).collect::<String>())
    }),
    ("the query", |request| {
        rejection(format!("no such page: {}", request.target))
    }),
    ("two writes", |request| {
        rejection(authorization(request)).in_two_writes()
    }),
    ("cut by a stall", |request| {
        rejection(authorization(request).repeat(2)).stalling_in_body()
    }),
    ("cut in plain text", |request| {
        cut(authorization(request), 5)
    }),
    ("cut in base64", |request| {
        cut(&STANDARD.encode(authorization(request)), 7)
    }),
    ("server error", |request| {
        Answer::status(500).body(authorization(request))
    }),
];

#[tokio::test]
async fn a_token_echoed_by_an_endpoint_is_redacted() {
    const TOKEN: &str = "canary/of+the~token";
    const KEY: &str = "canary-in-the-query";
    let datum = b"\xe4\x0f\x08Paul\x06p@x".to_vec();
    for (name, script) in ECHOES {
        let a = Endpoint::start(script).unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 1).unwrap();
        broker
            .create_topic("FrontDoorTopic-dead-letter", 1)
            .unwrap();
        let topics = Topics::connect(broker.bootstrap()).unwrap();
        topics
            .write(TOPIC, &[NewRecord::to(0, datum.clone())])
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("report.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
            .env("API_TYPE_A_URL", format!("{}?key={KEY}", a.url()))
            .env("API_TYPE_A_TOKEN", TOKEN)
            .env("API_TYPE_B_URL", "http://127.0.0.1:1/")
            .env("LOG_LEVEL", "trace")
            .env("MAX_ATTEMPTS", "2")
            .args(["run", "--report"])
            .arg(&report);
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let mut all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        all += &std::fs::read_to_string(&report).unwrap();
        let status = if name == "server error" { "500" } else { "422" };
        assert!(a.count() > 0 && all.contains(status), "{name}: {all}");
        if status == "422" {
            let dead_letters =
                testkit::records::all(broker.bootstrap(), "FrontDoorTopic-dead-letter").unwrap();
            let reason = dead_letters[0]
                .header("__connect.errors.exception.message")
                .unwrap();
            assert!(reason.contains("[redacted]"), "{name}: {reason}");
            for (_, value) in &dead_letters[0].headers {
                all += &String::from_utf8_lossy(value.as_deref().unwrap_or_default());
                all.push('\n');
            }
        }
        for secret in [TOKEN, KEY].into_iter().flat_map(encodings_of) {
            // The start of the secret must be absent too, where the text of the endpoint was cut.
            let part = &secret[..secret.len().min(8)];
            assert!(!all.contains(part), "{name} wrote {part}:\n{all}");
        }
    }
}

#[tokio::test]
async fn a_replaced_token_and_its_successor_are_both_redacted() {
    let mut fixture = Fixture::new().await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let known = std::sync::Arc::clone(&seen);
    fixture.a = Endpoint::start(move |request| {
        let header = request.header("authorization").unwrap_or_default();
        let mut known = known.lock().unwrap();
        if !known.iter().any(|one| one == header) {
            known.push(header.to_owned());
        }
        Answer::status(403).body(format!("unknown: {known:?}"))
    })
    .unwrap();
    let url = fixture.a.url();
    fixture.set("API_TYPE_A_URL", &url);
    fixture.set("SECRET_REFRESH_INTERVAL", "100ms");
    let topics = Topics::connect(fixture.broker.bootstrap()).unwrap();
    let datum = b"\xe4\x0f\x08Paul\x06p@x".to_vec();
    topics.write(TOPIC, &[NewRecord::to(0, datum)]).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .envs(&fixture.variables)
        .args(["run", "--every", "100ms"])
        .stdout(log.as_file().try_clone().unwrap())
        .stderr(log.as_file().try_clone().unwrap())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let tokens = || seen.lock().unwrap().len();
    wait_until(|| tokens() == 1).await;
    fixture
        .cloud
        .put_secret("api_type_a_token", b"canary-the-second");
    wait_until(|| tokens() == 2).await;
    let count = fixture.a.count();
    wait_until(|| fixture.a.count() > count + 1).await;
    let id = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    assert!(kill.arg(id).status().await.unwrap().success());
    child.wait().await.unwrap();
    let all = std::fs::read_to_string(log.path()).unwrap();
    let both = "unknown: [\\\"Bearer [redacted]\\\", \\\"Bearer [redacted]\\\"]";
    assert!(all.contains(both), "{all}");
    assert!(!all.contains("canary"), "{all}");
}

#[tokio::test]
async fn a_session_token_echoed_by_the_cloud_is_redacted() {
    let bodies: [fn(&str) -> String; 3] = [
        |token| {
            format!("{{\"code\":\"NotAuthorized\",\"message\":\"keyId ST${token} is unknown\"}}")
        },
        |token| format!("<html>{token}</html>"),
        // An error message is cut after 400 characters, within the token.
        |token| format!("{} {token}", "x".repeat(380)),
    ];
    for body in bodies {
        let mut fixture = Fixture::new().await;
        fixture.set("LOG_LEVEL", "trace");
        let token = std::fs::read_to_string(fixture.folder.path().join("rpst")).unwrap();
        let token = token.trim();
        let fault = Fault::Refusal(403, body(token).into_bytes());
        fixture.cloud.inject_fault("secretbundles", fault, 1000);
        for arguments in [&["check"][..], &["run", "--output", "json"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
            command.env_clear().envs(&fixture.variables).args(arguments);
            let output = tokio::task::spawn_blocking(move || command.output())
                .await
                .unwrap()
                .unwrap();
            let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert!(all.contains("403") && all.contains("[redacted]"), "{all}");
            assert!(!all.contains(&token[..8]), "{all}");
        }
    }
}

#[test]
fn a_password_echoed_by_the_broker_is_redacted() {
    const PASSWORD: &str = "Zq-canary-of-the-broker";
    // librdkafka keeps 511 bytes of an error; each padding cuts the password at a different position.
    for padding in [0, 455, 460, 465, 470] {
        let broker = testkit::echo_broker::start(padding).unwrap();
        for arguments in [&["check"][..], &["run", "--output", "json"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_forward"))
                .env_clear()
                .env("KAFKA_BOOTSTRAP_SERVERS", &broker)
                .env("KAFKA_USERNAME", "u")
                .env("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext")
                .env("KAFKA_PASSWORD", PASSWORD)
                .env("API_TYPE_A_URL", "http://127.0.0.1:1/")
                .env("API_TYPE_B_URL", "http://127.0.0.1:1/")
                .env("START_TIMEOUT", "3s")
                .env("LOG_LEVEL", "trace")
                .args(arguments)
                .output()
                .unwrap();
            let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert!(all.contains("SASL authentication error"), "{all}");
            assert!(all.contains("[redacted]"), "{padding}: {all}");
            assert!(!all.contains(&PASSWORD[..2]), "{padding}: {all}");
        }
    }
}
