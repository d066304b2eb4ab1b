//! The fixture of each test: a topic and a consumer group on the shared broker, and the settings of the job.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::endpoint::Endpoint;
use testkit::kafka::Kafka;
use testkit::records::{self, StoredRecord};
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

use crate::endpoints::accepting;
use crate::run::{Run, RunProcess, TIMEOUT};

const FORWARD: &str = env!("CARGO_BIN_EXE_forward");

/// A topic, a dead-letter topic and a consumer group for one test.
pub(crate) struct Stage {
    pub(crate) bootstrap: String,
    pub(crate) topics: Topics,
    pub(crate) topic: String,
    pub(crate) group: String,
    settings: BTreeMap<String, String>,
    files: tempfile::TempDir,
}

impl Stage {
    /// Creates the topics on the shared broker.
    pub(crate) async fn new(name: &str, partitions: i32) -> Self {
        Self::on(Kafka::shared().unwrap(), name, partitions, &[]).await
    }

    /// Creates the topics, and two endpoints for the built-in routes that accept each request.
    pub(crate) async fn accepting(name: &str, partitions: i32) -> (Self, Endpoint, Endpoint) {
        let (a, b) = (accepting(), accepting());
        (Self::new(name, partitions).await.to(&a, &b), a, b)
    }

    /// Creates the topics on this cluster, with these settings of the topic.
    pub(crate) async fn on(
        kafka: &Kafka,
        name: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let topic = format!("{name}-{number}");
        let stage = Self {
            bootstrap: kafka.bootstrap().to_owned(),
            topics: Topics::connect(kafka.bootstrap()).unwrap(),
            group: format!("{topic}-group"),
            settings: BTreeMap::new(),
            files: tempfile::tempdir().unwrap(),
            topic,
        };
        stage
            .topics
            .create(&stage.topic, partitions, settings)
            .await
            .unwrap();
        stage
            .topics
            .create(&stage.dead_letter_topic(), 1, &[])
            .await
            .unwrap();
        stage
            .with("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap())
            .with("REQUEST_TIMEOUT", "2s")
            .with("BACKOFF_INITIAL", "10ms")
            .with("BACKOFF_MAX", "200ms")
            .with("CIRCUIT_COOL_DOWN", "50ms")
            .with("LOG_LEVEL", "debug")
    }

    /// Sets a setting by its environment variable.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a setting by its environment variable.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.settings.insert(name.to_owned(), value.into());
    }

    /// Sets the endpoints of the two built-in routes.
    pub(crate) fn to(self, a: &Endpoint, b: &Endpoint) -> Self {
        self.with("API_TYPE_A_URL", a.url())
            .with("API_TYPE_B_URL", b.url())
    }

    /// Replaces the built-in routes.
    pub(crate) fn routes(self, routes: &Value) -> Self {
        let text = json!({"version": 1, "routes": routes});
        let file = self.file("routes.json", &text.to_string());
        self.with("ROUTES", file.to_str().unwrap())
    }

