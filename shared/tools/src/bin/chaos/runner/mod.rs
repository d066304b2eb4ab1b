//! Runs the job repeatedly with faults at the endpoints and the schema registry, and kills the job and brokers at random
//! times; then heals all faults and runs the job until no record is left. Then it replays the dead letters in the same way.

mod events;
mod faulty_run;
mod heal;
mod recreate;
mod replay;
mod start_job;
mod verify;
mod write;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use testkit::kafka::{Kafka, Options};
use testkit::topics::Topics;

use crate::checker::{Output, Run, Verdict, Violations};
use crate::corpus::Corpus;
use crate::faults::FaultyEndpoint;
use crate::form::Form;
use crate::framed::Writer;
use crate::ingest::Ingest;
use crate::job::{self, RunResult};
use crate::outcome::{Outcome, Plan};
use crate::registry::FaultyRegistry;
use crate::rng::Rng;
use crate::stretch::{Stretch, Stretches};
use replay::{REPLAY_KILLS, SELECTIONS};
use verify::Verified;

const TOPIC: &str = "chaos";
const DEAD_LETTERS: &str = "chaos-dead-letter";
/// The topics of the answers of route A.
const ACCEPTED: &str = "chaos-accepted";
const REFUSED: &str = "chaos-refused";
const GROUP: &str = "chaos";
const PARTITIONS: i32 = 6;
const BROKERS: u64 = 3;
/// `MAX_IN_FLIGHT` and `MAX_UNCOMMITTED` of each run, so that a kill repeats at most the records in flight.
const MAX_IN_FLIGHT: usize = 16;
/// The exit codes that the injected faults may cause.
const EXPECTED_CODES: [i32; 7] = [0, 10, 11, 12, 20, 74, 75];
/// The exit codes of runs that have committed all completed records.
const COMMITTED_CODES: [i32; 4] = [0, 10, 11, 12];
/// The maximum number of runs without faults.
const MAX_ATTEMPTS_TO_HEAL: usize = 60;
/// The exit code of a run that could not reach Kafka or the schema registry.
const SOURCE: i32 = 74;
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
    registry: FaultyRegistry,
    acknowledged: Vec<(i32, i64)>,
    reports: Vec<Value>,
    /// The average duration of runs without faults, within which kills happen.
    usual_duration: Duration,
    broker_down: Option<usize>,
    runs: Vec<Run>,
    /// How many records of the current run may be delivered again if it is interrupted.
    max_records_in_flight: usize,
    /// The current run has no batches, and no order.
    is_independent: bool,
    stretches: Stretches,
    /// The index of the endpoint that is slow in the current stretch.
    slow: usize,
    /// The bootstrap server that does not answer in the current stretch.
    dead_broker: Option<String>,
    /// Its socket, if it accepts connections.
    unanswering: Option<TcpListener>,
    ingest: Option<Ingest>,
    accepted_invalid: Vec<String>,
    unavailable: Vec<String>,
    /// Consecutive runs during which all brokers were running.
    runs_with_all_brokers: usize,
    outputs: Vec<Output>,
    /// The job has the setting `GIVE_UP_AFTER`.
    gives_up: bool,
    verified: Verified,
    logs: tempfile::TempDir,
    outcome: Outcome,
}

/// Injects faults until the job was killed `plan.kills` times, heals all faults, and verifies the promises.
pub(crate) async fn run(plan: &Plan) -> Result<Outcome> {
    let started = Instant::now();
    let mut runner = Runner::start(plan).await?;
    while runner.outcome.kills < plan.kills || !runner.stretches.have_all_occurred() {
        runner.run_with_faults().await?;
    }
    runner.heal().await?;
    runner.write_rejected()?;
    runner.run_to_the_end(&[]).await?;
    runner.verify()?;
    runner.replay_dead_letters().await?;
    let violations = runner.recreate_topic().await?;
    runner.ingest = None;
    runner.collect_outputs()?;
    runner.verify()?;
    let Runner { mut outcome, .. } = runner;
    outcome.verdict.unreported_loss = violations;
    outcome.verdict.absent = absent(&outcome);
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

/// The conditions that did not occur.
fn absent(outcome: &Outcome) -> Violations {
    let stretches = Stretch::ALL.map(Stretch::name);
    let stretches = stretches.map(|name| (name, outcome.stretches.contains_key(name)));
    let writers = Writer::ALL.map(Writer::name);
    let writers = writers.map(|name| (name, outcome.verdict.framed.contains_key(name)));
    let forms = Form::ALL.map(Form::name);
    let forms = forms.map(|name| (name, outcome.verdict.forms.contains_key(name)));
    let others = [
        ("runs without the registry", outcome.outages > 0),
        ("runs with an unreliable registry", outcome.unreliable > 0),
        ("runs ended by the registry", outcome.ended_by_registry > 0),
        ("answers", outcome.verdict.answers > 0),
        (
            "SIGKILL to each replay",
            outcome.replay_kills == REPLAY_KILLS,
        ),
        (
            "SIGKILL to a broker during each replay",
            outcome.replay_broker_kills == SELECTIONS.len(),
        ),
    ];
    let mut violations = Violations::default();
    let conditions = stretches.into_iter().chain(writers).chain(forms);
    for (name, has_occurred) in conditions.chain(others) {
        if !has_occurred {
            violations.add(name.to_owned());
        }
    }
    violations
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
        topics.create(ACCEPTED, 3, &[]).await?;
        topics.create(REFUSED, 1, &[]).await?;
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
            registry: FaultyRegistry::start(TOPIC, plan.seed)?,
            acknowledged: Vec::new(),
            reports: Vec::new(),
            usual_duration: Duration::from_millis(600),
            broker_down: None,
            runs: Vec::new(),
            max_records_in_flight: 0,
            is_independent: true,
            stretches: Stretches::new(),
            slow: 0,
            dead_broker: None,
            unanswering: None,
            ingest: None,
            accepted_invalid: Vec::new(),
            unavailable: Vec::new(),
            runs_with_all_brokers: 1,
            outputs: Vec::new(),
            gives_up: job::has_setting(&plan.forward, "GIVE_UP_AFTER")?,
            verified: Verified::default(),
            logs: tempfile::tempdir()?,
            outcome: Outcome {
                seed: plan.seed,
                runs: 0,
                kills: 0,
                stops: 0,
                broker_kills: 0,
                exit_codes: Default::default(),
                written: 0,
                published: 0,
                never_accepted: 0,
                functions: 0,
                replays: 0,
                replay_kills: 0,
                replay_broker_kills: 0,
                replayed: 0,
                stretches: Default::default(),
                outages: 0,
                unreliable: 0,
                ended_by_registry: 0,
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
        Ok(())
    }

    fn last_log(&self) -> Result<String> {
        let log = self.log("log");
        let text = std::fs::read_to_string(&log).with_context(|| log.display().to_string())?;
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}
