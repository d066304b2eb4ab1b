//! A running `forward` process, and the exit code, report and log of a finished one.

use std::process::{Child, Command};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::run_report;

/// Longer than each run takes on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// A running process.
pub(crate) struct RunProcess {
    child: Child,
    started: Instant,
    // Each pipe is read from the start: a full pipe would block the run.
    out: JoinHandle<String>,
    log: JoinHandle<String>,
}

impl RunProcess {
    pub(crate) fn new(mut child: Child) -> Self {
        Self {
            started: Instant::now(),
            out: drain(child.stdout.take().unwrap()),
            log: drain(child.stderr.take().unwrap()),
            child,
        }
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) fn kill(mut self) -> Run {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end. A report, if present, must balance.
    pub(crate) fn wait(mut self) -> Run {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > TIMEOUT {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!(
                    "the run did not end; its log:\n{}",
                    self.log.join().unwrap()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let elapsed = self.started.elapsed();
        let (out, log) = (self.out.join().unwrap(), self.log.join().unwrap());
        let report = serde_json::from_str(&out).unwrap_or(Value::Null);
        let run = Run {
            code: status.code().unwrap_or(-9),
            elapsed,
            report,
            out,
            log,
        };
        if !run.report.is_null() {
            assert_eq!(
                run_report::check_balance(&run.report),
                Ok(()),
                "{:#}\n{}",
                run.report,
                run.log
            );
            assert_eq!(run.report["exit_code"], run.code, "{:#}", run.report);
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

/// A finished run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; -9 after SIGKILL.
    pub(crate) code: i32,
    pub(crate) elapsed: Duration,
    /// Null without a report.
    pub(crate) report: Value,
    /// All of standard output.
    pub(crate) out: String,
    pub(crate) log: String,
}

impl Run {
    /// Asserts the exit code. A failure shows the report and the log.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "report: {:#}\nlog:\n{}",
            self.report, self.log
        );
        self
    }

    /// Asserts that the exit code is one of these.
    #[track_caller]
    pub(crate) fn expect_one_of(self, codes: &[i32]) -> Self {
        let code = self.code;
        match codes.contains(&code) {
            true => self,
            false => self.expect(codes[0]),
        }
    }

    /// Returns one of the totals.
    #[track_caller]
    pub(crate) fn total(&self, name: &str) -> i64 {
        number(&self.report["totals"], name)
    }

    /// Returns a value of one partition.
    #[track_caller]
    pub(crate) fn partition_value(&self, partition: i32, name: &str) -> i64 {
        let partitions = self.report["partitions"].as_array().unwrap();
        let found = partitions.iter().find(|one| one["partition"] == partition);
        number(
            found.unwrap_or_else(|| panic!("no partition {partition}: {:#}", self.report)),
            name,
        )
    }

    /// Returns the part of the report about one route.
    #[track_caller]
    pub(crate) fn route(&self, name: &str) -> &Value {
        let routes = self.report["routes"].as_array().unwrap();
        let found = routes.iter().find(|one| one["route"] == name);
        found.unwrap_or_else(|| panic!("no route {name}: {:#}", self.report))
    }
}

#[track_caller]
fn number(value: &Value, name: &str) -> i64 {
    value[name]
        .as_i64()
        .unwrap_or_else(|| panic!("no number {name:?} in {value:#}"))
}
