//! `forward` with settings in Oracle Cloud: the report of `check`, redaction of secrets, and reload of changed secrets.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod authorization;
mod check;
mod echoes;
mod kafka_secrets;
mod redaction;
mod reload;
mod reports;
mod settings;

use std::collections::HashMap;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint};
use testkit::oci_standin::Environment;
use testkit::topics::{NewRecord, Topics};
use tokio::process::{Child, Command};

/// The record `{"id": 1010, "name": "Paul", "email": "p@x"}` of schemas/user.avsc.
const DATUM: &[u8] = b"\xe4\x0f\x08Paul\x06p@x";

const TOPIC: &str = "FrontDoorTopic";
const DEAD_LETTER_TOPIC: &str = "FrontDoorTopic-dead-letter";
const SCHEMA: &[u8] = include_bytes!("../../../../schemas/user.avsc");

/// A bucket, a vault, a broker and two endpoints, and the environment variables that refer to them.
struct Fixture {
    oci: Environment,
    broker: Broker,
    a: Endpoint,
    /// Receives requests as long as it exists.
    _b: Endpoint,
}

impl Fixture {
    async fn new() -> Self {
        let mut oci = Environment::start().await.unwrap();
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 3).unwrap();
        broker.create_topic(DEAD_LETTER_TOPIC, 1).unwrap();
        let endpoint = || Endpoint::always(Answer::ok()).unwrap();
        let (a, b) = (endpoint(), endpoint());
        let secrets = [
            ("kafka_bootstrap_servers", broker.bootstrap()),
            ("kafka_topic", TOPIC),
            ("api_type_a_url", &a.url()),
            ("api_type_b_url", &b.url()),
            ("api_type_a_token", "canary-a"),
        ];
        oci.store_settings(&secrets, SCHEMA);
        oci.set("OCI_TIMEOUT", "1s");
        oci.set("START_TIMEOUT", "5s");
        Self {
            oci,
            broker,
            a,
            _b: b,
        }
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = forward(&[subcommand]);
        command.envs(&self.oci.variables);
        command
    }

    async fn check(&self, arguments: &[&str]) -> Output {
        let output = self
            .command("check")
            .args(arguments)
            .output()
            .await
            .unwrap();
        let all = printed(&output);
        assert!(!all.contains("canary"), "{all}");
        output
    }

    /// Returns the exit code, and the message of each failed check by name.
    async fn failures(&self) -> (i32, HashMap<String, String>) {
        self.messages("failed").await
    }

    /// Returns the exit code, and the message of each check with this result by name.
    async fn messages(&self, result: &str) -> (i32, HashMap<String, String>) {
        let output = self.check(&["--output", "json"]).await;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        let failures = checks
            .iter()
            .filter(|check| check["result"] == result)
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

/// The program with these arguments and an empty environment.
fn forward(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command.env_clear().args(arguments).kill_on_drop(true);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output and standard error.
fn printed(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Writes [`DATUM`] to the topic.
fn write_datum(broker: &Broker) {
    let topics = Topics::connect(broker.bootstrap()).unwrap();
    topics.write(TOPIC, &[NewRecord::to(0, DATUM)]).unwrap();
}

/// Sends SIGTERM.
async fn terminate(child: &Child) {
    let id = child.id().unwrap().to_string();
    let status = Command::new("kill").arg(id).status().await.unwrap();
    assert!(status.success());
}

async fn wait_until(mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(std::time::Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
