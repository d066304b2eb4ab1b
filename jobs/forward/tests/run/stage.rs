//! A run as a process: its topics, endpoints and result.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint};
use testkit::run_report::check_balance;
use testkit::topics::{NewRecord, Topics};
use testkit::user::User;

use crate::{DEAD_LETTER_TOPIC, TOPIC};

pub(crate) struct Stage {
    pub(crate) broker: Broker,
    pub(crate) a: Endpoint,
    pub(crate) b: Endpoint,
}

impl Stage {
    pub(crate) fn new(a: Endpoint, b: Endpoint) -> Self {
        let broker = Broker::start().unwrap();
        broker.create_topic(TOPIC, 2).unwrap();
        broker.create_topic(DEAD_LETTER_TOPIC, 1).unwrap();
        Self { broker, a, b }
    }

    pub(crate) fn accepting() -> Self {
        Self::new(
            Endpoint::always(Answer::ok()).unwrap(),
            Endpoint::always(Answer::ok()).unwrap(),
        )
    }

    /// Writes the data alternately to partitions 0 and 1.
    pub(crate) fn write(&self, data: &[Vec<u8>]) {
        let records: Vec<NewRecord> = data
            .iter()
            .enumerate()
            .map(|(index, datum)| NewRecord::to((index % 2) as i32, datum.clone()))
            .collect();
        Topics::connect(self.broker.bootstrap())
            .unwrap()
            .write(TOPIC, &records)
            .unwrap();
    }

    /// Writes the data to one partition.
    pub(crate) fn write_to(&self, partition: i32, data: Vec<Vec<u8>>) {
        let records: Vec<NewRecord> = data
            .into_iter()
            .map(|d| NewRecord::to(partition, d))
            .collect();
        Topics::connect(self.broker.bootstrap())
            .unwrap()
            .write(TOPIC, &records)
            .unwrap();
    }

    pub(crate) fn forward(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
        command
            .env_clear()
            .env("KAFKA_BOOTSTRAP_SERVERS", self.broker.bootstrap())
            .env("API_TYPE_A_URL", self.a.url())
            .env("API_TYPE_B_URL", self.b.url())
            .env("CIRCUIT_COOL_DOWN", "50ms")
            .env("BACKOFF_INITIAL", "20ms")
            .args(["run", "--output", "json"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from_output(&self.forward(arguments).output().unwrap())
    }
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) report: Value,
    pub(crate) log: String,
}

impl Run {
    pub(crate) fn from_output(output: &Output) -> Self {
        let (out, log) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let report =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{log}"));
        Self {
            code: output.status.code().unwrap_or(-1),
            report,
            log: log.into_owned(),
        }
    }

    pub(crate) fn total(&self, name: &str) -> i64 {
        self.report["totals"][name].as_i64().unwrap()
    }

    pub(crate) fn assert(&self, code: i32, totals: &Value) {
        assert_eq!(check_balance(&self.report), Ok(()), "{:#}", self.report);
        for (name, expected) in totals.as_object().unwrap() {
            assert_eq!(
                &self.report["totals"][name], expected,
                "{name} of {:#}\n{}",
                self.report, self.log
            );
        }
        assert_eq!(self.code, code, "{:#}\n{}", self.report, self.log);
    }
}

pub(crate) fn user(id: i32, name: &str) -> Vec<u8> {
    let email = "e@x.org".to_owned();
    let user = User::new(id, name);
    User { email, ..user }.encode()
}

pub(crate) fn bodies(endpoint: &Endpoint) -> Vec<Vec<u8>> {
    let mut bodies: Vec<_> = endpoint
        .requests()
        .iter()
        .map(|request| request.body.to_vec())
        .collect();
    bodies.sort();
    bodies
}

pub(crate) fn wait(mut child: Child, timeout: Duration) -> Output {
    let end = Instant::now() + timeout;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the run did not end in {timeout:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// The exit code, standard output and standard error of a command with this standard input.
pub(crate) fn output_of(command: &mut Command, input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A process that has ended does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}
