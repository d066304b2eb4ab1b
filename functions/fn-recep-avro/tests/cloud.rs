//! The function in an Fn container with its settings in Oracle Cloud: cold starts, a slow vault, changed secrets.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use testkit::agent::{Agent, Call};
use testkit::broker::Broker;
use testkit::oci_standin::{Environment, Fault};
use testkit::{program, records};

/// The record `{"id": 1010, "name": "Paul", "email": "p@x"}` of schemas/user.avsc.
const DATUM: &[u8] = b"\xe4\x0f\x08Paul\x06p@x";

struct CloudFixture {
    oci: Environment,
    broker: Broker,
}

impl CloudFixture {
    async fn new() -> Self {
        let mut oci = Environment::start().await.unwrap();
        let broker = Broker::start().unwrap();
        for topic in ["first", "second"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let secrets = [
            ("kafka_bootstrap_servers", broker.bootstrap()),
            ("kafka_topic", "first"),
            ("api_type_a_url", "http://not-for-the-function.invalid/"),
        ];
        oci.store_settings(&secrets, include_bytes!("../../../schemas/user.avsc"));
        Self { oci, broker }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        let variables = self.oci.variables.iter();
        variables
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    async fn function(&self) -> Agent {
        Agent::start(
            Path::new(env!("CARGO_BIN_EXE_fn-recep-avro")),
            &self.variables(),
        )
        .await
        .unwrap()
    }

    fn stored(&self, topic: &str) -> usize {
        records::all(self.broker.bootstrap(), topic).unwrap().len()
    }
}

#[tokio::test]
async fn a_cold_start_requests_each_needed_document_once() {
    let fixture = CloudFixture::new().await;
    let mut function = fixture.function().await;
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    assert_eq!(fixture.stored("first"), 1);
    let mut targets: Vec<String> = fixture
        .oci
        .cloud
        .requests()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    targets.sort();
    assert_eq!(
        targets.len(),
        5,
        "a namespace, two objects, two secrets: {targets:?}"
    );
}

#[tokio::test]
async fn a_call_before_the_settings_are_read_waits_for_them() {
    let fixture = CloudFixture::new().await;
    fixture
        .oci
        .cloud
        .inject_fault("config.properties", Fault::Delay(Duration::from_secs(1)), 1);
    let start = Instant::now();
    let mut function = fixture.function().await;
    assert!(
        fixture
            .oci
            .cloud
            .requests()
            .iter()
            .all(|seen| seen.status != 200 || !seen.target.contains("secret"))
    );
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_call_whose_deadline_passes_before_the_start_is_a_503_with_retry_after() {
    let fixture = CloudFixture::new().await;
    fixture
        .oci
        .cloud
        .inject_fault("config.properties", Fault::Delay(Duration::from_secs(5)), 1);
    let mut function = fixture.function().await;
    let call = || Call::http("POST", "/ingest", DATUM).timeout(Duration::from_secs(2));
    let reply = function.call(call()).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}\n{}", function.log());
    assert_eq!(reply.headers["retry-after"], "1");
    let problem = reply.json().unwrap();
    assert_eq!(problem["type"], "urn:problem-type:frontdoor:starting");
    assert_eq!(fixture.stored("first"), 0);
    let reply = function
        .call(call().timeout(Duration::from_secs(20)))
        .await
        .unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
}

#[tokio::test]
async fn reloads_a_changed_secret_without_a_redeploy() {
    let mut fixture = CloudFixture::new().await;
    fixture.oci.set("SECRET_REFRESH_INTERVAL", "200ms");
    let mut function = fixture.function().await;
    assert_eq!(
        function.call(Call::direct(DATUM)).await.unwrap().status,
        202
    );
    // Errors of the vault meanwhile have no effect on calls.
    fixture.oci.cloud.inject_fault(
        "secretbundles",
        Fault::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        4,
    );
    fixture.oci.cloud.put_secret("kafka_topic", b"second\n");
    let end = Instant::now() + Duration::from_secs(30);
    while fixture.stored("second") == 0 {
        assert!(Instant::now() < end, "{}", function.log());
        let reply = function.call(Call::direct(DATUM)).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    }
    let log = function.log();
    assert!(log.contains("refresh failed, last value kept"), "{log}");
    assert!(log.contains("settings reloaded"), "{log}");
}

#[tokio::test]
async fn unreadable_settings_are_reported_in_one_sentence() {
    const SENTENCE: &str =
        "CONFIG_LOCATION: reading oci://config@standinns/config.properties: 503 ServiceUnavailable";
    let mut fixture = CloudFixture::new().await;
    fixture.oci.set("OCI_TIMEOUT", "500ms");
    fixture.oci.cloud.inject_fault(
        "config.properties",
        Fault::Error(503, "ServiceUnavailable".to_owned()),
        100,
    );
    let mut function = fixture.function().await;
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 500), "{reply:?}");
    let detail = reply.json().unwrap()["detail"].to_string();
    // Callers read neither the location nor the error, and the log has both.
    let named = "CONFIG_LOCATION cannot be read from Oracle Cloud.";
    assert!(detail.contains(named), "{detail}");
    assert!(!detail.contains("standinns"), "{detail}");
    let log = function.log();
    assert!(log.contains(SENTENCE), "{log}");
    // A host that does not hide the exit of the program.
    fixture.oci.set("FN_LISTENER", "");
    fixture.oci.set("LISTEN", "127.0.0.1:0");
    let function = Path::new(env!("CARGO_BIN_EXE_fn-recep-avro"));
    let ended = Agent::run_to_end(function, &fixture.variables()).await;
    let ended = ended.unwrap();
    assert_eq!(ended.code, Some(78), "{ended:?}");
    let sentence = format!("fn-recep-avro: {SENTENCE}");
    assert!(ended.log.contains(&sentence), "{ended:?}");
}

