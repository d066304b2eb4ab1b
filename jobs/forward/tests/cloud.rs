#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

//! The real `forward` with its settings in Oracle Cloud: what `check` asks and says, what no command ever says, and
//! what a secret that is changed means to a process that stays.

use std::collections::HashMap;
use std::process::{Command, Output};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::Value;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint, Request};
use testkit::oci_standin::{NAMESPACE, Standin, Trouble};
use testkit::topics::{New, Topics};

const TOPIC: &str = "FrontDoorTopic";
const SCHEMA: &[u8] = include_bytes!("../../../schemas/user.avsc");

/// A machine in the cloud of the tutorial: bucket, vault, broker and two endpoints.
struct Place {
    cloud: Standin,
    folder: tempfile::TempDir,
    broker: Broker,
    a: Endpoint,
    b: Endpoint,
    variables: HashMap<String, String>,
}

impl Place {
    async fn new() -> Self {
        let cloud = Standin::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 3).unwrap();
        let endpoint = || Endpoint::always(Answer::ok()).unwrap();
        let mut place = Self {
            variables: HashMap::new(),
            a: endpoint(),
            b: endpoint(),
            cloud,
            folder,
            broker,
        };
        let lines = place.cloud.put_secrets(&[
            ("kafka_bootstrap_servers", place.broker.bootstrap()),
            ("kafka_topic", TOPIC),
            ("api_type_a_url", &place.a.url()),
            ("api_type_b_url", &place.b.url()),
            ("api_type_a_token", "canary-a"),
        ]);
        place
            .cloud
            .put_object("config", "config.properties", lines.as_bytes());
        place
            .cloud
            .put_object("avro-schema-bucket", "user.avsc", SCHEMA);
        let variables = place
            .cloud
            .resource_principal(place.folder.path(), Duration::from_secs(3600));
        for (name, value) in variables.unwrap() {
            place.set(name, &value);
        }
        let endpoint = place.cloud.endpoint();
        place.set("OCI_ENDPOINT", &endpoint);
        place.set("OCI_TIMEOUT", "1s");
        place.set("START_TIMEOUT", "5s");
        place.set("CONFIG_LOCATION", "oci://config/config.properties");
        place.set("AVRO_SCHEMA", "oci://avro-schema-bucket/user.avsc");
        place
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
        // The stand-in answers on this very runtime.
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!all.contains("canary"), "{all}");
        output
    }

    /// Exit code, and what each check that failed says.
    async fn wrong(&self) -> (i32, HashMap<String, String>) {
        let output = self.check(&["--output", "json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let wrong = checks
            .iter()
            .filter(|check| check["ok"] == false)
            .map(|check| {
                let part = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
                (
                    part("name"),
                    format!("{}: {}; {}", part("target"), part("detail"), part("advice")),
                )
            });
        (output.status.code().unwrap(), wrong.collect())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_machine_that_has_everything_gets_a_line_for_each_thing_and_exit_code_0() {
    let place = Place::new().await;
    let output = place.check(&[]).await;
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
    assert_eq!(place.a.requests().len(), 1);
    assert_eq!(place.a.requests()[0].method, "GET");
    assert_eq!(
        place.a.requests()[0].header("authorization"),
        Some("Bearer canary-a")
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_with_what_to_do() {
    let mut place = Place::new().await;
    place.cloud.expire_secret("api_type_a_token");
    place.set("AVRO_SCHEMA", "oci://avro-schema-bucket/nothing");
    place.set("KAFKA_TOPIC", "no-such-topic");
    place.set("API_TYPE_B_URL", "http://127.0.0.1:1/");
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 78);
    for (name, sentence) in [
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
        assert!(wrong[name].contains(sentence), "{wrong:?}");
    }
    assert!(!wrong.contains_key("endpoint A"), "{wrong:?}");
}

#[tokio::test]
async fn nobody_is_told_once_and_not_for_each_thing() {
    let mut place = Place::new().await;
    place.set("OCI_RESOURCE_PRINCIPAL_RPST", "/nowhere");
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 78);
    assert!(
        wrong["principal"].contains("OCI_RESOURCE_PRINCIPAL_RPST names /nowhere: No such file"),
        "{wrong:?}"
    );
    assert!(
        wrong["config_location"].ends_with("not read: see principal; "),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn what_follows_from_a_part_that_is_unread_is_not_blamed_on_anything_else() {
    let place = Place::new().await;
    place.cloud.put_object(
        "config",
        "config.properties",
        b"kafka_topic=a\nauth_tokne=canary",
    );
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 78);
    assert_eq!(
        wrong["config_location"],
        "oci://config/config.properties: line 2: unknown setting \"auth_tokne\"; --help lists the settings; "
    );
    for name in ["settings", "routes", "schema"] {
        let told = wrong.get(name).map_or("", String::as_str);
        assert_eq!(told, ": not checked: see config_location; ", "{wrong:?}");
    }
    let place = Place::new().await;
    place.cloud.expire_secret("kafka_bootstrap_servers");
    let (_, wrong) = place.wrong().await;
    assert_eq!(
        wrong["settings"],
        ": not checked: see kafka_bootstrap_servers; "
    );
    assert!(!wrong.contains_key("schema"), "{wrong:?}");
}

#[tokio::test]
async fn a_broker_that_is_away_is_told_within_its_time() {
    let mut place = Place::new().await;
    place.set("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1");
    place.set("START_TIMEOUT", "1s");
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 74);
    assert!(wrong["broker"].contains("Connection refused"), "{wrong:?}");
    assert!(
        wrong["broker"].contains("check that the broker is running"),
        "{wrong:?}"
    );
    place.set("KAFKA_BOOTSTRAP_SERVERS", "no-such-host.invalid:9092");
    let (_, wrong) = place.wrong().await;
    assert!(
        wrong["broker"].contains("check KAFKA_BOOTSTRAP_SERVERS"),
        "{wrong:?}"
    );
}

#[tokio::test]
async fn a_broker_and_an_endpoint_that_never_answer_are_told_within_their_time() {
    let mut place = Place::new().await;
    // It takes connections, and says nothing.
    let gap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gap.local_addr().unwrap().to_string();
    place.set("KAFKA_BOOTSTRAP_SERVERS", &address);
    place.set("START_TIMEOUT", "1s");
    place.set("API_TYPE_A_URL", &format!("http://{address}/"));
    place.set("API_TYPE_B_URL", &format!("https://{address}/"));
    place.set("REQUEST_TIMEOUT", "1s");
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 74);
    assert!(
        wrong["broker"].contains("no answer within 1.0s; check that the broker is running"),
        "{wrong:?}"
    );
    for name in ["endpoint A", "endpoint B"] {
        assert!(
            wrong[name].contains("no answer within 1s; is it up"),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_the_token_or_is_in_trouble_is_told() {
    let mut place = Place::new().await;
    place.a = Endpoint::always(Answer::status(401)).unwrap();
    place.b = Endpoint::always(Answer::status(503)).unwrap();
    let (url_a, url_b) = (place.a.url(), place.b.url());
    place.set("API_TYPE_A_URL", &url_a);
    place.set("API_TYPE_B_URL", &url_b);
    let (code, wrong) = place.wrong().await;
    assert_eq!(code, 75);
    assert!(
        wrong["endpoint A"].contains("answers 401 Unauthorized; check the route's token"),
        "{wrong:?}"
    );
    assert!(
        wrong["endpoint B"]
            .contains("answers 503 Service Unavailable; it is there, but in trouble"),
        "{wrong:?}"
    );
}

#[test]
fn tls_trusts_the_systems_authorities_unless_others_are_named() {
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
    let of_the_system = authorities(&[tls]).expect("this system has authorities");
    assert!(std::path::Path::new(&of_the_system).exists());
    // OpenSSL looks there by itself.
    assert_eq!(authorities(&[tls, ("SSL_CERT_FILE", others)]), None);
    assert_eq!(
        authorities(&[tls, ("KAFKA_SSL_CA_LOCATION", others)]).as_deref(),
        Some(others)
    );
    assert_eq!(authorities(&[]), None);
}

#[tokio::test]
async fn the_kafka_clients_are_told_by_librdkafkas_names() {
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
async fn forward_never_writes_a_secret() {
    let mut place = Place::new().await;
    let id = place
        .cloud
        .put_secret("kafka_password", b"canary-in-the-vault");
    let lines = format!(
        "kafka_password_vaultOCID={id}\nkafka_username=u\nkafka_security_protocol=sasl_plaintext\napi_type_b_token=canary-b\n"
    );
    place
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    for (name, value) in [
        ("LOG_LEVEL", "trace"),
        ("START_TIMEOUT", "1s"),
        ("API_TYPE_A_TOKEN", "canary-a"),
        ("API_TYPE_A_URL", "http://127.0.0.1:1/"),
        ("API_TYPE_B_URL", "http://127.0.0.1:1/?key=canary"),
    ] {
        place.set(name, value);
    }
    let bootstrap = place.broker.bootstrap().to_owned();
    place.set("KAFKA_BOOTSTRAP_SERVERS", &bootstrap);
    // The principal's key and token are secrets as well.
    let file = |name: &str| std::fs::read_to_string(place.folder.path().join(name)).unwrap();
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
        command.env_clear().envs(&place.variables).args(arguments);
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
async fn a_process_that_stays_follows_a_secret_that_is_changed() {
    let mut place = Place::new().await;
    place.set("SECRET_REFRESH_INTERVAL", "100ms");
    let elsewhere = Endpoint::always(Answer::ok()).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .envs(&place.variables)
        .args(["run", "--every", "100ms", "--output", "json"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let datum = b"\xe4\x0f\x08Paul\x06p@x".to_vec();
    let topics = Topics::of(place.broker.bootstrap()).unwrap();
    let write = || topics.write(TOPIC, &[New::to(0, datum.clone())]).unwrap();
    write();
    wait_until(|| place.a.count() == 1).await;
    // A vault in trouble and a value that makes no sense leave everything as it is.
    place.cloud.trouble(
        "secretbundles",
        Trouble::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        5,
    );
    place.cloud.put_secret("api_type_a_url", b"no URL");
    tokio::time::sleep(Duration::from_millis(500)).await;
    write();
    wait_until(|| place.a.count() == 2).await;
    place.cloud.put_secret(
        "api_type_a_url",
        format!("{}\n", elsewhere.url()).as_bytes(),
    );
    wait_until(|| {
        write();
        elsewhere.count() > 0
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
    // Between two windows, or in the middle of one.
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 12)), "{code:?}: {log}");
    assert!(
        log.contains("keeping the current ones") && log.contains("refresh failed, last value kept"),
        "{log}"
    );
}

async fn wait_until(mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// How a text may carry the token.
fn encodings_of(token: &str) -> Vec<String> {
    let hex = |byte: u8| format!("%{byte:02X}");
    let mut all = vec![token.to_owned(), token.bytes().map(hex).collect()];
    all.push(all[1].to_lowercase());
    // The digits of base64 that hold nothing but the token, at each alignment.
    for before in 0..3 {
        for engine in [&STANDARD, &URL_SAFE] {
            let encoded = engine.encode(format!("{}{token}", &"xx"[..before]));
            let (start, end) = ((before * 8).div_ceil(6), (before + token.len()) * 8 / 6);
            all.push(encoded[start..end].to_owned());
        }
    }
    all
}

/// A response that repeats what was sent.
type Echo = fn(&Request) -> Answer;

fn authorization(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

fn refusal(body: impl Into<Vec<u8>>) -> Answer {
    Answer::status(422).body(body)
}

/// A refusal with this text, cut by the bound of an excerpt so many bytes before its end.
fn cut(text: &str, missing: usize) -> Answer {
    refusal(".".repeat(1024 + missing - text.len()) + text)
}

const ECHOES: [(&str, Echo); 11] = [
    ("plain", |request| {
        refusal(format!("no such token: {}", authorization(request)))
    }),
    ("JSON", |request| {
        let header = authorization(request).replace('/', "\\/");
        refusal(format!("{{\"authorization\":\"{header}\"}}"))
    }),
    ("base64", |request| {
        refusal(STANDARD.encode(authorization(request)))
    }),
    ("Basic", |request| {
        let token = authorization(request).trim_start_matches("Bearer ");
        refusal(STANDARD.encode(format!("user:{token}")))
    }),
    ("URL-encoded", |request| {
        let bytes = authorization(request).bytes();
        refusal(bytes.map(|byte| format!("%{byte:02x}")).collect::<String>())
    }),
    ("the query", |request| {
        refusal(format!("no such page: {}", request.target))
    }),
    ("two writes", |request| {
        refusal(authorization(request)).in_two_writes()
    }),
    ("cut by a stall", |request| {
        refusal(authorization(request).repeat(2)).stalling_in_body()
    }),
    ("cut in plain text", |request| {
        cut(authorization(request), 5)
    }),
    ("cut in base64", |request| {
        cut(&STANDARD.encode(authorization(request)), 7)
    }),
    ("an error of the server", |request| {
        Answer::status(500).body(authorization(request))
    }),
];

#[tokio::test]
async fn an_endpoint_that_repeats_the_token_puts_it_nowhere() {
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
        let topics = Topics::of(broker.bootstrap()).unwrap();
        topics.write(TOPIC, &[New::to(0, datum.clone())]).unwrap();
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
        let status = if name == "an error of the server" {
            "500"
        } else {
            "422"
        };
        assert!(a.count() > 0 && all.contains(status), "{name}: {all}");
        if status == "422" {
            let letters =
                testkit::records::all(broker.bootstrap(), "FrontDoorTopic-dead-letter").unwrap();
            let reason = letters[0]
                .header("__connect.errors.exception.message")
                .unwrap();
            assert!(reason.contains("[redacted]"), "{name}: {reason}");
            for (_, value) in &letters[0].headers {
                all += &String::from_utf8_lossy(value.as_deref().unwrap_or_default());
                all.push('\n');
            }
        }
        for secret in [TOKEN, KEY].into_iter().flat_map(encodings_of) {
            // Its first digits must not be there either, where the endpoint's text was cut.
            let part = &secret[..secret.len().min(8)];
            assert!(!all.contains(part), "{name} wrote {part}:\n{all}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_replaced_stays_masked_beside_the_new_one() {
    let mut place = Place::new().await;
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let known = std::sync::Arc::clone(&seen);
    place.a = Endpoint::start(move |request| {
        let header = request.header("authorization").unwrap_or_default();
        let mut known = known.lock().unwrap();
        if !known.iter().any(|one| one == header) {
            known.push(header.to_owned());
        }
        Answer::status(403).body(format!("not among {known:?}"))
    })
    .unwrap();
    let url = place.a.url();
    place.set("API_TYPE_A_URL", &url);
    place.set("SECRET_REFRESH_INTERVAL", "100ms");
    let topics = Topics::of(place.broker.bootstrap()).unwrap();
    let datum = b"\xe4\x0f\x08Paul\x06p@x".to_vec();
    topics.write(TOPIC, &[New::to(0, datum)]).unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .envs(&place.variables)
        .args(["run", "--every", "100ms"])
        .stdout(log.as_file().try_clone().unwrap())
        .stderr(log.as_file().try_clone().unwrap())
        .kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let tokens = || seen.lock().unwrap().len();
    wait_until(|| tokens() == 1).await;
    place
        .cloud
        .put_secret("api_type_a_token", b"canary-the-second");
    wait_until(|| tokens() == 2).await;
    let count = place.a.count();
    wait_until(|| place.a.count() > count + 1).await;
    let id = child.id().unwrap().to_string();
    let mut kill = tokio::process::Command::new("kill");
    assert!(kill.arg(id).status().await.unwrap().success());
    child.wait().await.unwrap();
    let all = std::fs::read_to_string(log.path()).unwrap();
    let both = "not among [\\\"Bearer [redacted]\\\", \\\"Bearer [redacted]\\\"]";
    assert!(all.contains(both), "{all}");
    assert!(!all.contains("canary"), "{all}");
}

#[tokio::test]
async fn a_cloud_that_repeats_the_session_token_puts_it_nowhere() {
    let bodies: [fn(&str) -> String; 3] = [
        |token| {
            format!("{{\"code\":\"NotAuthorized\",\"message\":\"keyId ST${token} is unknown\"}}")
        },
        |token| format!("<html>{token}</html>"),
        // An error's message is cut after 400 characters, within the token.
        |token| format!("{} {token}", "x".repeat(380)),
    ];
    for body in bodies {
        let mut place = Place::new().await;
        place.set("LOG_LEVEL", "trace");
        let token = std::fs::read_to_string(place.folder.path().join("rpst")).unwrap();
        let token = token.trim();
        let trouble = Trouble::Refusal(403, body(token).into_bytes());
        place.cloud.trouble("secretbundles", trouble, 1000);
        for arguments in [&["check"][..], &["run", "--output", "json"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
            command.env_clear().envs(&place.variables).args(arguments);
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
fn a_broker_that_repeats_the_password_puts_it_nowhere() {
    const PASSWORD: &str = "Zq-canary-of-the-broker";
    // librdkafka keeps 511 bytes of an error; at each of these lengths it cuts the password elsewhere.
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
