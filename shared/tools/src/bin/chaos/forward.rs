//! The job as a process of its own: started with settings, killed, asked to stop, and its report read.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::{Child, Command};

/// Where the job's program is: as told, else beside this one.
pub(crate) fn find(told: Option<PathBuf>) -> Result<PathBuf> {
    let path = match told {
        Some(path) => path,
        None => std::env::current_exe()?.with_file_name("forward"),
    };
    if !path.is_file() {
        bail!(
            "{} is not there: build it (cargo build -p forward --bin forward), or name it with --forward",
            path.display()
        );
    }
    Ok(path)
}

/// One window under way.
pub(crate) struct Window {
    child: Child,
    started: Instant,
    log: PathBuf,
}

/// How a window ended.
pub(crate) struct Ended {
    /// Its exit code; `None`: it was killed.
    pub(crate) code: Option<i32>,
    /// Its report, if it lived to write one.
    pub(crate) report: Option<Value>,
    /// How long it ran.
    pub(crate) took: Duration,
}

impl Window {
    /// Starts `forward run` with nothing in its environment but `settings`.
    pub(crate) fn open(
        program: &PathBuf,
        settings: &[(String, String)],
        log: PathBuf,
    ) -> Result<Self> {
        let child = Command::new(program)
            .args(["run", "--output", "json"])
            .env_clear()
            .envs(settings.iter().map(|(name, value)| (name, value)))
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

    /// kill -9. False if it had ended by itself.
    pub(crate) fn kill(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None)) && self.child.start_kill().is_ok()
    }

    /// SIGTERM.
    pub(crate) fn ask_to_stop(&mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            std::process::Command::new("kill")
                .arg(pid.to_string())
                .status()?;
        }
        Ok(())
    }

    /// True while it runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and for no longer than `patience`.
    pub(crate) async fn end(self, patience: Duration) -> Result<Ended> {
        let Self {
            child,
            started,
            log,
        } = self;
        let output = tokio::time::timeout(patience, child.wait_with_output())
            .await
            .with_context(|| {
                format!(
                    "a window did not end in {patience:?}; its log: {}",
                    log.display()
                )
            })??;
        let took = started.elapsed();
        let text = String::from_utf8_lossy(&output.stdout);
        let report = match text.trim() {
            "" => None,
            text => Some(
                serde_json::from_str(text)
                    .with_context(|| format!("a report that is no JSON: {text}"))?,
            ),
        };
        Ok(Ended {
            code: output.status.code(),
            report,
            took,
        })
    }
}
