//! One run of the job: under way, then ended, with its exit code, its report and its log.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any run takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A run under way.
pub(crate) struct Live {
    child: Child,
    started: Instant,
    // Read from the start: a pipe that is full would stop the run.
    out: JoinHandle<String>,
    log: JoinHandle<String>,
}

impl Live {
    pub(crate) fn of(mut child: Child) -> Self {
        Self {
            started: Instant::now(),
            out: drain(child.stdout.take().unwrap()),
            log: drain(child.stderr.take().unwrap()),
            child,
        }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) -> Run {
        self.child.kill().unwrap();
        self.end()
    }

    /// SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Run {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!(
                    "the run did not end; its log:\n{}",
                    self.log.join().unwrap()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        let (out, log) = (self.out.join().unwrap(), self.log.join().unwrap());
        let report = serde_json::from_str(&out).unwrap_or(Value::Null);
        let run = Run {
            code: status.code().unwrap_or(-9),
            took,
            report,
            out,
            log,
        };
        if !run.report.is_null() {
            run.assert_balanced();
        }
        run
    }
}

fn drain(mut pipe: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; -9 if it was killed.
    pub(crate) code: i32,
    pub(crate) took: Duration,
    /// Null if there is none.
    pub(crate) report: Value,
    /// All of standard output.
    pub(crate) out: String,
    pub(crate) log: String,
}

const PARTS: [&str; 6] = [
    "delivered",
    "skipped",
    "dead_lettered",
    "already_completed",
    "deferred",
    "empty_offsets",
];

impl Run {
    /// The run's exit code is this one, or the test fails with everything the run said.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "report: {:#}\nlog:\n{}",
            self.report, self.log
        );
        self
    }

    /// One of the report's totals.
    #[track_caller]
    pub(crate) fn total(&self, name: &str) -> i64 {
        number(&self.report["totals"], name)
    }

    /// A number of one partition.
    #[track_caller]
    pub(crate) fn of_partition(&self, partition: i32, name: &str) -> i64 {
        let partitions = self.report["partitions"].as_array().unwrap();
        let of = partitions.iter().find(|one| one["partition"] == partition);
        number(
            of.unwrap_or_else(|| panic!("no partition {partition}: {:#}", self.report)),
            name,
        )
    }

    /// The report's part about one route.
    #[track_caller]
    pub(crate) fn route(&self, name: &str) -> &Value {
        let routes = self.report["routes"].as_array().unwrap();
        let of = routes.iter().find(|one| one["route"] == name);
        of.unwrap_or_else(|| panic!("no route {name}: {:#}", self.report))
    }

    /// planned = end − start = the sum of its parts, by partition and in total; and each request has one end.
    #[track_caller]
    fn assert_balanced(&self) {
        let report = &self.report;
        assert_eq!(report["balanced"], true, "{report:#}\n{}", self.log);
        assert_eq!(report["exit_code"], self.code, "{report:#}");
        let sum = |of: &Value| PARTS.iter().map(|part| number(of, part)).sum::<i64>();
        let mut totals: BTreeMap<&str, i64> = BTreeMap::new();
        for one in report["partitions"].as_array().unwrap() {
            let planned = number(one, "planned");
            assert_eq!(
                planned,
                number(one, "end") - number(one, "start"),
                "{report:#}"
            );
            assert_eq!(planned, sum(one), "{report:#}\n{}", self.log);
            for name in PARTS.iter().chain(&["planned"]) {
                *totals.entry(name).or_default() += number(one, name);
            }
        }
        for (name, total) in totals {
            assert_eq!(self.total(name), total, "{name}: {report:#}");
        }
        for route in report["routes"].as_array().unwrap() {
            let statuses = route["statuses"].as_object().unwrap();
            let answered: i64 = statuses.values().filter_map(Value::as_i64).sum();
            assert_eq!(
                answered + number(route, "timeouts") + number(route, "connection_errors"),
                number(route, "attempts"),
                "{report:#}"
            );
        }
    }
}

#[track_caller]
fn number(of: &Value, name: &str) -> i64 {
    of[name]
        .as_i64()
        .unwrap_or_else(|| panic!("no number {name:?} in {of:#}"))
}
