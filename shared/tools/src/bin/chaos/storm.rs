//! The storm: window after window, each with records to deliver, weather at the endpoints, and a chance that the job
//! or a broker is killed in the middle; then a calm, in which everything must settle.

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
use crate::dice::Dice;
use crate::forward::{Ended, Window};
use crate::weather::{Outdoor, Weather};

const TOPIC: &str = "chaos";
const DEAD_LETTERS: &str = "chaos-dead-letter";
const GROUP: &str = "chaos";
const PARTITIONS: i32 = 6;
const BROKERS: u64 = 3;
/// Requests to each endpoint; also the bound on those that are under way or not yet committed, so that a kill may
/// repeat what was in flight and nothing else.
const MAX_IN_FLIGHT: usize = 16;
/// Done, with dead letters, partial, more work left, fenced, source, endpoint: a storm may cause these and no other.
const EXPECTED: [i32; 7] = [0, 10, 11, 12, 20, 74, 75];

/// Of these, those of a run that came to its end as it should: it has committed all that it settled.
const BY_ITSELF: [i32; 4] = [0, 10, 11, 12];
const FENCED: i32 = 20;
/// How soon the group misses a member that was killed; Kafka's default is 45 s, for which no storm can wait.
const SESSION: Duration = Duration::from_millis(1500);
/// How many records a request may hold, as the windows have it; one is no batch.
const BATCHES: [usize; 4] = [1, 1, 8, 25];
/// What order deliveries keep, as the windows have it.
const ORDERS: [&str; 4] = ["none", "none", "key", "partition"];

/// What is to be done.
pub(crate) struct Plan {
    /// What everything is made from.
    pub(crate) seed: u64,
    /// How often the job is killed.
    pub(crate) kills: usize,
    /// The job's program.
    pub(crate) forward: PathBuf,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// What it was made from.
    pub(crate) seed: u64,
    /// Windows that were opened.
    pub(crate) windows: usize,
    /// kill -9 of the job.
    pub(crate) kills: usize,
    /// SIGTERM to the job.
    pub(crate) stops: usize,
    /// kill -9 of a broker.
    pub(crate) broker_kills: usize,
    /// How often each exit code was seen.
    pub(crate) exit_codes: BTreeMap<i32, usize>,
    /// Records that were written.
    pub(crate) written: u64,
    /// Of these, in transactions that were aborted.
    pub(crate) aborted: u64,
    /// Windows in which a route sent many records in a request.
    pub(crate) batched: usize,
    /// Requests that the endpoints read.
    pub(crate) requests: usize,
    /// Dead letters in their topic, repeats included.
    pub(crate) dead_letters: usize,
    /// Reports that were read.
    pub(crate) reports: usize,
    /// How long it all took.
    pub(crate) seconds: f64,
    /// The checker's word.
    pub(crate) verdict: Verdict,
}

struct Storm<'p> {
    plan: &'p Plan,
    dice: Dice,
    kafka: Kafka,
    topics: Topics,
    corpus: Corpus,
    outdoors: [Outdoor; 2],
    acknowledged: Vec<(i32, i64)>,
    reports: Vec<Value>,
    /// How long a window takes that nobody disturbs: kills fall anywhere within.
    usual: Duration,
    broker_down: Option<usize>,
    /// For each window, how many of the records that it delivered may come again.
    repeats_allowed: Vec<usize>,
    /// The same if the window that is open now should be cut off.
    at_stake: usize,
    logs: tempfile::TempDir,
    outcome: Outcome,
}

