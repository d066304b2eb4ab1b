//! Runs the measurements.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::kafka::{Kafka, Options};
use testkit::registry::Registry;
use testkit::spread::Spread;
use testkit::topics::Topics;

use crate::fairness;
use crate::measure::{self, Cost};
use crate::outcome::{Outcome, Ratio};
use crate::server::Server;
use crate::topic;

/// The job's default of `MAX_IN_FLIGHT`.
const CONNECTIONS: usize = 64;
/// The number of different keys in the measurement of ordered delivery.
const KEYS: usize = 1_000;
/// The batch size in the measurement of batches.
const BATCH: usize = 500;
/// The exit code of a complete run with dead letters.
const DEAD_LETTERED: i32 = 10;

/// The measurements to run.
pub(crate) struct Plan {
    /// The number of records.
    pub(crate) records: usize,
    /// Whether to measure with ten million records too.
    pub(crate) long: bool,
    /// The number of rounds.
    pub(crate) rounds: usize,
    /// The numbers of the measurements.
    pub(crate) only: Vec<u8>,
    /// The path of the job.
    pub(crate) forward: PathBuf,
    /// The path of this program.
    pub(crate) own: PathBuf,
}

struct Bench<'p> {
    plan: &'p Plan,
    kafka: Kafka,
    topics: Topics,
    groups: usize,
    files: tempfile::TempDir,
}

/// Runs the measurements.
pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    // Both JIT compilers, so that the broker is not the bottleneck.
    let kafka = Kafka::start(&Options {
        heap: "1g".to_owned(),
        java: "-XX:TieredStopAtLevel=4".to_owned(),
        ..Options::default()
    })?;
    let topics = Topics::connect(kafka.bootstrap())?;
    let mut bench = Bench {
        plan,
        kafka,
        topics,
        groups: 0,
        files: tempfile::tempdir()?,
    };
    let wants = |part: u8| plan.only.contains(&part);
    let mut outcome = Outcome {
        records: plan.records,
        rounds: plan.rounds,
        ..Outcome::default()
    };
    eprintln!("bench-window: filling topics of {} records", plan.records);
    if wants(1) || wants(4) {
        topic::fill(&bench.topics, "sparse", plan.records, 100).await?;
        let (ratio, memory) = bench.filter("sparse")?;
        outcome.filter_only = Some(ratio);
        outcome.peak_mib.insert("filter only".to_owned(), memory);
    }
    if wants(2) || wants(3) {
        topic::fill(&bench.topics, "dense", plan.records, 1).await?;
    }
    if wants(2) {
        let (ratio, memory) = bench.one_each("dense")?;
        outcome.one_post_each = Some(ratio);
        outcome.peak_mib.insert("one POST each".to_owned(), memory);
    }
    if wants(3) {
        let (ratio, memory) = bench.batches("dense")?;
        outcome.batches = Some(ratio);
        outcome.peak_mib.insert(format!("{BATCH} per POST"), memory);
    }
    if wants(4) && plan.long {
        eprintln!("bench-window: filling a topic of ten million records");
        topic::fill(&bench.topics, "long", 10_000_000, 100).await?;
        let server = Server::start()?;
        let cost = bench.forward("long", &server, &[])?;
        outcome
            .peak_mib
            .insert("filter only, 10,000,000 records".to_owned(), cost.peak_mib);
        let routes = bench.batching(&server, "id != 1020")?;
        let cost = bench.forward("long", &server, &[("ROUTES", &routes)])?;
        outcome.peak_mib.insert(
            format!("{BATCH} per POST, 10,000,000 records"),
            cost.peak_mib,
        );
    }
    if wants(5) {
        topic::fill(&bench.topics, "one", 4, 1).await?;
        outcome.first_request_ms = Some(bench.first_request("one", &[])?);
        let replay = [("WINDOW_START", "earliest")];
        outcome.first_request_replay_ms = Some(bench.first_request("one", &replay)?);
        outcome.empty_window_ms = Some(bench.empty_window("one")?);
        topic::fill_faulty(&bench.topics, "faulty").await?;
        outcome.dead_letter_window_ms = Some(bench.dead_letter_window("faulty")?);
    }
    if wants(6) {
        // Fewer records, because a partition waits for each response.
        let records = plan.records.div_ceil(5);
        topic::fill_keyed(&bench.topics, "keyed", records, KEYS).await?;
        for order in ["key", "partition"] {
            let ratio = bench.order("keyed", records, order)?;
            outcome.orders.insert(order.to_owned(), ratio);
        }
    }
    if wants(7) {
        let topics = Topics::connect(bench.kafka.bootstrap())?;
        let server = Server::start()?;
        outcome.fairness =
            fairness::measure(&topics, plan.rounds, |topic| bench.command(topic, &server)).await?;
    }
    if wants(8) {
        outcome.framed = bench.framed().await?;
    }
    if wants(9) {
        outcome.metrics = bench.metrics().await?;
    }
    Ok(outcome)
}

