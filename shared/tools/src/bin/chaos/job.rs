//! Runs the job as a process: starts it with settings, kills or stops it, and reads its report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

/// The path of the job's program: the given path, or `forward` in the folder of this program.
pub(crate) fn find(given: Option<PathBuf>) -> Result<PathBuf> {
    let path = match given {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("forward"),
    };
    if !path.is_file() {
        bail!(
            "{} does not exist: build it (cargo build -p forward --bin forward) or pass --forward",
            path.display()
        );
    }
    Ok(path)
}

/// Whether the job has a setting of this name.
pub(crate) fn has_setting(program: &Path, name: &str) -> Result<bool> {
    let output = std::process::Command::new(program)
        .arg("settings")
        .env_clear()
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().any(|line| line.starts_with(name)))
}

/// A running job.
pub(crate) struct Job {
    child: Child,
    started: Instant,
    log: PathBuf,
}

/// How a run ended.
pub(crate) struct RunResult {
    /// The exit code; `None`: the job was killed.
    pub(crate) code: Option<i32>,
    /// The report, if the job wrote one.
    pub(crate) report: Option<Value>,
    /// From start to exit.
    pub(crate) duration: Duration,
}

impl Job {
    /// Starts `forward` with these arguments, and with `settings` as its environment.
    pub(crate) fn start(
        program: &PathBuf,
        arguments: &[&str],
        settings: &BTreeMap<String, String>,
        log: PathBuf,
    ) -> Result<Self> {
        let child = Command::new(program)
            .args(arguments)
            .args(["--output", "json"])
            .env_clear()
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        Ok(Self {
            child,
            started: Instant::now(),
            log,
        })
    }

    /// Sends SIGKILL; false if the job had already ended.
    pub(crate) fn kill(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.child.start_kill().is_ok()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            std::process::Command::new("kill")
                .arg(pid.to_string())
                .status()?;
        }
        Ok(())
    }

    /// Whether the job is running.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the job ends.
    ///
    /// # Errors
    /// The job does not end within `timeout`, or its report is malformed.
    pub(crate) async fn wait(self, timeout: Duration) -> Result<RunResult> {
        let Self {
            child,
            started,
            log,
        } = self;
        let output = tokio::time::timeout(timeout, child.wait_with_output())
            .await
            .with_context(|| {
                format!(
                    "the job did not end within {timeout:?}; its log: {}",
                    log.display()
                )
            })??;
        let duration = started.elapsed();
        std::fs::write(log.with_extension("out"), &output.stdout)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let report = match text.trim() {
            "" => None,
            text => Some(
                serde_json::from_str(text)
                    .with_context(|| format!("the report is not JSON: {text}"))?,
            ),
        };
        Ok(RunResult {
            code: output.status.code(),
            report,
            duration,
        })
    }
}