/// Lets the storm rage until the job was killed often enough, then calms it, then checks.
pub(crate) async fn rage(plan: &Plan) -> Result<Outcome> {
    let started = Instant::now();
    let mut storm = Storm::brew(plan).await?;
    while storm.outcome.kills < plan.kills {
        storm.window().await?;
    }
    storm.calm().await?;
    let evidence = storm.evidence()?;
    let Storm { mut outcome, .. } = storm;
    outcome.requests = evidence.received.len();
    outcome.dead_letters = evidence.dead_letters.len();
    outcome.reports = evidence.reports.len();
    outcome.verdict = checker::check(&evidence);
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

impl<'p> Storm<'p> {
    async fn brew(plan: &'p Plan) -> Result<Self> {
        let kafka = Kafka::start(&Options {
            three: true,
            set: vec![
                format!("group.consumer.session.timeout.ms={}", SESSION.as_millis()),
                "group.consumer.heartbeat.interval.ms=500".to_owned(),
            ],
            ..Options::default()
        })?;
        let topics = Topics::of(kafka.bootstrap())?;
        topics.create(TOPIC, PARTITIONS, &[]).await?;
        topics.create(DEAD_LETTERS, 2, &[]).await?;
        Ok(Self {
            plan,
            dice: Dice::new(plan.seed),
            kafka,
            topics,
            corpus: Corpus::new(plan.seed, PARTITIONS),
            outdoors: [
                Outdoor::start("A", plan.seed)?,
                Outdoor::start("B", !plan.seed)?,
            ],
            acknowledged: Vec::new(),
            reports: Vec::new(),
            usual: Duration::from_millis(600),
            broker_down: None,
            repeats_allowed: Vec::new(),
            at_stake: 0,
            logs: tempfile::tempdir()?,
            outcome: Outcome {
                seed: plan.seed,
                windows: 0,
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

    /// One window: records, weather, and what the dice say.
    async fn window(&mut self) -> Result<()> {
        let count = 20 + self.dice.below(400) as usize;
        self.write(count)?;
        for outdoor in &self.outdoors {
            outdoor.turn(Weather::any(&mut self.dice));
        }
        let within = self.usual.as_millis() as u64 * 5 / 4;
        let kill = self.dice.percent(80).then(|| self.dice.below(within));
        let stop = (kill.is_none() && self.dice.percent(50)).then(|| self.dice.below(within));
        let broker = (self.dice.percent(40)).then(|| self.dice.below(within / 2));
        let turn = self.dice.percent(50).then(|| self.dice.below(within));
        // Most kills fall into the middle of the deliveries, wherever these fall in time.
        let requests = (self.dice.percent(70)).then(|| self.dice.below(count as u64) as usize);
        let mut events: Vec<(u64, Event)> = [
            (
                kill.map(|at| requests.map_or(at, |_| within * 2)),
                Event::Kill,
            ),
            (stop, Event::Stop),
            (broker, Event::Broker),
            (turn, Event::Turn),
        ]
        .into_iter()
        .filter_map(|(at, event)| Some((at?, event)))
        .collect();
        events.sort_unstable();
        let undisturbed = events.is_empty();

        let before = self.requests();
        let mut window = self.open(true)?;
        let mut broker_was_down = self.broker_down.is_some();
        let opened = Instant::now();
        for (at, event) in events {
            let is_due = |storm: &Self| {
                let enough = requests.is_some_and(|requests| storm.requests() > before + requests);
                opened.elapsed() >= Duration::from_millis(at) || (event == Event::Kill && enough)
            };
            while !is_due(self) && window.runs() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if !window.runs() {
                break;
            }
            self.happen(event, &mut window).await?;
            broker_was_down |= self.broker_down.is_some();
        }
        let ended = window.end(Duration::from_secs(120)).await?;
        if undisturbed && ended.code == Some(0) {
            self.usual = (self.usual * 3 + ended.took) / 4;
        }
        // A run that came to its own end with all brokers up has committed everything.
        let committed = matches!(ended.code, Some(code) if BY_ITSELF.contains(&code));
        let allowed = if committed && !broker_was_down {
            0
        } else {
            self.at_stake
        };
        self.repeats_allowed.push(allowed);
        // Most windows come when the group has missed the one that was killed; the others are to be fenced off.
        let killed = ended.code.is_none();
        if killed && self.dice.percent(80) {
            tokio::time::sleep(SESSION + Duration::from_millis(300)).await;
        } else if ended.code == Some(FENCED) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.note(ended)?;
        self.mend().await
    }

    async fn happen(&mut self, event: Event, window: &mut Window) -> Result<()> {
        match event {
            Event::Kill if window.kill() => {
                self.outcome.kills += 1;
                // What was on its way belongs to this window.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Event::Kill => {}
            Event::Stop => {
                window.ask_to_stop()?;
                self.outcome.stops += 1;
            }
            Event::Turn => {
                for outdoor in &self.outdoors {
                    outdoor.turn(Weather::any(&mut self.dice));
                }
            }
            Event::Broker if self.broker_down.is_none() => {
                let broker = 1 + self.dice.below(BROKERS) as usize;
                self.kafka.kill(broker).await?;
                self.broker_down = Some(broker);
                self.outcome.broker_kills += 1;
            }
            Event::Broker => {}
        }
        Ok(())
    }

    /// A broker that was killed comes back, at the latest two windows on.
    async fn mend(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down
            && self.dice.percent(60)
        {
            self.kafka.revive(broker).await?;
            self.broker_down = None;
        }
        Ok(())
    }

    /// Fine weather, all brokers, and windows until nothing is left.
    async fn calm(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down.take() {
            self.kafka.revive(broker).await?;
        }
        for outdoor in &self.outdoors {
            outdoor.turn(Weather::Fine);
        }
        let mut code = None;
        for _ in 0..60 {
            let ended = self.open(false)?.end(Duration::from_secs(120)).await?;
            self.repeats_allowed.push(0);
            code = ended.code;
            self.note(ended)?;
            if matches!(code, Some(0 | 10)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "in fine weather the job still ends with {code:?}; its log: {}",
            self.last_log()?
        )
    }

    /// Most records come as they are, some in a transaction, and of these some in one that is aborted.
    fn write(&mut self, count: usize) -> Result<()> {
        let records = self.corpus.next(count);
        self.outcome.written = self.corpus.made();
        // A coordinator that is down would hold the storm up.
        let transaction = self.dice.percent(40) && self.broker_down.is_none();
        let commit = self.dice.percent(50);
        let cut = self.dice.below(count as u64) as usize;
        let (first, last) = records.split_at(if transaction { cut } else { count });
        self.acknowledged.extend(self.topics.write(TOPIC, first)?);
        if transaction {
            let places = self.topics.transaction(TOPIC, last, commit)?;
            if commit {
                self.acknowledged.extend(places);
            } else {
                self.outcome.aborted += last.len() as u64;
            }
        }
        Ok(())
    }

    /// Opens a window, in a shape that the dice say, or in the plain one.
    fn open(&mut self, any_shape: bool) -> Result<Window> {
        self.outcome.windows += 1;
        self.outdoors.iter_mut().for_each(Outdoor::begin_window);
        let mut any = |shapes: u64| match any_shape {
            true => self.dice.below(shapes) as usize,
            false => 0,
        };
        let batches = [BATCHES[any(4)], BATCHES[any(4)]];
        let order = ORDERS[any(4)];
        self.at_stake = batches.iter().map(|batch| batch * MAX_IN_FLIGHT).sum();
        self.outcome.batched += usize::from(batches.iter().any(|batch| *batch > 1));
        let routes = self.logs.path().join("routes.json");
        let route = |outdoor: &Outdoor, id: i32, batch: usize| json!({"name": outdoor.name(), "when": format!("id == {id}"), "url": outdoor.url(), "batch": batch});
        let [a, b] = &self.outdoors;
        let table = json!([route(a, 1010, batches[0]), route(b, 1020, batches[1])]);
        std::fs::write(&routes, table.to_string())?;
        let mut settings = self.settings();
        settings.push(("ROUTES".to_owned(), routes.display().to_string()));
        settings.push(("ORDER".to_owned(), order.to_owned()));
        let log = format!("{}.log", self.outcome.windows);
        Window::open(&self.plan.forward, &settings, self.logs.path().join(log))
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

    /// How many requests the endpoints have read.
    fn requests(&self) -> usize {
        self.outdoors.iter().map(Outdoor::count).sum()
    }

    fn note(&mut self, ended: Ended) -> Result<()> {
        let Some(code) = ended.code else {
            return Ok(());
        };
        *self.outcome.exit_codes.entry(code).or_default() += 1;
        if !EXPECTED.contains(&code) {
            bail!("the job ended with {code}; its log: {}", self.last_log()?);
        }
        self.reports.extend(ended.report);
        if self.outcome.windows.is_multiple_of(10) {
            let Outcome {
                windows,
                kills,
                broker_kills,
                written,
                ..
            } = &self.outcome;
            let read = self.requests();
            eprintln!(
                "chaos: window {windows}, {kills} of {} kills, {broker_kills} brokers, {written} records, {read} requests",
                self.plan.kills
            );
        }
        Ok(())
    }

    fn last_log(&self) -> Result<String> {
        let log = self
            .logs
            .path()
            .join(format!("{}.log", self.outcome.windows));
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
            received: self.outdoors.iter().flat_map(Outdoor::received).collect(),
            reports: std::mem::take(&mut self.reports),
            committed: self
                .topics
                .committed(GROUP, TOPIC)?
                .into_iter()
                .map(|(partition, committed)| (partition, committed.offset))
                .collect(),
            repeats_allowed: std::mem::take(&mut self.repeats_allowed),
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Kill,
    Stop,
    Broker,
    Turn,
}
