//! Runs the job repeatedly with faults at the endpoints, and kills the job and brokers at random times; then heals all
//! faults and runs the job until no record is left.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use testkit::kafka::{Kafka, Options};
use testkit::records;
use testkit::topics::Topics;

use crate::checker::{self, Evidence, Verdict};
use crate::corpus::Corpus;
use crate::faults::{Fault, FaultyEndpoint};
use crate::job::{Job, RunResult};
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
/// The batch sizes of the routes.
const BATCH_SIZES: [usize; 4] = [1, 1, 8, 25];
/// The values of `ORDER`.
const ORDERS: [&str; 4] = ["none", "none", "key", "partition"];

/// What to run.
pub(crate) struct Plan {
    /// The seed of all random decisions.
    pub(crate) seed: u64,
    /// How many times the job is killed.
    pub(crate) kills: usize,
    /// The path of the job.
    pub(crate) forward: PathBuf,
}

/// The events and the checker's verdict.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// The seed of all random decisions.
    pub(crate) seed: u64,
    /// Started runs.
    pub(crate) runs: usize,
    /// SIGKILL to the job.
    pub(crate) kills: usize,
    /// SIGTERM to the job.
    pub(crate) stops: usize,
    /// SIGKILL to a broker.
    pub(crate) broker_kills: usize,
    /// The number of runs by exit code.
    pub(crate) exit_codes: BTreeMap<i32, usize>,
    /// Written records.
    pub(crate) written: u64,
    /// Records in aborted transactions.
    pub(crate) aborted: u64,
    /// Runs with a batch size greater than one.
    pub(crate) batched: usize,
    /// Records in requests to the endpoints.
    pub(crate) requests: usize,
    /// Records in the dead-letter topic.
    pub(crate) dead_letters: usize,
    /// Reports of runs.
    pub(crate) reports: usize,
    /// The duration in seconds.
    pub(crate) seconds: f64,
    /// The checker's verdict.
    pub(crate) verdict: Verdict,
}

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
                exit_codes: BTreeMap::new(),
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

    /// Writes records and runs the job once, with random faults.
    async fn run_with_faults(&mut self) -> Result<()> {
        let count = 20 + self.rng.below(400) as usize;
        self.write(count)?;
        for endpoint in &self.endpoints {
            endpoint.inject(Fault::random(&mut self.rng));
        }
        let within = self.usual_duration.as_millis() as u64 * 5 / 4;
        let kill = self.rng.percent(80).then(|| self.rng.below(within));
        let stop = (kill.is_none() && self.rng.percent(50)).then(|| self.rng.below(within));
        let broker = (self.rng.percent(40)).then(|| self.rng.below(within / 2));
        let change = self.rng.percent(50).then(|| self.rng.below(within));
        // Most kills happen after a number of requests, so that they interrupt deliveries.
        let requests = (self.rng.percent(70)).then(|| self.rng.below(count as u64) as usize);
        let mut events: Vec<(u64, Event)> = [
            (
                kill.map(|at| requests.map_or(at, |_| within * 2)),
                Event::Kill,
            ),
            (stop, Event::Terminate),
            (broker, Event::KillBroker),
            (change, Event::ChangeFaults),
        ]
        .into_iter()
        .filter_map(|(at, event)| Some((at?, event)))
        .collect();
        events.sort_unstable();
        let has_no_events = events.is_empty();

        let before = self.requests();
        let mut job = self.start_job(true)?;
        let mut broker_was_down = self.broker_down.is_some();
        let started = Instant::now();
        for (at, event) in events {
            let is_due = |runner: &Self| {
                let has_requests =
                    requests.is_some_and(|requests| runner.requests() > before + requests);
                started.elapsed() >= Duration::from_millis(at)
                    || (event == Event::Kill && has_requests)
            };
            while !is_due(self) && job.is_running() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if !job.is_running() {
                break;
            }
            self.execute(event, &mut job).await?;
            broker_was_down |= self.broker_down.is_some();
        }
        let result = job.wait(Duration::from_secs(120)).await?;
        if has_no_events && result.code == Some(0) {
            self.usual_duration = (self.usual_duration * 3 + result.duration) / 4;
        }
        // A run that was not interrupted, with all brokers running, has committed all completed records.
        let committed = matches!(result.code, Some(code) if COMMITTED_CODES.contains(&code));
        let allowed = if committed && !broker_was_down {
            0
        } else {
            self.max_records_in_flight
        };
        self.allowed_repeats.push(allowed);
        // Most runs start after the group has removed the killed member. The others must exit as concurrent runs.
        let killed = result.code.is_none();
        if killed && self.rng.percent(80) {
            tokio::time::sleep(SESSION_TIMEOUT + Duration::from_millis(300)).await;
        } else if result.code == Some(CONCURRENT_RUN) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.count(result)?;
        self.restart_broker().await
    }

    async fn execute(&mut self, event: Event, job: &mut Job) -> Result<()> {
        match event {
            Event::Kill if job.kill() => {
                self.outcome.kills += 1;
                // Requests that arrive now still belong to this run.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Event::Kill => {}
            Event::Terminate => {
                job.terminate()?;
                self.outcome.stops += 1;
            }
            Event::ChangeFaults => {
                for endpoint in &self.endpoints {
                    endpoint.inject(Fault::random(&mut self.rng));
                }
            }
            Event::KillBroker if self.broker_down.is_none() => {
                let broker = 1 + self.rng.below(BROKERS) as usize;
                self.kafka.kill(broker).await?;
                self.broker_down = Some(broker);
                self.outcome.broker_kills += 1;
            }
            Event::KillBroker => {}
        }
        Ok(())
    }

    /// Restarts the killed broker, with a probability of 60 per cent.
    async fn restart_broker(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down
            && self.rng.percent(60)
        {
            self.kafka.restart(broker).await?;
            self.broker_down = None;
        }
        Ok(())
    }

    /// Removes all faults, and runs the job until no record is left.
    async fn heal(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down.take() {
            self.kafka.restart(broker).await?;
        }
        for endpoint in &self.endpoints {
            endpoint.inject(Fault::None);
        }
        let mut code = None;
        for _ in 0..60 {
            let result = self
                .start_job(false)?
                .wait(Duration::from_secs(120))
                .await?;
            self.allowed_repeats.push(0);
            code = result.code;
            self.count(result)?;
            if matches!(code, Some(0 | 10)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "without faults the last of 60 runs ended with {code:?}; its log: {}",
            self.last_log()?
        )
    }

    /// Writes records; some of them in a transaction, which is committed or aborted.
    fn write(&mut self, count: usize) -> Result<()> {
        let records = self.corpus.next(count);
        self.outcome.written = self.corpus.generated();
        // A transaction would wait for a coordinator on the killed broker.
        let transaction = self.rng.percent(40) && self.broker_down.is_none();
        let commit = self.rng.percent(50);
        let cut = self.rng.below(count as u64) as usize;
        let (first, last) = records.split_at(if transaction { cut } else { count });
        self.acknowledged.extend(self.topics.write(TOPIC, first)?);
        if transaction {
            let positions = self.topics.transaction(TOPIC, last, commit)?;
            if commit {
                self.acknowledged.extend(positions);
            } else {
                self.outcome.aborted += last.len() as u64;
            }
        }
        Ok(())
    }

    /// Starts the job, with random batch sizes and order or with the first of each.
    fn start_job(&mut self, random_settings: bool) -> Result<Job> {
        self.outcome.runs += 1;
        self.endpoints
            .iter_mut()
            .for_each(FaultyEndpoint::begin_run);
        let mut any = |choices: u64| match random_settings {
            true => self.rng.below(choices) as usize,
            false => 0,
        };
        let batches = [BATCH_SIZES[any(4)], BATCH_SIZES[any(4)]];
        let order = ORDERS[any(4)];
        self.max_records_in_flight = batches.iter().map(|batch| batch * MAX_IN_FLIGHT).sum();
        self.outcome.batched += usize::from(batches.iter().any(|batch| *batch > 1));
        let routes = self.logs.path().join("routes.json");
        let route = |endpoint: &FaultyEndpoint, id: i32, batch: usize| {
            json!({
                "name": endpoint.name(), "when": format!("id == {id}"), "url": endpoint.url(), "batch": batch,
            })
        };
        let [a, b] = &self.endpoints;
        let table = json!([route(a, 1010, batches[0]), route(b, 1020, batches[1])]);
        std::fs::write(&routes, table.to_string())?;
        let mut settings = self.settings();
        settings.push(("ROUTES".to_owned(), routes.display().to_string()));
        settings.push(("ORDER".to_owned(), order.to_owned()));
        let log = format!("{}.log", self.outcome.runs);
        Job::start(&self.plan.forward, &settings, self.logs.path().join(log))
    }

    fn settings(&self) -> Vec<(String, String)> {
        let in_flight = MAX_IN_FLIGHT.to_string();
        [
            ("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap()),
            ("KAFKA_TOPIC", TOPIC),
            ("KAFKA_GROUP_ID", GROUP),
            ("DEAD_LETTER_TOPIC", DEAD_LETTERS),
            ("MAX_IN_FLIGHT", &in_flight),
            ("MAX_UNCOMMITTED", &in_flight),
            ("REQUEST_TIMEOUT", "1s"),
            ("MAX_ATTEMPTS", "4"),
            ("BACKOFF_INITIAL", "10ms"),
            ("BACKOFF_MAX", "100ms"),
            ("CIRCUIT_COOL_DOWN", "50ms"),
            ("DEADLINE", "20s"),
            ("SHUTDOWN_TIMEOUT", "2s"),
            ("DEAD_LETTER_MAX_RATIO", "1"),
            ("LOG_LEVEL", "debug"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
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

/// An event during a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Kill,
    Terminate,
    KillBroker,
    ChangeFaults,
}