#[tokio::test]
async fn an_unreadable_secret_is_reported_to_the_caller_and_read_again_later() {
    let fixture = CloudFixture::new().await;
    let id = fixture.oci.cloud.put_secret("kafka_topic", b"first");
    let denied = Fault::Error(404, "NotAuthorizedOrNotFound".to_owned());
    fixture.oci.cloud.inject_fault(&id, denied, 1);
    let mut function = fixture.function().await;
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!((reply.outer, reply.status), (200, 500), "{reply:?}");
    let detail = reply.json().unwrap()["detail"].to_string();
    let named = "KAFKA_TOPIC cannot be read from Oracle Cloud.";
    assert!(detail.contains(named), "{detail}");
    assert!(!detail.contains(&id), "{detail}");
    let log = function.log();
    assert!(log.contains("fn-recep-avro: KAFKA_TOPIC: "), "{log}");
    assert!(log.contains("404 NotAuthorizedOrNotFound"), "{log}");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    assert_eq!(fixture.stored("first"), 1);
}

/// The output of a program with the most detailed log, with secrets in its environment and in the vault.
async fn output_of(
    program: &str,
    arguments: &[&str],
    variables: HashMap<String, String>,
) -> String {
    let mut command = tokio::process::Command::new(program);
    command
        .env_clear()
        .envs(variables)
        .args(arguments)
        .kill_on_drop(true)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id().map(|id| id.to_string()).unwrap_or_default();
    let stop = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        // SIGTERM ends a server. Other programs have ended by themselves.
        let _ = tokio::process::Command::new("kill").arg(id).output().await;
    });
    let output = child.wait_with_output().await.unwrap();
    stop.abort();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[tokio::test]