    /// Creates a file that exists until the test ends.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn dead_letter_topic(&self) -> String {
        format!("{}-dead-letter", self.topic)
    }

    /// Writes records and returns the partition and offset of each.
    pub(crate) fn write(&self, records: &[NewRecord]) -> Vec<(i32, i64)> {
        self.topics.write(&self.topic, records).unwrap()
    }

    /// Writes `count` users with this id, named `name-0` and so on, to each partition in turn.
    pub(crate) fn write_users(
        &self,
        id: i32,
        name: &str,
        count: usize,
        partitions: i32,
    ) -> Vec<(i32, i64)> {
        self.write(&users(id, name, count, partitions))
    }

    pub(crate) fn dead_letters(&self) -> Vec<StoredRecord> {
        records::all(&self.bootstrap, &self.dead_letter_topic()).unwrap()
    }

    /// Returns the committed offset of each partition that has one.
    pub(crate) fn committed(&self) -> BTreeMap<i32, i64> {
        self.topics
            .committed(&self.group, &self.topic)
            .unwrap()
            .into_iter()
            .map(|(partition, committed)| (partition, committed.offset))
            .collect()
    }

    /// Returns the committed offset of a partition; 0 if it has none.
    pub(crate) fn committed_offset(&self, partition: i32) -> i64 {
        self.committed().get(&partition).copied().unwrap_or(0)
    }

    /// Returns the sum of the committed offsets.
    pub(crate) fn total_committed(&self) -> i64 {
        self.committed().values().sum()
    }

    /// Creates another topic with this `max.message.bytes`, and returns its name.
    pub(crate) async fn create_limited_topic(&self, max_bytes: &str) -> String {
        let name = format!("{}-{max_bytes}", self.topic);
        let settings = [("max.message.bytes", max_bytes)];
        self.topics.create(&name, 1, &settings).await.unwrap();
        name
    }

    /// Starts `forward run`.
    pub(crate) fn start(&self) -> RunProcess {
        self.start_with(&[])
    }

    /// Starts `forward run` with these additional flags.
    pub(crate) fn start_with(&self, flags: &[&str]) -> RunProcess {
        let mut command = Command::new(FORWARD);
        command.args(["run", "--output", "json"]).args(flags);
        self.spawn(command)
    }

    /// Starts `forward run` in a control group.
    pub(crate) fn start_in_cgroup(&self, group: &Path) -> RunProcess {
        let mut command = Command::new("/bin/sh");
        let enter = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;
        command.args(["-c", enter]).arg(group).arg(FORWARD);
        command.args(["run", "--output", "json"]);
        self.spawn(command)
    }

    /// Runs `forward check`, and returns its exit code and the result of each check by name.
    pub(crate) fn check(&self) -> (i32, BTreeMap<String, Value>) {
        let mut command = Command::new(FORWARD);
        self.set_environment(&mut command);
        let output = command
            .args(["check", "--output", "json"])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        let named = checks.map(|check| (check["name"].as_str().unwrap().to_owned(), check.clone()));
        (output.status.code().unwrap(), named.collect())
    }

    pub(crate) fn set_environment(&self, command: &mut Command) {
        command
            .env_clear()
            .env("KAFKA_TOPIC", &self.topic)
            .env("KAFKA_GROUP_ID", &self.group)
            .envs(&self.settings);
    }

    fn spawn(&self, mut command: Command) -> RunProcess {
        self.set_environment(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        RunProcess::new(command.spawn().unwrap())
    }

    /// Starts a run and waits for its end. The report must balance.
    pub(crate) fn run(&self) -> Run {
        self.start().wait()
    }

    /// Runs until no other run is active. The membership of a killed run lasts until its session times out.
    pub(crate) fn run_when_free(&self) -> Run {
        let end = Instant::now() + TIMEOUT;
        loop {
            let run = self.run();
            if run.code != 20 || Instant::now() > end {
                return run;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Returns `count` users with this id, named `name-0` and so on, for each partition in turn.
pub(crate) fn users(id: i32, name: &str, count: usize, partitions: i32) -> Vec<NewRecord> {
    (0..count)
        .map(|number| NewRecord {
            key: Some(format!("key-{}", number % 10).into_bytes()),
            ..NewRecord::to(
                (number % partitions as usize) as i32,
                User::new(id, &format!("{name}-{number}")).encode(),
            )
        })
        .collect()
}

/// Returns users as [`users`], each with an email address of `bytes` bytes.
pub(crate) fn large_users(
    id: i32,
    name: &str,
    count: usize,
    partitions: i32,
    bytes: usize,
) -> Vec<NewRecord> {
    let mut records = users(id, name, count, partitions);
    for record in &mut records {
        let mut user = User::decode(record.value.as_deref().unwrap()).unwrap();
        user.email = "x".repeat(bytes);
        record.value = Some(user.encode());
    }
    records
}
