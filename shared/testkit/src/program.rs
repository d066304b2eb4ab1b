//! Starts and stops this workspace's programs. No program outlives the process that started it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::process_guard;

pub use crate::process_guard::spawn;

/// The number of log lines that are kept of a program.
const KEPT_LINES: usize = 1000;
/// The timeout of a start, and of an exit after SIGTERM. It allows for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A running program. Dropping this kills the program and its descendants.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    group: Option<Pid>,
    log: Arc<Log>,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<VecDeque<String>>,
    line_added: Notify,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of a program of this workspace: in the folder of the running program.
///
/// # Errors
/// The program has not been built.
pub fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding the path of this program")?;
    // A test is in target/debug/deps, a program in target/debug.
    let mut folders = own.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
        .with_context(|| format!("{name} is not built: run cargo build --workspace --bins"))
}

/// Builds every program of the workspace. Tests that start the programs of other packages call this, because
/// `cargo test -p` builds only the programs of one package. It takes half a second if nothing has changed.
///
/// # Errors
/// A program does not compile.
pub async fn build_all() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let own = std::env::current_exe().context("finding the path of this program")?;
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
    if own.components().any(|part| part.as_os_str() == "release") {
        command.arg("--release");
    }
    let output = command.output().await.context("starting cargo")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo build: {stderr}");
    Ok(())
}

/// A command that is killed when its handle is dropped or this process dies. Its environment contains no setting of this
/// process.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let kept = ["PATH", "HOME", "TMPDIR", "LANG", "RUST_BACKTRACE"];
    command.env_clear().envs(
        kept.iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?))),
    );
    process_guard::attach(&mut command);
    command
}

impl Program {
    /// Starts `program` with `settings` as its environment, and calls `on_line` for each line of its log.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        name: &str,
        program: &Path,
        settings: &[(&str, &str)],
        on_line: impl Fn(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut command = command(program);
        command.envs(settings.iter().copied());
        Self::from_command(name, command, on_line)
    }

    /// Starts a [`command`], and calls `on_line` for each line of its log.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn from_command(
        name: &str,
        mut command: Command,
        on_line: impl Fn(&str) + Send + 'static,
    ) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = process_guard::spawn(|| command.spawn())
            .with_context(|| format!("starting {:?}", command.as_std().get_program()))?;
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        let stderr = child.stderr.take().context("standard error is not piped")?;
        let log = Arc::new(Log::default());
        let kept = log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                on_line(&line);
                let mut lines = kept.lines();
                if lines.len() == KEPT_LINES {
                    lines.pop_front();
                }
                lines.push_back(line);
                kept.line_added.notify_waiters();
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            group,
            log,
        })
    }

    /// The name that was given to [`start`](Self::start).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id while the program is running.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The last lines of the log.
    pub fn log(&self) -> String {
        let lines = self.log.lines();
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Waits for the log line `listening on http://HOST:PORT`, or with `https`, and returns the address.
    ///
    /// # Errors
    /// The program ended, or there is no such line within 30 seconds.
    pub async fn address(&mut self) -> Result<SocketAddr> {
        let line = self.wait_for_line("listening on http").await?;
        let (_, rest) = line.split_once("://").unwrap_or_default();
        let address = rest.split(|c: char| c.is_whitespace() || c == '"').next();
        address
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("the log of {} has no address: {line}", self.name))
    }

    /// Waits for a log line that contains `text`.
    ///
    /// # Errors
    /// The program ended, or there is no such line within 30 seconds.
    pub async fn wait_for_line(&mut self, text: &str) -> Result<String> {
        let log = self.log.clone();
        let found = async {
            loop {
                let line_added = log.line_added.notified();
                tokio::pin!(line_added);
                line_added.as_mut().enable();
                if let Some(line) = log.lines().iter().find(|line| line.contains(text)) {
                    return line.clone();
                }
                line_added.await;
            }
        };
        let failure = tokio::select! {
            line = tokio::time::timeout(TIMEOUT, found) => match line {
                Ok(line) => return Ok(line),
                Err(_) => format!("did not log {text:?} within {TIMEOUT:?}"),
            },
            status = self.child.wait() => format!("ended ({})", status?),
        };
        // The last lines may not have been read yet.
        tokio::time::sleep(Duration::from_millis(100)).await;
        bail!("{} {failure}:\n{}", self.name, self.log());
    }

    /// Waits until the program ends.
    ///
    /// # Errors
    /// The operating system reports no exit status.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("waiting for a program")
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        // After `wait` has returned, the id may belong to another process.
        if let (Some(group), Some(_)) = (self.group, self.child.id()) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Sends SIGTERM and waits for the exit; kills the program after 30 seconds.
    ///
    /// # Errors
    /// The operating system reports no exit status.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.terminate();
        match tokio::time::timeout(TIMEOUT, self.child.wait()).await {
            Ok(status) => status.context("waiting for a program to end"),
            Err(_) => {
                self.signal(Signal::KILL);
                self.wait().await
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
