#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

//! The real function in Fn's hands, with its settings in Oracle Cloud: what a cold start, a slow vault and a changed
//! secret mean to its callers.

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::agent::{Agent, Call};
use testkit::broker::Broker;
use testkit::oci_standin::{Standin, Trouble};
use testkit::{program, records};

/// The record `{"id": 1010, "name": "Paul", "email": "p@x"}` of schemas/user.avsc.
const DATUM: &[u8] = b"\xe4\x0f\x08Paul\x06p@x";

struct Place {
    cloud: Standin,
    broker: Broker,
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    async fn new() -> Self {
        let cloud = Standin::start().await.unwrap();
        let broker = Broker::start().unwrap();
        for topic in ["first", "second"] {
            broker.create_topic(topic, 1).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let lines = cloud.put_secrets(&[
            ("kafka_bootstrap_servers", broker.bootstrap()),
            ("kafka_topic", "first"),
            ("api_type_a_url", "http://not-for-the-door.invalid/"),
        ]);
        cloud.put_object("config", "config.properties", lines.as_bytes());
        cloud.put_object(
            "avro-schema-bucket",
            "user.avsc",
            include_bytes!("../../../schemas/user.avsc"),
        );
        let mut place = Self {
            cloud,
            broker,
            folder,
            variables: Vec::new(),
        };
        let principal = place
            .cloud
            .resource_principal(place.folder.path(), Duration::from_secs(3600));
        for (name, value) in principal.unwrap() {
            place.set(name, &value);
        }
        let endpoint = place.cloud.endpoint();
        place.set("OCI_ENDPOINT", &endpoint);
        place.set("CONFIG_LOCATION", "oci://config/config.properties");
        place.set("AVRO_SCHEMA", "oci://avro-schema-bucket/user.avsc");
        place
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    async fn function(&self) -> Agent {
        let variables: Vec<(&str, &str)> = self
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Agent::start(Path::new(env!("CARGO_BIN_EXE_fn-recep-avro")), &variables)
            .await
            .unwrap()
    }

    fn stored(&self, topic: &str) -> usize {
        records::all(self.broker.bootstrap(), topic).unwrap().len()
    }
}

#[tokio::test]
async fn a_cold_start_asks_for_what_the_door_needs_once() {
    let place = Place::new().await;
    let mut function = place.function().await;
    let reply = function.call(Call::direct(DATUM)).await.unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    assert_eq!(place.stored("first"), 1);
    let mut asked: Vec<String> = place
        .cloud
        .requests()
        .into_iter()
        .map(|seen| seen.target)
        .collect();
    asked.sort();
    assert_eq!(
        asked.len(),
        5,
        "a namespace, two objects, two secrets: {asked:?}"
    );
}

#[tokio::test]
async fn a_call_that_comes_before_the_settings_waits_for_them() {
    let place = Place::new().await;
    place.cloud.trouble(
        "config.properties",
        Trouble::Delay(Duration::from_secs(1)),
        1,
    );
    let start = Instant::now();
    let mut function = place.function().await;
    assert!(
        place
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
async fn a_call_whose_time_is_over_first_reads_503_and_when_to_come_again() {
    let place = Place::new().await;
    place.cloud.trouble(
        "config.properties",
        Trouble::Delay(Duration::from_secs(5)),
        1,
    );
    let mut function = place.function().await;
    let call = || Call::http("POST", "/door", DATUM).timeout(Duration::from_secs(2));
    let reply = function.call(call()).await.unwrap();
    assert_eq!(reply.status, 503, "{reply:?}\n{}", function.log());
    assert_eq!(reply.headers["retry-after"], "1");
    let problem = reply.json().unwrap();
    assert_eq!(problem["type"], "urn:problem-type:frontdoor:not-open-yet");
    assert_eq!(place.stored("first"), 0);
    let reply = function
        .call(call().timeout(Duration::from_secs(20)))
        .await
        .unwrap();
    assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
}

#[tokio::test]
async fn a_secret_that_is_changed_needs_no_redeploy() {
    let mut place = Place::new().await;
    place.set("SECRET_REFRESH_INTERVAL", "200ms");
    let mut function = place.function().await;
    assert_eq!(
        function.call(Call::direct(DATUM)).await.unwrap().status,
        202
    );
    // A vault that is in trouble meanwhile harms nobody.
    place.cloud.trouble(
        "secretbundles",
        Trouble::Error(404, "NotAuthorizedOrNotFound".to_owned()),
        4,
    );
    place.cloud.put_secret("kafka_topic", b"second\n");
    let end = Instant::now() + Duration::from_secs(30);
    while place.stored("second") == 0 {
        assert!(Instant::now() < end, "{}", function.log());
        let reply = function.call(Call::direct(DATUM)).await.unwrap();
        assert_eq!(reply.status, 202, "{reply:?}\n{}", function.log());
    }
    let log = function.log();
    assert!(log.contains("refresh failed, last value kept"), "{log}");
    assert!(
        log.contains("the door is open with the new settings"),
        "{log}"
    );
}

#[tokio::test]
async fn settings_that_cannot_be_had_end_the_function_with_one_sentence() {
    let mut place = Place::new().await;
    place.set("OCI_TIMEOUT", "500ms");
    place.cloud.trouble(
        "config.properties",
        Trouble::Error(503, "ServiceUnavailable".to_owned()),
        100,
    );
    let variables: Vec<(&str, &str)> = place
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let ended = Agent::run_to_end(Path::new(env!("CARGO_BIN_EXE_fn-recep-avro")), &variables)
        .await
        .unwrap();
    let text = format!("{ended:?}");
    assert!(text.contains("fn-recep-avro: CONFIG_LOCATION: reading oci://config@standinns/config.properties: 503 ServiceUnavailable"), "{text}");
    assert!(text.contains("78"), "{text}");
}

/// What a program writes when it tells everything it can, with secrets in its environment and in the vault.
async fn written(program: &str, arguments: &[&str], variables: &[(String, String)]) -> String {
    let mut command = tokio::process::Command::new(program);
    command
        .env_clear()
        .envs(variables.iter().cloned())
        .args(arguments)
        .kill_on_drop(true)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id().map(|id| id.to_string()).unwrap_or_default();
    let stop = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        // A server is told to end; whoever has ended by itself is not there any more.
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
async fn no_program_ever_writes_a_secret() {
    let mut place = Place::new().await;
    let id = place
        .cloud
        .put_secret("kafka_password", b"canary-in-the-vault");
    let user = place.cloud.put_secret("kafka_username", b"canary-user");
    let lines = format!(
        "kafka_password_vaultOCID={id}\nkafka_username_vaultOCID={user}\nkafka_bootstrap_servers={}\n",
        place.broker.bootstrap()
    );
    place
        .cloud
        .put_object("config", "config.properties", lines.as_bytes());
    for (name, value) in [
        ("API_TOKEN", "canary-token"),
        ("API_TYPE_A_TOKEN", "canary-a"),
        ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE", "/dev/null"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_LEVEL", "trace"),
    ] {
        place.set(name, value);
    }
    // The principal's key and token are secrets as well.
    let file = |name: &str| std::fs::read_to_string(place.folder.path().join(name)).unwrap();
    let key = file("private.pem").lines().nth(1).unwrap().to_owned();
    let token = file("rpst").split('.').nth(2).unwrap().to_owned();
    program::build_all().await.unwrap();
    let built = |name: &str| program::built(name).unwrap().display().to_string();
    let (door, api, sample) = (
        built("fn-recep-avro"),
        built("api-avro-sample"),
        built("create-avro-sample"),
    );
    let (door, api, sample) = (door.as_str(), api.as_str(), sample.as_str());
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
        (door, &[][..], &[][..]),
        (door, &[], &repeats),
        (door, &["--print-config"], &[]),
        (door, &["--print-config"], &broken),
        (door, &[], &broken),
        (api, &[], &[]),
        (sample, &["-", r#"{"id":1,"name":"n","email":"e"}"#], &[]),
        (sample, &["-", "no JSON"], &[]),
    ] {
        let variables = [place.variables.as_slice(), more].concat();
        let written = written(program, arguments, &variables).await;
        assert!(!written.is_empty());
        if more == repeats {
            assert!(written.contains("refused: [redacted]"), "{written}");
        }
        for secret in ["canary", &key, &token] {
            assert!(
                !written.contains(secret),
                "{program} {arguments:?} wrote {secret}:\n{written}"
            );
        }
    }
}

#[tokio::test]
async fn the_endpoint_asks_for_the_token_that_the_vault_holds_now() {
    program::build_all().await.unwrap();
    let mut place = Place::new().await;
    let id = place.cloud.put_secret("api_token", b"first");
    place.cloud.put_object(
        "config",
        "config.properties",
        format!("api_token_vaultOCID={id}").as_bytes(),
    );
    for (name, value) in [
        ("SECRET_REFRESH_INTERVAL", "100ms"),
        ("LISTEN", "127.0.0.1:0"),
        ("LOG_FORMAT", "json"),
    ] {
        place.set(name, value);
    }
    let log = place.folder.path().join("log");
    let mut command = tokio::process::Command::new(program::built("api-avro-sample").unwrap());
    command
        .env_clear()
        .envs(place.variables.iter().cloned())
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
    place.cloud.put_secret("api_token", b"second\n");
    let end = Instant::now() + Duration::from_secs(30);
    while status("second").await != "200" {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(status("first").await, "401");
}
