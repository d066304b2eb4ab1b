//! A week of scheduled runs, with outages of endpoints and broker, a kill, a replay and discarded dead letters. A day is six
//! runs, without the time between them. Status, dead letters, run reports and the logs of the endpoints must agree with the
//! records of the topic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint};
use testkit::kafka::{Kafka, Options};

use crate::letters::{query, replay};
use crate::run::Run;
use crate::stage::Stage;
use crate::week_records::{Kind, Ledger, Seen, records_before};

const DAYS: usize = 7;
const RUNS_PER_DAY: usize = 6;
/// The most requests of an endpoint that a kill repeats.
pub(crate) const MAX_UNCOMMITTED: usize = 10;
/// The `Retry-After` of an outage.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// An endpoint, and the status of its answers.
pub(crate) struct Service {
    pub(crate) endpoint: Endpoint,
    /// 0: the endpoint accepts each request after 20 ms.
    status: Arc<AtomicU16>,
}

impl Service {
    /// Until `repaired` is set, `rejected` gets this status.
    fn start(rejected: Kind, answer: u16, repaired: &Arc<AtomicU16>) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let (current, repaired) = (Arc::clone(&status), Arc::clone(repaired));
        let endpoint = Endpoint::start(move |request| match current.load(Ordering::SeqCst) {
            0 => Answer::ok().after(Duration::from_millis(20)),
            503 => Answer::status(503).header("retry-after", &RETRY_AFTER.as_secs().to_string()),
            200 if rejected.is_in(request) && repaired.load(Ordering::SeqCst) == 0 => {
                Answer::status(answer)
            }
            status => Answer::status(status),
        });
        Self {
            endpoint: endpoint.unwrap(),
            status,
        }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// The sums over the runs.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub(crate) delivered: i64,
    pub(crate) skipped: i64,
    pub(crate) dead_lettered: i64,
    /// Accepted requests of runs without a report.
    pub(crate) unreported: i64,
    codes: BTreeMap<i32, usize>,
}

pub(crate) struct Week {
    kafka: Kafka,
    pub(crate) stage: Stage,
    pub(crate) a: Service,
    pub(crate) b: Service,
    /// Not 0: endpoint A accepts what it has rejected.
    repaired: Arc<AtomicU16>,
    pub(crate) ledger: Ledger,
    pub(crate) sums: Sums,
}