impl Bench<'_> {
    fn filter(&mut self, topic: &str) -> Result<(Ratio, f64)> {
        let drain = |bench: &mut Self| bench.drain(topic);
        let window = |bench: &mut Self| {
            let server = Server::start()?;
            let cost = bench.forward(topic, &server, &[])?;
            ensure!(
                server.requests() == bench.plan.records.div_ceil(100),
                "not every record was posted"
            );
            Ok(cost)
        };
        self.ratio("filter only", self.plan.records, drain, window)
    }

    fn one_each(&mut self, topic: &str) -> Result<(Ratio, f64)> {
        let ceiling = |bench: &mut Self| {
            let server = Server::start()?;
            let mut command = Command::new(&bench.plan.own);
            // Two routes, so twice the connections of one.
            command.args(["ceiling", &server.address().to_string()]);
            command.args([
                bench.plan.records.to_string(),
                (2 * CONNECTIONS).to_string(),
            ]);
            measure::run(&mut command, &[0])
        };
        let window = |bench: &mut Self| {
            let server = Server::start()?;
            let cost = bench.forward(topic, &server, &[])?;
            ensure!(
                server.requests() == bench.plan.records,
                "not every record was posted"
            );
            Ok(cost)
        };
        self.ratio("one POST each", self.plan.records, ceiling, window)
    }

    fn batches(&mut self, topic: &str) -> Result<(Ratio, f64)> {
        let drain = |bench: &mut Self| bench.drain(topic);
        let window = |bench: &mut Self| {
            let server = Server::start()?;
            let routes = bench.batching(&server, "id == 1010")?;
            bench.forward(topic, &server, &[("ROUTES", &routes)])
        };
        self.ratio("many per POST", self.plan.records, drain, window)
    }

    /// Compares framed records, whose schema is in a registry, with raw ones.
    async fn framed(&mut self) -> Result<BTreeMap<String, Ratio>> {
        let registry = Registry::start()?;
        let url = format!("{}/subjects/framed/versions", registry.url());
        let schema =
            serde_json::json!({"schema": include_str!("../../../../../schemas/user.avsc")});
        let request = http::Request::post(url)
            .header("content-type", "application/vnd.schemaregistry.v1+json")
            .body(schema.to_string().into())?;
        let answer = testkit::http::send(request).await?;
        let answer: Value = serde_json::from_slice(answer.body())?;
        let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.with_context(|| format!("registering the schema: {answer}"))?;
        let mut ratios = BTreeMap::new();
        for (window, every) in [("filter only", 100), ("one POST each", 1)] {
            let (raw, framed) = (format!("raw-{every}"), format!("framed-{every}"));
            topic::fill(&self.topics, &raw, self.plan.records, every).await?;
            topic::fill_framed(&self.topics, &framed, self.plan.records, every, id).await?;
            let run = |bench: &mut Self, topic: &str, settings: &[(&str, &str)]| {
                let server = Server::start()?;
                let cost = bench.forward(topic, &server, settings)?;
                let posted = server.requests() == bench.plan.records.div_ceil(every);
                ensure!(posted, "not every record was posted");
                Ok(cost)
            };
            let settings = [("SCHEMA_REGISTRY_URL", registry.url())];
            let limit = |bench: &mut Self| run(bench, &raw, &[]);
            let job = |bench: &mut Self| run(bench, &framed, &settings);
            let name = format!("{window}, framed");
            let (ratio, _) = self.ratio(&name, self.plan.records, limit, job)?;
            ratios.insert(window.to_owned(), ratio);
        }
        Ok(ratios)
    }

    /// Compares runs that write metrics with runs that do not.
    async fn metrics(&mut self) -> Result<BTreeMap<String, Ratio>> {
        let file = self.files.path().join("forward.prom");
        let file = file.to_string_lossy().into_owned();
        let mut ratios = BTreeMap::new();
        for (window, every) in [("filter only", 100), ("one POST each", 1)] {
            let topic = format!("metrics-{every}");
            topic::fill(&self.topics, &topic, self.plan.records, every).await?;
            let run = |bench: &mut Self, settings: &[(&str, &str)]| {
                let server = Server::start()?;
                let cost = bench.forward(&topic, &server, settings)?;
                let posted = server.requests() == bench.plan.records.div_ceil(every);
                ensure!(posted, "not every record was posted");
                Ok(cost)
            };
            let without = |bench: &mut Self| run(bench, &[]);
            let with = |bench: &mut Self| {
                let cost = run(bench, &[("METRICS_FILE", &file)])?;
                std::fs::remove_file(&file).context("the run wrote no metrics")?;
                Ok(cost)
            };
            let name = format!("{window}, metrics");
            let (ratio, _) = self.ratio(&name, self.plan.records, without, with)?;
            ratios.insert(window.to_owned(), ratio);
        }
        Ok(ratios)
    }

    /// Compares ordered with unordered delivery.
    fn order(&mut self, topic: &str, records: usize, order: &str) -> Result<Ratio> {
        let window = |bench: &mut Self, order: &str| {
            let server = Server::start()?;
            let cost = bench.forward(topic, &server, &[("ORDER", order)])?;
            ensure!(server.requests() == records, "not every record was posted");
            Ok(cost)
        };
        let name = format!("ORDER={order}");
        let without = |bench: &mut Self| window(bench, "none");
        let with = |bench: &mut Self| window(bench, order);
        Ok(self.ratio(&name, records, without, with)?.0)
    }

    /// Writes a file of two routes with batches and returns its path.
    fn batching(&self, server: &Server, when: &str) -> Result<String> {
        let routes = serde_json::json!({"version": 1, "routes": [
            {"name": "A", "when": when, "url": server.url(), "batch": BATCH},
            {"name": "B", "when": "id == 1020", "url": server.url(), "batch": BATCH},
        ]});
        let file = self.files.path().join("routes.json");
        std::fs::write(&file, routes.to_string())?;
        Ok(file.to_string_lossy().into_owned())
    }

    /// Measures limit and job alternately.
    fn ratio(
        &mut self,
        name: &str,
        records: usize,
        mut limit: impl FnMut(&mut Self) -> Result<Cost>,
        mut job: impl FnMut(&mut Self) -> Result<Cost>,
    ) -> Result<(Ratio, f64)> {
        let (mut limits, mut jobs) = (Vec::new(), Vec::new());
        for round in 1..=self.plan.rounds {
            // The second of a round is slower while the machine gets slower, so they take turns.
            let (limit, job) = if round % 2 == 1 {
                let limit = limit(self)?;
                (limit, job(self)?)
            } else {
                let job = job(self)?;
                (limit(self)?, job)
            };
            eprintln!(
                "bench-window: {name}, round {round}: limit {:.2} s, job {:.2} s, {:.0} MiB",
                limit.seconds, job.seconds, job.peak_mib
            );
            limits.push(limit);
            jobs.push(job);
        }
        let memory = jobs.iter().map(|job| job.peak_mib).fold(0.0, f64::max);
        let ratio = Ratio::of(records, &limits, &jobs).context("at least one round is needed")?;
        Ok((ratio, memory))
    }

    fn drain(&mut self, topic: &str) -> Result<Cost> {
        let mut command = Command::new(&self.plan.own);
        command.args(["drain", self.kafka.bootstrap(), topic]);
        measure::run(&mut command, &[0])
    }

    /// Runs the job with a new group, so that it delivers the whole topic.
    fn forward(&mut self, topic: &str, server: &Server, settings: &[(&str, &str)]) -> Result<Cost> {
        let mut command = self.command(topic, server);
        command.envs(settings.iter().copied());
        if settings.iter().any(|(name, _)| *name == "ROUTES") {
            command.env_remove("API_TYPE_A_URL");
            command.env_remove("API_TYPE_B_URL");
        }
        let cost = measure::run(&mut command, &[0])?;
        let report: Value =
            serde_json::from_str(&cost.output).context("reading the job's report")?;
        ensure!(
            report["balanced"] == true,
            "the report does not balance: {report:#}"
        );
        Ok(cost)
    }

    fn command(&mut self, topic: &str, server: &Server) -> Command {
        self.groups += 1;
        let mut command = Command::new(&self.plan.forward);
        command
            .args(["run", "--output", "json"])
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap())
            .env("KAFKA_TOPIC", topic)
            .env("KAFKA_GROUP_ID", format!("bench-{}", self.groups))
            .env("API_TYPE_A_URL", server.url())
            .env("API_TYPE_B_URL", server.url());
        command
    }

    /// Milliseconds from process start to the first request, of ten runs.
    fn first_request(&mut self, topic: &str, settings: &[(&str, &str)]) -> Result<Spread> {
        let mut times = Vec::new();
        for _ in 0..10 {
            let server = Server::start()?;
            let mut command = self.command(topic, &server);
            command.envs(settings.iter().copied());
            let cost = measure::run(&mut command, &[0])?;
            let first = server.first().zip(cost.started);
            let (first, started) = first.context("the server received no request")?;
            times.push((first - started).as_secs_f64() * 1_000.0);
        }
        Spread::of(times).context("no run")
    }

    /// Milliseconds from process start to exit without records, of ten runs.
    fn empty_window(&mut self, topic: &str) -> Result<Spread> {
        let server = Server::start()?;
        let mut times = Vec::new();
        let mut command = self.command(topic, &server);
        measure::run(&mut command, &[0])?;
        for _ in 0..10 {
            times.push(measure::run(&mut command, &[0])?.seconds * 1_000.0);
            std::thread::sleep(Duration::from_millis(50));
        }
        Spread::of(times).context("no run")
    }

    /// The same with one record that becomes a dead letter.
    fn dead_letter_window(&mut self, topic: &str) -> Result<Spread> {
        let server = Server::start()?;
        let mut times = Vec::new();
        // The first run creates the dead-letter topic.
        measure::run(&mut self.command(topic, &server), &[DEAD_LETTERED])?;
        for _ in 0..10 {
            let cost = measure::run(&mut self.command(topic, &server), &[DEAD_LETTERED])?;
            times.push(cost.seconds * 1_000.0);
        }
        Spread::of(times).context("no run")
    }
}
