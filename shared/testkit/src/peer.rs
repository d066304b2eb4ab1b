//! Other clients of Kafka and of schema registries: programs that produce and consume the tutorial's record with
//! `deploy/schema-registry/peers/peer`. The first use on a machine downloads and builds them.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::process_guard;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/schema-registry/peers/peer"
);

/// A client, with the broker and the registry that it uses.
#[derive(Clone, Debug)]
pub struct Peer {
    client: &'static str,
    environment: Vec<(&'static str, String)>,
}

impl Peer {
    /// Confluent's Python client.
    pub fn python(bootstrap: &str, registry: &str) -> Self {
        Self::new("python", bootstrap, registry)
    }

    /// franz-go, with hamba/avro.
    pub fn go(bootstrap: &str, registry: &str) -> Self {
        Self::new("go", bootstrap, registry)
    }

    fn new(client: &'static str, bootstrap: &str, registry: &str) -> Self {
        let environment = vec![
            ("KAFKA_BOOTSTRAP_SERVERS", bootstrap.to_owned()),
            ("SCHEMA_REGISTRY_URL", registry.to_owned()),
        ];
        Self {
            client,
            environment,
        }
    }

    /// Where the Python client writes the id of the schema: `payload` (the default), `header` or `header-guid`.
    pub fn schema_id_in(mut self, place: &str) -> Self {
        self.environment.push(("SCHEMA_ID_IN", place.to_owned()));
        self
    }

    /// Uses the schema in this file, with the fields of the tutorial's record, instead of `schemas/user.avsc`.
    pub fn schema(mut self, path: &str) -> Self {
        self.environment.push(("AVRO_SCHEMA", path.to_owned()));
        self
    }

    /// Registers the schema under `{topic}-value`, writes `count` records, and returns them as JSON.
    ///
    /// # Errors
    /// The client failed. The error contains its standard error.
    pub async fn produce(&self, topic: &str, count: usize) -> Result<Vec<Value>> {
        self.run("produce", topic, count).await
    }

    /// Reads `count` records from the beginning of the topic and returns them as JSON.
    ///
    /// # Errors
    /// The client failed, or there are fewer records after 60 seconds. The error contains its standard error.
    pub async fn consume(&self, topic: &str, count: usize) -> Result<Vec<Value>> {
        self.run("consume", topic, count).await
    }

    async fn run(&self, verb: &str, topic: &str, count: usize) -> Result<Vec<Value>> {
        // With the whole environment, because the script may download packages through a proxy.
        let mut command = Command::new(SCRIPT);
        process_guard::attach(&mut command);
        let output = command
            .args([self.client, verb, topic, &count.to_string()])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .await
            .with_context(|| format!("running {SCRIPT}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{} {verb} {topic}: {stderr}",
            self.client
        );
        let lines = String::from_utf8(output.stdout).context("the output is not UTF-8")?;
        let records = lines.lines().map(serde_json::from_str);
        records
            .collect::<Result<_, _>>()
            .context("the output is not JSON")
    }
}