impl Week {
    async fn start() -> Self {
        let kafka = Kafka::start(&Options {
            fast_join: true,
            set: vec![
                "group.consumer.session.timeout.ms=3000".to_owned(),
                "group.consumer.heartbeat.interval.ms=500".to_owned(),
            ],
            ..Options::default()
        })
        .unwrap();
        let repaired = Arc::new(AtomicU16::new(0));
        let a = Service::start(Kind::Rejected, 400, &repaired);
        let b = Service::start(Kind::Poison, 500, &Arc::default());
        let stage = Stage::on(&kafka, "week", 3, &[])
            .await
            .to(&a.endpoint, &b.endpoint)
            .with("MAX_UNCOMMITTED", MAX_UNCOMMITTED.to_string())
            .with("DEAD_LETTER_MAX_RATIO", "1")
            .with("START_TIMEOUT", "5s");
        Self {
            kafka,
            stage,
            a,
            b,
            repaired,
            ledger: Ledger::default(),
            sums: Sums::default(),
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen::read(&self.stage, [&self.a.endpoint, &self.b.endpoint])
    }

    /// Counts a run. Its report must agree with the endpoints and the dead-letter topic, which were like `before`.
    fn count(&mut self, run: &Run, before: &Seen) {
        let after = self.seen();
        let accepted = [0, 1].map(|index| (after.accepted[index] - before.accepted[index]) as i64);
        let letters = (after.letters.len() - before.letters.len()) as i64;
        *self.sums.codes.entry(run.code).or_default() += 1;
        if run.report.is_null() {
            self.sums.unreported += accepted.iter().sum::<i64>();
            assert_eq!(letters, 0, "{}", run.log);
            return;
        }
        let reported = |route: &Value| route["delivered"].as_i64().unwrap();
        for (name, accepted) in ["A", "B"].into_iter().zip(accepted) {
            let routes = run.report["routes"].as_array().unwrap().iter();
            let delivered: i64 = routes
                .filter(|route| route["route"] == name)
                .map(reported)
                .sum();
            assert_eq!(delivered, accepted, "route {name}: {:#}", run.report);
        }
        self.sums.delivered += run.total("delivered");
        self.sums.skipped += run.total("skipped");
        // A replay writes no dead letters.
        assert_eq!(run.total("dead_lettered"), letters, "{:#}", run.report);
        self.sums.dead_lettered += letters;
    }

    /// One scheduled run.
    fn run(&mut self, codes: &[i32]) {
        let before = self.seen();
        let run = self.stage.run().expect_one_of(codes);
        self.count(&run, &before);
    }

    async fn refuse_connections(&self, refuse: bool) {
        for service in [&self.a, &self.b] {
            service.endpoint.refuse_connections(refuse);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    /// A run that is killed while endpoint A is slow, then runs until its membership has ended. There must be no records
    /// that it can skip or dead-letter: nothing counts those of a killed run.
    fn kill_a_run(&mut self) {
        self.ledger.write(&self.stage, &[Kind::A; 300]);
        self.a.answer(0);
        let before = self.seen();
        let requests = self.a.endpoint.count();
        let mut process = self.stage.start();
        while process.is_running() && self.a.endpoint.count() < requests + 30 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let run = process.kill().expect(-9);
        // Requests that arrive now still belong to the run.
        std::thread::sleep(Duration::from_millis(200));
        self.count(&run, &before);
        self.a.answer(200);
        // Runs that find the killed one's membership end with 20, and send nothing.
        let before = self.seen();
        let next = self.stage.run_when_free().expect_one_of(&[0, 10, 11]);
        self.count(&next, &before);
    }

    /// A run that finds another one, which is still running.
    fn overlap(&mut self) {
        self.ledger.write(&self.stage, &[Kind::A; 1000]);
        self.a.answer(0);
        let before = self.seen();
        let requests = self.a.endpoint.count();
        let live = self.stage.start();
        assert!(
            self.a
                .endpoint
                .wait_for(requests + 1, Duration::from_secs(30))
        );
        let skipped = self.stage.run().expect(20);
        assert!(skipped.report.is_null() || skipped.total("delivered") == 0);
        *self.sums.codes.entry(20).or_default() += 1;
        let live = live.wait().expect_one_of(&[0, 10, 11]);
        self.count(&live, &before);
        self.a.answer(200);
    }

    async fn run_without_broker(&mut self) {
        self.kafka.kill(1).await.unwrap();
        let run = self.stage.run().expect(74);
        *self.sums.codes.entry(run.code).or_default() += 1;
        self.kafka.restart(1).await.unwrap();
    }

    /// Repairs endpoint A, and replays the records that it rejected.
    fn replay_rejected(&mut self) {
        self.repaired.store(1, Ordering::SeqCst);
        let before = self.seen();
        let rejected = before.letters.values().filter(|cause| *cause == "refused");
        let rejected = rejected.count() as i64;
        assert!(rejected > 0);
        let run = replay(&self.stage, &["--cause", "refused"])
            .wait()
            .expect(0);
        assert_eq!(run.total("delivered"), rejected);
        let skipped = run.total("skipped");
        self.count(&run, &before);
        // They are letters of the dead-letter topic, and not records of the topic.
        self.sums.skipped -= skipped;
    }

    /// Discards the dead letters that cannot be decoded, and returns the origins of all that are discarded.
    fn discard_invalid(&mut self) -> Vec<(i32, i64)> {
        let arguments = ["discard", "--cause", "undecodable", "--reason", "test data"];
        let (code, report) = query(&self.stage, "discard-report", &arguments);
        let letters = self.seen().letters.into_iter();
        let discarded: Vec<_> = letters
            .filter(|(_, cause)| cause == "undecodable")
            .map(|(at, _)| at)
            .collect();
        assert_eq!((code, &report["discarded"]), (0, &json!(discarded.len())));
        discarded
    }
}

#[tokio::test]
#[ignore = "needs Apache Kafka: run by `make e2e`"]
async fn after_a_week_status_letters_and_reports_agree_with_the_endpoints() {
    const ANY: [i32; 3] = [0, 10, 11];
    let mut week = Week::start().await;
    let mut discarded = Vec::new();
    for day in 1..=DAYS {
        for run in 1..=RUNS_PER_DAY {
            if (day, run) == (4, 5) {
                week.kill_a_run();
            }
            let records = records_before(day * RUNS_PER_DAY + run);
            week.ledger.write(&week.stage, &records);
            match (day, run) {
                (2, 5) => week.b.answer(503),
                (3, 1) => {
                    week.b.answer(200);
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                (3, 4) => week.a.answer(500),
                (4, 1) => week.a.answer(200),
                (4, 2) => week.refuse_connections(true).await,
                (4, 4) => week.refuse_connections(false).await,
                (6, 2) => week.replay_rejected(),
                (7, 2) => discarded = week.discard_invalid(),
                (7, 4) => week.b.answer(503),
                _ => {}
            }
            match (day, run) {
                (2, 5..) | (3, 4..) | (7, 4..) => week.run(&[11]),
                (4, 2 | 3) => week.run(&[75]),
                (5, 2) => week.overlap(),
                (5, 4) => week.run_without_broker().await,
                _ => week.run(&ANY),
            }
        }
        week.assert_status(day);
    }
    week.b.answer(200);
    tokio::time::sleep(RETRY_AFTER).await;
    // Each poison record needs a run that defers it, and one that gives it up.
    week.run(&ANY);
    week.ledger.write(&week.stage, &[Kind::B]);
    week.run(&ANY);
    week.ledger.write(&week.stage, &[Kind::B]);
    week.run(&[0, 10]);
    week.assert_status(DAYS + 1);
    week.assert_each_record(&discarded);
    week.assert_sums();
}
