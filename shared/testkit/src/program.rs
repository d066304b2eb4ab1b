//! Our own programs as processes: found, started, listened to, ended, never left behind.

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

/// How many of a program's last lines are kept.
const KEPT: usize = 1000;
/// How long a program may take to listen, and how long to end after SIGTERM. A busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running program; it is killed, with everything that it started, when this is dropped.
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
    news: Notify,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where cargo put the program of that name: beside the one that is running.
///
/// # Errors
/// It has not been built.
pub fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("asking where this program is")?;
    // A test lies in target/debug/deps, a program in target/debug.
    let mut folders = own.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
        .with_context(|| format!("{name} is not built: run cargo build --workspace --bins"))
}

/// Builds every program of the workspace, for tests that start the programs of other packages: `cargo test -p` builds
/// only its own. When they are built already, this takes half a second.
///
/// # Errors
/// They do not compile.
pub async fn build_all() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let own = std::env::current_exe().context("asking where this program is")?;
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "--workspace", "--bins"]);
    if own.components().any(|part| part.as_os_str() == "release") {
        command.arg("--release");
    }
    let output = command.output().await.context("starting cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo build: {said}");
    Ok(())
}

/// A command that cannot outlive us: it is killed when its handle is dropped or we die. Its environment is bare, so
/// that no setting in ours is taken for one of the test's.
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
    /// Starts `program` with `settings` as its environment. Each line of its log also goes to `heard`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(
        name: &str,
        program: &Path,
        settings: &[(&str, &str)],
        heard: impl Fn(&str) + Send + 'static,
    ) -> Result<Self> {
        let mut child = command(program)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        let stderr = child.stderr.take().context("the log is not piped")?;
        let log = Arc::new(Log::default());
        let kept = log.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                heard(&line);
                let mut lines = kept.lines();
                if lines.len() == KEPT {
                    lines.pop_front();
                }
                lines.push_back(line);
                kept.news.notify_waiters();
            }
        });
        Ok(Self {
            name: name.to_owned(),
            child,
            group,
            log,
        })
    }

    /// Its name, as given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// The last lines of its log.
    pub fn log(&self) -> String {
        let lines = self.log.lines();
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Waits for the log line that says where it listens (`listening on http://HOST:PORT`).
    ///
    /// # Errors
    /// It ended, or took longer than 30 seconds.
    pub async fn address(&mut self) -> Result<SocketAddr> {
        let line = self.line_with("listening on http://").await?;
        let (_, rest) = line.split_once("http://").unwrap_or_default();
        let address = rest.split(|c: char| c.is_whitespace() || c == '"').next();
        address
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("{} announced no address: {line}", self.name))
    }

    /// Waits for a log line that contains `text`.
    ///
    /// # Errors
    /// It ended, or took longer than 30 seconds.
    pub async fn line_with(&mut self, text: &str) -> Result<String> {
        let log = self.log.clone();
        let said = async {
            loop {
                let news = log.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(line) = log.lines().iter().find(|line| line.contains(text)) {
                    return line.clone();
                }
                news.await;
            }
        };
        let ended = tokio::select! {
            line = tokio::time::timeout(PATIENCE, said) => match line {
                Ok(line) => return Ok(line),
                Err(_) => format!("did not say {text:?} within {PATIENCE:?}"),
            },
            status = self.child.wait() => format!("ended ({})", status?),
        };
        // What it said last may still be on its way to us.
        tokio::time::sleep(Duration::from_millis(100)).await;
        bail!("{} {ended}:\n{}", self.name, self.log());
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// The system does not tell.
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("waiting for a program")
    }

    /// Asks it to end: SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        // Once it has ended and was waited for, its number may belong to another.
        if let (Some(group), Some(_)) = (self.group, self.child.id()) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Asks it to end (SIGTERM) and waits; kills it after 30 seconds.
    ///
    /// # Errors
    /// The system does not tell how it ended.
    pub async fn end(mut self) -> Result<ExitStatus> {
        self.terminate();
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.context("waiting for a program to end"),
            Err(_) => {
                self.signal(Signal::KILL);
                self.ended().await
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
