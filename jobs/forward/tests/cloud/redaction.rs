//! Secrets of the vault, the principal and the broker in the output of `forward`.

use std::sync::{Arc, Mutex};

use testkit::endpoint::{Answer, Endpoint};
use testkit::oci_standin::Fault;

use crate::{Fixture, forward, printed, terminate, wait_until, write_datum};

#[tokio::test]
async fn forward_never_prints_a_secret() {
    let mut fixture = Fixture::new().await;
    let id = fixture
        .oci
        .cloud
        .put_secret("kafka_password", b"canary-in-the-vault");
    let lines = format!(
        "kafka_password_vaultOCID={id}\nkafka_username=u\nkafka_security_protocol=sasl_plaintext\napi_type_b_token=canary-b\n"
    );
    fixture.oci.put_config(&lines);
    for (name, value) in [
        ("LOG_LEVEL", "trace"),
        ("START_TIMEOUT", "1s"),
        ("API_TYPE_A_TOKEN", "canary-a"),
        ("API_TYPE_A_URL", "http://127.0.0.1:1/"),
        ("API_TYPE_B_URL", "http://127.0.0.1:1/?key=canary"),
    ] {
        fixture.oci.set(name, value);
    }
    fixture
        .oci
        .set("KAFKA_BOOTSTRAP_SERVERS", fixture.broker.bootstrap());
    // The key and the token of the principal are secrets too.
    let file = |name: &str| std::fs::read_to_string(fixture.oci.path().join(name)).unwrap();
    let key = file("private.pem").lines().nth(1).unwrap().to_owned();
    let token = file("rpst").split('.').nth(2).unwrap().to_owned();
    for arguments in [
        &["check"][..],
        &["run"],
        &["run", "--output", "json"],
        &["settings"],
        &["settings", "--kafka"],
    ] {
        let mut command = forward(arguments);
        command.envs(&fixture.oci.variables);
        let all = printed(&command.output().await.unwrap());
        assert!(all.len() > 100, "{arguments:?}: {all}");
        for secret in ["canary", &key, &token] {
            assert!(!all.contains(secret), "{arguments:?} wrote {secret}: {all}");
        }
    }
}

#[tokio::test]
async fn a_replaced_token_and_its_successor_are_both_redacted() {
    let mut fixture = Fixture::new().await;
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    let known = Arc::clone(&seen);
    fixture.a = Endpoint::start(move |request| {
        let header = request.header("authorization").unwrap_or_default();
        let mut known = known.lock().unwrap();
        if !known.iter().any(|one| one == header) {
            known.push(header.to_owned());
        }
        Answer::status(403).body(format!("unknown: {known:?}"))
    })
    .unwrap();
    fixture.oci.set("API_TYPE_A_URL", fixture.a.url());
    fixture.oci.set("SECRET_REFRESH_INTERVAL", "100ms");
    write_datum(&fixture.broker);
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = fixture.command("run");
    command
        .args(["--every", "100ms"])
        .stdout(log.as_file().try_clone().unwrap())
        .stderr(log.as_file().try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let tokens = || seen.lock().unwrap().len();
    wait_until(|| tokens() == 1).await;
    fixture
        .oci
        .cloud
        .put_secret("api_type_a_token", b"canary-the-second");
    wait_until(|| tokens() == 2).await;
    let count = fixture.a.count();
    wait_until(|| fixture.a.count() > count + 1).await;
    terminate(&child).await;
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
        fixture.oci.set("LOG_LEVEL", "trace");
        let token = std::fs::read_to_string(fixture.oci.path().join("rpst")).unwrap();
        let token = token.trim();
        let fault = Fault::Refusal(403, body(token).into_bytes());
        fixture.oci.cloud.inject_fault("secretbundles", fault, 1000);
        for arguments in [&["check"][..], &["run", "--output", "json"]] {
            let mut command = forward(arguments);
            command.envs(&fixture.oci.variables);
            let all = printed(&command.output().await.unwrap());
            assert!(all.contains("403") && all.contains("[redacted]"), "{all}");
            assert!(!all.contains(&token[..8]), "{all}");
        }
    }
}

#[tokio::test]
async fn a_password_echoed_by_the_broker_is_redacted() {
    const PASSWORD: &str = "Zq-canary-of-the-broker";
    // librdkafka keeps 511 bytes of an error; each padding cuts the password at a different position.
    for padding in [0, 455, 460, 465, 470] {
        let broker = testkit::echo_broker::start(padding).unwrap();
        for arguments in [&["check"][..], &["run", "--output", "json"]] {
            let mut command = forward(arguments);
            command
                .env("KAFKA_BOOTSTRAP_SERVERS", &broker)
                .env("KAFKA_USERNAME", "u")
                .env("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext")
                .env("KAFKA_PASSWORD", PASSWORD)
                .env("API_TYPE_A_URL", "http://127.0.0.1:1/")
                .env("API_TYPE_B_URL", "http://127.0.0.1:1/")
                .env("START_TIMEOUT", "3s")
                .env("LOG_LEVEL", "trace");
            let all = printed(&command.output().await.unwrap());
            let text = "the broker rejects the user name or the password: ";
            assert!(all.contains(text), "{all}");
            assert!(all.contains("[redacted]"), "{padding}: {all}");
            assert!(!all.contains(&PASSWORD[..2]), "{padding}: {all}");
        }
    }
}
