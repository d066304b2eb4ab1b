//! Apache Kafka for tests: starts brokers with `deploy/kafka/kafka` on free ports, kills and restarts them.
//!
//! Dropping the value stops the brokers and deletes their files. So does the end of this process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

use crate::acl::{self, AclOperation, Resource};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kafka/kafka");

/// The cluster to start; the default is one broker with Kafka's rebalance delay of three seconds.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Three brokers instead of one.
    pub three: bool,
    /// Adds a SASL_SSL listener with a certificate of a private CA.
    pub sasl_ssl: bool,
    /// The mechanism of that listener: PLAIN if empty, SCRAM-SHA-256 or SCRAM-SHA-512.
    pub mechanism: String,
    /// More listeners without TLS and SASL, of one broker: `NAME://host:port`, or `NAME://host:port=host:port` with the
    /// address that it advertises.
    pub listeners: Vec<String>,
    /// `group.initial.rebalance.delay.ms=0`.
    pub fast_join: bool,
    /// More lines of `server.properties`.
    pub set: Vec<String>,
    /// A Java source whose classes the broker can load; needs `javac`.
    pub source: Option<PathBuf>,
    /// The heap of each broker in Java's notation; `384m` if empty.
    pub heap: String,
    /// More JVM options.
    pub java: String,
}

/// A running cluster.
pub struct Kafka {
    dir: PathBuf,
    settings: Vec<(String, String)>,
}

impl Kafka {
    /// Starts a cluster and waits until it is ready. The first start on a machine downloads Kafka with Maven.
    ///
    /// # Errors
    /// Java or Maven is missing, or a broker did not start. The error contains the script's standard error.
    pub fn start(options: &Options) -> Result<Self> {
        // The script deletes the directory when the cluster stops or this process ends.
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
        if !options.mechanism.is_empty() {
            command.args(["--mechanism", &options.mechanism]);
        }
        for listener in &options.listeners {
            command.args(["--listener", listener]);
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
        if let Some(source) = &options.source {
            command.arg("--java").arg(source);
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

    /// One broker for all tests of a process. It stops when the process ends.
    ///
    /// # Errors
    /// The first caller could not start it.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Kafka>> = OnceLock::new();
        let options = Options {
            fast_join: true,
            // The group removes a killed member after three seconds instead of Kafka's 45.
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

    /// Bootstrap servers without TLS and SASL, as `host:port,host:port`.
    pub fn bootstrap(&self) -> &str {
        self.setting("PLAINTEXT_BOOTSTRAP_SERVERS")
            .unwrap_or_default()
    }

    /// The cluster id.
    pub fn cluster_id(&self) -> &str {
        self.setting("CLUSTER_ID").unwrap_or_default()
    }

    /// The environment variables with which Frontdoor's programs reach the cluster, by SASL_SSL if that is enabled.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.settings
            .iter()
            .filter(|(name, _)| name != "PLAINTEXT_BOOTSTRAP_SERVERS" && name != "CLUSTER_ID")
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The folder of the cluster's files, such as `broker-N/logs`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Kills one broker with SIGKILL. The first broker has the number 1.
    ///
    /// # Errors
    /// The broker is not running.
    pub async fn kill(&self, broker: usize) -> Result<()> {
        self.script("kill", broker).await
    }

    /// Starts a killed broker with its data, and waits until it has joined the cluster.
    ///
    /// # Errors
    /// The broker is already running, or did not start.
    pub async fn restart(&self, broker: usize) -> Result<()> {
        self.script("revive", broker).await
    }

    async fn script(&self, verb: &str, broker: usize) -> Result<()> {
        let output = tokio::process::Command::new(SCRIPT)
            .args([verb, &broker.to_string(), "--dir"])
            .arg(&self.dir)
            .output()
            .await?;
        if !output.status.success() {
            bail!(
                "{verb} broker {broker}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Runs a class or a Java source file with Kafka's class path, and returns its standard output.
    ///
    /// # Errors
    /// It fails. The error contains its standard error.
    pub fn run(arguments: &[&str]) -> Result<String> {
        let output = Command::new(SCRIPT).arg("run").args(arguments).output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "running {arguments:?}: {stderr}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Permits an operation to the user of [`Kafka::environment`]. The brokers need an authorizer; they apply the entry
    /// a moment later.
    ///
    /// # Errors
    /// The cluster has no SASL user or no authorizer, or did not answer.
    pub fn allow(&self, resource: Resource<'_>, operation: AclOperation) -> Result<()> {
        let user = self.setting("KAFKA_USERNAME").context("no SASL user")?;
        acl::allow(self.bootstrap(), user, resource, operation)
    }

    fn setting(&self, name: &str) -> Option<&str> {
        let (_, value) = self.settings.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // If this fails, the script still stops the brokers when this process ends.
        let _ = Command::new(SCRIPT)
            .arg("stop")
            .arg("--dir")
            .arg(&self.dir)
            .output();
    }
}
