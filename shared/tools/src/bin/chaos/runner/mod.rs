//! Runs the job repeatedly with faults at the endpoints, and kills the job and brokers at random times; then heals all
//! faults and runs the job until no record is left.

mod faulty_run;
mod heal;
mod start_job;
mod write;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use testkit::kafka::{Kafka, Options};
use testkit::records;
use testkit::topics::Topics;

use crate::checker::{self, Evidence, Verdict};
use crate::corpus::Corpus;
use crate::faults::FaultyEndpoint;
use crate::job::RunResult;
use crate::outcome::{Outcome, Plan};
use crate::rng::Rng;

const TOPIC: &str = "chaos";
const DEAD_LETTERS: &str = "chaos-dead-letter";
const GROUP: &str = "chaos";
const PARTITIONS: i32 = 6;
const BROKERS: u64 = 3;
/// `MAX_IN_FLIGHT` and `MAX_UNCOMMITTED` of each run, so that a kill repeats at most the records in flight.
const MAX_IN_FLIGHT: usize = 16;
/// The exit codes that the injected faults may cause.
const EXPECTED_CODES: [i32; 7] = [0, 10, 11, 12, 20, 74, 75];
/// The exit codes of runs that have committed all completed records.
const COMMITTED_CODES: [i32; 4] = [0, 10, 11, 12];
/// The exit code of a run that found another run in its group.
const CONCURRENT_RUN: i32 = 20;
/// The time after which the group removes a killed member. Kafka's default is 45 s.
const SESSION_TIMEOUT: Duration = Duration::from_millis(1500);

struct Runner<'p> {
    plan: &'p Plan,
    rng: Rng,
    kafka: Kafka,
    topics: Topics,
    corpus: Corpus,
    endpoints: [FaultyEndpoint; 2],
    acknowledged: Vec<(i32, i64)>,
    reports: Vec<Value>,
    /// The average duration of runs without faults, within which kills happen.
    usual_duration: Duration,
    broker_down: Option<usize>,
    /// For each run, how many of its records may be delivered again.
    allowed_repeats: Vec<usize>,
    /// The same for the current run if it is interrupted.
    max_records_in_flight: usize,
    logs: tempfile::TempDir,
    outcome: Outcome,
}

/// Injects faults until the job was killed `plan.kills` times, heals all faults, and verifies the promises.
pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let started = Instant::now();
    let mut runner = Runner::start(plan).await?;
    while runner.outcome.kills < plan.kills {
        runner.run_with_faults().await?;
    }
    runner.heal().await?;
    let evidence = runner.evidence()?;
    let Runner { mut outcome, .. } = runner;
    outcome.requests = evidence.received.len();
    outcome.dead_letters = evidence.dead_letters.len();
    outcome.reports = evidence.reports.len();
    outcome.verdict = checker::check(&evidence);
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

impl<'p> Runner<'p> {
    async fn start(plan: &'p Plan) -> Result<Self> {
        let kafka = Kafka::start(&Options {
            three: true,
            set: vec![
                format!(
                    "group.consumer.session.timeout.ms={}",
                    SESSION_TIMEOUT.as_millis()
                ),
                "group.consumer.heartbeat.interval.ms=500".to_owned(),
            ],
            ..Options::default()
        })?;
        let topics = Topics::connect(kafka.bootstrap())?;
        topics.create(TOPIC, PARTITIONS, &[]).await?;
        topics.create(DEAD_LETTERS, 2, &[]).await?;
        Ok(Self {
            plan,
            rng: Rng::new(plan.seed),
            kafka,
            topics,
            corpus: Corpus::new(plan.seed, PARTITIONS),
            endpoints: [
                FaultyEndpoint::start("A", plan.seed)?,
                FaultyEndpoint::start("B", !plan.seed)?,
            ],
            acknowledged: Vec::new(),
            reports: Vec::new(),
            usual_duration: Duration::from_millis(600),
            broker_down: None,
            allowed_repeats: Vec::new(),
            max_records_in_flight: 0,
            logs: tempfile::tempdir()?,
            outcome: Outcome {
                seed: plan.seed,
                runs: 0,
                kills: 0,
                stops: 0,
                broker_kills: 0,
                exit_codes: Default::default(),
                written: 0,
                aborted: 0,
                batched: 0,
                requests: 0,
                dead_letters: 0,
                reports: 0,
                seconds: 0.0,
                verdict: Verdict::default(),
            },
        })
    }

    /// The number of requests to both endpoints.
    fn requests(&self) -> usize {
        self.endpoints.iter().map(FaultyEndpoint::count).sum()
    }

    fn count(&mut self, result: RunResult) -> Result<()> {
        let Some(code) = result.code else {
            return Ok(());
        };
        *self.outcome.exit_codes.entry(code).or_default() += 1;
        if !EXPECTED_CODES.contains(&code) {
            bail!(
                "the job ended with the unexpected exit code {code}; its log: {}",
                self.last_log()?
            );
        }
        self.reports.extend(result.report);
        if self.outcome.runs.is_multiple_of(10) {
            let Outcome {
                runs,
                kills,
                broker_kills,
                written,
                ..
            } = &self.outcome;
            let requests = self.requests();
            eprintln!(
                "chaos: run {runs}, {kills} of {} kills, {broker_kills} broker kills, {written} records, {requests} requests",
                self.plan.kills
            );
        }
        Ok(())
    }

    fn last_log(&self) -> Result<String> {
        let log = self.logs.path().join(format!("{}.log", self.outcome.runs));
        let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(40)..].join("\n"))
    }

    fn evidence(&mut self) -> Result<Evidence> {
        let bootstrap = self.kafka.bootstrap();
        Ok(Evidence {
            topic: records::all(bootstrap, TOPIC)?,
            acknowledged: std::mem::take(&mut self.acknowledged),
            dead_letters: records::all(bootstrap, DEAD_LETTERS)?,
            received: self
                .endpoints
                .iter()
                .flat_map(FaultyEndpoint::received)
                .collect(),
            reports: std::mem::take(&mut self.reports),
            committed: self
                .topics
                .committed(GROUP, TOPIC)?
                .into_iter()
                .map(|(partition, committed)| (partition, committed.offset))
                .collect(),
            allowed_repeats: std::mem::take(&mut self.allowed_repeats),
        })
    }
}