async fn no_program_prints_a_secret() {
    let mut fixture = CloudFixture::new().await;
    let id = fixture
        .oci
        .cloud
        .put_secret("kafka_password", b"canary-in-the-vault");
    let user = fixture
        .oci
        .cloud
        .put_secret("kafka_username", b"canary-user");
    let lines = format!(
        "kafka_password_vaultOCID={id}\nkafka_username_vaultOCID={user}\nkafka_bootstrap_servers={}\n",
        fixture.broker.bootstrap()
    );
    fixture.oci.put_config(&lines);
    for (name, value) in [
        ("CALLER_TOKENS", "canary-token canary-next"),
        (
            "CALLER_WEBHOOK_SECRETS",
            "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5",
        ),
        ("API_TYPE_A_TOKEN", "canary-a"),
        ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE", "/dev/null"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_LEVEL", "trace"),
    ] {
        fixture.oci.set(name, value);
    }
    // The principal's key and token are secrets too.
    let file = |name: &str| std::fs::read_to_string(fixture.oci.path().join(name)).unwrap();
    let key = file("private.pem").lines().nth(1).unwrap().to_owned();
    let token = file("rpst").split('.').nth(2).unwrap().to_owned();
    program::build_all().await.unwrap();
    let built = |name: &str| program::built(name).unwrap().display().to_string();
    let (function, api, sample) = (
        built("fn-recep-avro"),
        built("api-avro-sample"),
        built("create-avro-sample"),
    );
    let (function, api, sample) = (function.as_str(), api.as_str(), sample.as_str());
    let broken = [
        ("KAFKA_PASSWORD".to_owned(), "canary".to_owned()),
        ("KAFKA_SSL_CA_LOCATION".to_owned(), "/nowhere".to_owned()),
    ];
    let repeats = [
        (
            "KAFKA_BOOTSTRAP_SERVERS".to_owned(),
            testkit::echo_broker::start(0).unwrap(),
        ),
        (
            "KAFKA_SECURITY_PROTOCOL".to_owned(),
            "sasl_plaintext".to_owned(),
        ),
    ];
    for (program, arguments, more) in [
        (function, &[][..], &[][..]),
        (function, &[], &repeats),
        (function, &["--print-config"], &[]),
        (function, &["--print-config"], &broken),
        (function, &[], &broken),
        (api, &[], &[]),
        (sample, &["-", r#"{"id":1,"name":"n","email":"e"}"#], &[]),
        (sample, &["-", "no JSON"], &[]),
    ] {
        let mut variables = fixture.oci.variables.clone();
        variables.extend(more.iter().cloned());
        let output = output_of(program, arguments, variables).await;
        assert!(!output.is_empty());
        if more == repeats {
            assert!(output.contains("refused: [redacted]"), "{output}");
        }
        // The second is base64 of "canary".
        for secret in ["canary", "Y2FuYXJ5", &key, &token] {
            assert!(
                !output.contains(secret),
                "{program} {arguments:?} printed {secret}:\n{output}"
            );
        }
    }
}

#[tokio::test]
async fn the_endpoint_requires_the_current_token_of_the_vault() {
    program::build_all().await.unwrap();
    let mut fixture = CloudFixture::new().await;
    let id = fixture.oci.cloud.put_secret("caller_tokens", b"first");
    fixture
        .oci
        .put_config(&format!("caller_tokens_vaultOCID={id}"));
    for (name, value) in [
        ("SECRET_REFRESH_INTERVAL", "100ms"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
    ] {
        fixture.oci.set(name, value);
    }
    let log = fixture.oci.path().join("log");
    let mut command = tokio::process::Command::new(program::built("api-avro-sample").unwrap());
    command
        .env_clear()
        .envs(&fixture.oci.variables)
        .stderr(std::fs::File::create(&log).unwrap())
        .kill_on_drop(true);
    let _endpoint = command.spawn().unwrap();
    let address = loop {
        let text = std::fs::read_to_string(&log).unwrap();
        if let Some((_, rest)) = text.split_once("listening on http://") {
            break rest.split('"').next().unwrap().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let status = async |token: &str| {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let request =
            format!("GET /records HTTP/1.0\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer[9..12].to_owned()
    };
    assert_eq!(status("first").await, "200");
    assert_eq!(status("second").await, "401");
    fixture.oci.cloud.put_secret("caller_tokens", b"second\n");
    let end = Instant::now() + Duration::from_secs(30);
    while status("second").await != "200" {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status("first").await, "401");
}
