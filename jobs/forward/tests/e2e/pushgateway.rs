//! Metrics in a Prometheus Pushgateway, and read by promtool.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::broker::Broker;
use testkit::endpoint::{Answer, Endpoint};
use testkit::program::spawn;
use testkit::topics::{NewRecord, Topics};
use tokio::process::{Child, Command};

use crate::mutual_tls::{broker, write_record};
use crate::nginx::{free_port, wait_for_port};

/// A Pushgateway, which requires the user `job` with the password `hunter2`.
struct PushgatewayProcess {
    port: u16,
    _folder: TempDir,
    _process: Child,
}

impl PushgatewayProcess {
    async fn start() -> Self {
        /// By crypt(3) with bcrypt.
        const HASH: &str = "$2b$04$L3iD.PKU6Qly8LnPURYhf.nuDDDwzyWevBs1uvsZjNkyJ6zbNG1EC";
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("web.yaml");
        std::fs::write(&config, format!("basic_auth_users: {{job: {HASH}}}\n")).unwrap();
        let port = free_port();
        let mut command = Command::new("prometheus-pushgateway");
        command
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--web.config.file={}", config.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let process = spawn(|| command.spawn()).expect("prometheus-pushgateway is installed");
        wait_for_port(port, "prometheus-pushgateway").await;
        Self {
            port,
            _folder: folder,
            _process: process,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The lines of its metrics about the job.
    async fn lines(&self) -> Vec<String> {
        let mut command = Command::new("curl");
        let command = command.args([
            "-sS",
            "-f",
            "-u",
            "job:hunter2",
            &format!("{}/metrics", self.url()),
        ]);
        let output = command.output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().filter(|line| line.contains("job=\"forward\""));
        lines.map(str::to_owned).collect()
    }

    /// Pushes these metrics as another job.
    async fn push(&self, text: &'static str) {
        let url = format!("{}/metrics/job/other", self.url());
        let mut command = Command::new("curl");
        let command = command.args([
            "-sS",
            "-f",
            "-u",
            "job:hunter2",
            "--data-binary",
            text,
            &url,
        ]);
        assert!(command.status().await.unwrap().success());
    }
}

/// The exit code and the log of a run, and how long it took.
async fn run(
    broker: &Broker,
    endpoint: &Endpoint,
    variables: &[(&str, &str)],
) -> (Option<i32>, String, Duration) {
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forward"));
    command
        .env_clear()
        .env("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap())
        .env("API_TYPE_A_URL", endpoint.url())
        .env("API_TYPE_B_URL", endpoint.url())
        .env("METRICS_PUSHGATEWAY_USERNAME", "job")
        .env("METRICS_PUSHGATEWAY_PASSWORD", "hunter2")
        .envs(variables.iter().copied())
        .args(["run", "--output", "json"])
        .kill_on_drop(true);
    let output = command.output().await.unwrap();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!log.contains("hunter2"), "{log}");
    (output.status.code(), log, start.elapsed())
}

/// The value of the only line of this metric that contains `part`.
fn value(lines: &[String], name: &str, part: &str) -> Option<f64> {
    let is_of = |line: &&String| line.starts_with(&format!("{name}{{")) && line.contains(part);
    let mut found = lines.iter().filter(is_of);
    let line = found.next()?;
    assert_eq!(found.next(), None, "{lines:#?}");
    Some(line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test]
#[ignore = "starts a Pushgateway: run by `make e2e`"]
async fn a_pushgateway_has_the_last_run_and_the_last_success() {
    let (gateway, broker) = (PushgatewayProcess::start().await, broker());
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forward.prom");
    let (url, file) = (gateway.url(), file.to_str().unwrap());
    let variables = [
        ("METRICS_PUSHGATEWAY", url.as_str()),
        ("METRICS_FILE", file),
    ];

    write_record(&broker);
    let (code, log, _) = run(&broker, &endpoint, &variables).await;
    assert_eq!((code, log.contains("metrics")), (Some(0), false), "{log}");
    let lines = gateway.lines().await;
    let delivered = "outcome=\"delivered\"";
    assert_eq!(
        value(&lines, "frontdoor_job_last_run_records", delivered),
        Some(1.0)
    );
    assert_eq!(
        value(&lines, "frontdoor_job_last_run_exit_code", ""),
        Some(0.0)
    );
    let grouping = "group=\"frontdoor\",instance=\"\",job=\"forward\"";
    let success = value(
        &lines,
        "frontdoor_job_last_success_timestamp_seconds",
        grouping,
    );
    assert!(success.is_some());

    let topics = Topics::connect(broker.bootstrap()).unwrap();
    topics
        .write("FrontDoorTopic", &[NewRecord::to(0, &b"x"[..])])
        .unwrap();
    let (code, log, _) = run(&broker, &endpoint, &variables).await;
    assert_eq!((code, log.contains("metrics")), (Some(10), false), "{log}");
    let lines = gateway.lines().await;
    assert_eq!(
        value(&lines, "frontdoor_job_last_run_records", delivered),
        Some(0.0)
    );
    assert_eq!(
        value(&lines, "frontdoor_job_last_run_dead_letters", "undecodable"),
        Some(1.0)
    );
    assert_eq!(
        value(&lines, "frontdoor_job_last_run_exit_code", ""),
        Some(10.0)
    );
    assert_eq!(
        value(&lines, "frontdoor_job_last_success_timestamp_seconds", ""),
        success
    );

    let (code, ..) = run(&broker, &endpoint, &variables).await;
    assert_eq!(code, Some(0));
    let lines = gateway.lines().await;
    assert!(
        lines.iter().all(|line| !line.contains("dead_letters{")),
        "{lines:#?}"
    );
    assert!(value(&lines, "frontdoor_job_last_success_timestamp_seconds", "") > success);

    let mut promtool = std::process::Command::new("promtool");
    promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("promtool is installed");
    let text = std::fs::read(file).unwrap();
    promtool.stdin.take().unwrap().write_all(&text).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "starts a Pushgateway: run by `make e2e`"]
async fn a_pushgateway_that_fails_does_not_change_the_exit_code() {
    let (gateway, broker) = (PushgatewayProcess::start().await, broker());
    let endpoint = Endpoint::always(Answer::ok()).unwrap();
    gateway
        .push(
            "# TYPE frontdoor_job_last_run_exit_code counter\nfrontdoor_job_last_run_exit_code 1\n",
        )
        .await;
    let down = format!("http://127.0.0.1:{}", free_port());
    let wrong = ("METRICS_PUSHGATEWAY_PASSWORD", "canary");
    let url = gateway.url();
    for (variables, reason) in [
        (
            &[("METRICS_PUSHGATEWAY", url.as_str())][..],
            ": 400: pushed metrics are invalid or inconsistent",
        ),
        (
            &[("METRICS_PUSHGATEWAY", &url), wrong],
            ": 401: Unauthorized",
        ),
        (&[("METRICS_PUSHGATEWAY", &down)], "Connection refused"),
    ] {
        write_record(&broker);
        let (code, log, took) = run(&broker, &endpoint, variables).await;
        assert_eq!(code, Some(0), "{log}");
        let lines = log
            .lines()
            .filter(|line| line.contains("the metrics were not written"));
        assert_eq!(
            lines.filter(|line| line.contains(reason)).count(),
            1,
            "{log}"
        );
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}
