//! Real Apache Kafka for a test: starts brokers by `deploy/kafka/kafka` on free ports, kills one, brings it back.
//!
//! The brokers and their files end with the value, and, should it never be dropped, with this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// How the script is reached from anywhere in the workspace.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kafka/kafka");

/// What kind of cluster a test needs; the default is one broker that makes a group's first member wait as Kafka does.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Three brokers in place of one.
    pub three: bool,
    /// A SASL_SSL listener with PLAIN, under a private CA.
    pub sasl_ssl: bool,
    /// `group.initial.rebalance.delay.ms=0`.
    pub fast_join: bool,
    /// Lines for `server.properties`.
    pub set: Vec<String>,
    /// The heap of each broker, as Java writes it; `384m` when empty.
    pub heap: String,
    /// More options for Java.
    pub java: String,
}

/// A running cluster.
pub struct Kafka {
    dir: PathBuf,
    settings: Vec<(String, String)>,
}

impl Kafka {
    /// Starts a cluster and waits until it answers. The first start on a machine fetches Kafka by Maven.
    ///
    /// # Errors
    /// Java or Maven is missing, or a broker did not come up; the script's own words say which.
    pub fn start(options: &Options) -> Result<Self> {
        // The script deletes the directory, at the stop or when this process is gone.
        let dir = tempfile::Builder::new()
            .prefix("frontdoor-kafka-")
            .tempdir()?
            .keep();
        let mut command = Command::new(SCRIPT);
        command.arg("start").arg("--dir").arg(&dir);
        command.args(["--parent", &std::process::id().to_string()]);
        command.args(["--brokers", if options.three { "3" } else { "1" }]);
        if options.sasl_ssl {
            command.arg("--sasl-ssl");
        }
        if options.fast_join {
            command.arg("--fast-join");
        }
        if !options.heap.is_empty() {
            command.args(["--heap", &options.heap]);
        }
        if !options.java.is_empty() {
            command.env("KAFKA_OPTS", &options.java);
        }
        for line in &options.set {
            command.args(["--set", line]);
        }
        let output = command
            .output()
            .with_context(|| format!("running {SCRIPT}"))?;
        if !output.status.success() {
            bail!(
                "Kafka did not start: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let settings = std::fs::read_to_string(dir.join("env"))?
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { dir, settings })
    }

    /// One broker for all the tests of a process; it ends with the process.
    ///
    /// # Errors
    /// The first caller could not start it.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Kafka>> = OnceLock::new();
        let options = Options {
            fast_join: true,
            // A member that was killed is missed after three seconds, not Kafka's 45.
            set: vec![
                "group.consumer.session.timeout.ms=3000".to_owned(),
                "group.consumer.heartbeat.interval.ms=500".to_owned(),
            ],
            ..Options::default()
        };
        match SHARED.get_or_init(|| Self::start(&options)) {
            Ok(kafka) => Ok(kafka),
            Err(error) => bail!("{error:#}"),
        }
    }

    /// `host:port,host:port` without TLS and SASL.
    pub fn bootstrap(&self) -> &str {
        self.setting("PLAINTEXT_BOOTSTRAPSERVER")
            .unwrap_or_default()
    }

    /// The cluster's id, as its brokers tell it.
    pub fn cluster_id(&self) -> &str {
        self.setting("CLUSTER_ID").unwrap_or_default()
    }

    /// What Frontdoor's programs need in their environment to reach it, by SASL_SSL if that was asked for.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings
            .iter()
            .filter(|(name, _)| name != "PLAINTEXT_BOOTSTRAPSERVER" && name != "CLUSTER_ID")
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Where its files lie; `broker-N/logs` among them.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// kill -9 of one broker, from 1.
    ///
    /// # Errors
    /// It does not run.
    pub async fn kill(&self, broker: usize) -> Result<()> {
        self.tell("kill", broker).await
    }

    /// Starts a killed broker on the data that it left, and waits until it has joined the cluster.
    ///
    /// # Errors
    /// It runs already, or did not come up.
    pub async fn revive(&self, broker: usize) -> Result<()> {
        self.tell("revive", broker).await
    }

    async fn tell(&self, what: &str, broker: usize) -> Result<()> {
        let output = tokio::process::Command::new(SCRIPT)
            .args([what, &broker.to_string(), "--dir"])
            .arg(&self.dir)
            .output()
            .await?;
        if !output.status.success() {
            bail!(
                "{what} broker {broker}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    fn setting(&self, name: &str) -> Option<&str> {
        let (_, value) = self.settings.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // Should this fail, the script's own watch over our process ends the brokers.
        let _ = Command::new(SCRIPT)
            .arg("stop")
            .arg("--dir")
            .arg(&self.dir)
            .output();
    }
}
