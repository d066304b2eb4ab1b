//! Fn's agent, for one container: starts a function's binary as the agent does, checks what the agent checks, and
//! calls it over its socket.
//!
//! It does to the function what the real one does: a bare environment, bodies in chunks without a length, one call
//! at a time, a connection that is closed after a second without a call, a freeze between calls, and SIGKILL for an
//! end. Any status but 200, 502 and 504 costs the function its life.

mod line;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::program;

pub use line::{Call, Line, Reply, Via};

/// How long a function may take to make its socket.
const START: Duration = Duration::from_secs(5);

/// A running function. Dropping this kills it.
pub struct Agent {
    folder: TempDir,
    child: Child,
    line: Option<Line>,
}

/// How a function ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output and standard error.
    pub log: String,
}

impl Agent {
    /// Starts the binary with Fn's environment and `environment`, nothing else, and waits for its socket.
    ///
    /// # Errors
    /// The process ends, or after five seconds there is no socket, or it is not as the agent wants it: ready, mode
    /// 0666, under a relative link in the same folder.
    pub async fn start(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = folder()?;
        let command = program::command(binary);
        Self::run(command, folder, environment).await
    }

    /// Whether this machine lets us [confine](Self::start_confined) a function: it takes root with all its rights.
    pub fn can_confine() -> bool {
        let tried = std::process::Command::new("unshare")
            .args([
                "--mount",
                "setpriv",
                "--reuid=61234",
                "prlimit",
                "--version",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        tried.is_ok_and(|status| status.success())
    }

    /// The same within a container's limits: a root file system that is read-only, but for the socket's folder; no
    /// privileges; at most 50 processes and threads, 350 open files. Memory is not bounded: that takes a cgroup.
    ///
    /// # Errors
    /// As [`start`](Self::start), or we may not [confine](Self::can_confine) it.
    pub async fn start_confined(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = folder()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        // Where nobody but us may go, the binary may lie.
        let copy = folder.path().join("function");
        fs::copy(binary, &copy)?;
        // The limit on processes counts all of a user's, so this one has no others.
        let mut command = program::command(Path::new("unshare"));
        command
            .args(["--mount", "--propagation=private", "sh", "-ec"])
            .arg(r#"mount --bind "$0" "$0"; mount -o remount,bind,ro /; exec "$@""#)
            .arg(folder.path())
            .arg("setpriv")
            .args(["--reuid=61234", "--regid=61234", "--clear-groups"])
            .args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"])
            .args(["prlimit", "--nproc=50", "--nofile=350:350"])
            .arg(copy);
        Self::run(command, folder, environment).await
    }

    async fn run(
        mut command: Command,
        folder: TempDir,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        prepare(&mut command, folder.path(), environment)?;
        let child = command.spawn().context("starting the function")?;
        let mut agent = Self {
            folder,
            child,
            line: None,
        };
        agent.initialize().await?;
        Ok(agent)
    }

    /// Runs the binary with Fn's environment until it ends, for the ways in which it refuses to start.
    ///
    /// # Errors
    /// It lives on after five seconds.
    pub async fn run_to_end(binary: &Path, environment: &[(&str, &str)]) -> Result<Ended> {
        let folder = folder()?;
        let mut command = program::command(binary);
        prepare(&mut command, folder.path(), environment)?;
        let mut child = command.spawn()?;
        let status = tokio::time::timeout(START, child.wait())
            .await
            .context("the function did not end")??;
        Ok(Ended {
            code: status.code(),
            log: fs::read_to_string(folder.path().join("log"))?,
        })
    }

    /// Calls the function and reads its reply.
    ///
    /// # Errors
    /// What costs a real container its life: no reply before the timeout, a broken connection, a status that the
    /// agent does not take. The function is killed then.
    pub async fn call(&mut self, call: Call) -> Result<Reply> {
        let line = self.line.as_mut().context("no connection")?;
        let outcome = line.call(call).await;
        if outcome.is_err() {
            let _ = self.kill().await;
        }
        outcome.with_context(|| format!("the function's log:\n{}", self.log()))
    }

    /// Closes the connection, as the agent does after a second without a call.
    pub fn hang_up(&mut self) {
        if let Some(line) = &mut self.line {
            line.hang_up();
        }
    }

    /// Stops the process where it stands (SIGSTOP), as the agent pauses a container after its reply.
    ///
    /// # Errors
    /// The process is gone.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// The process is gone.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Asks it to end (SIGTERM), which Fn never does, and waits.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        Ok(self.child.wait().await?)
    }

    /// Ends it without warning (SIGKILL), as Fn does.
    ///
    /// # Errors
    /// The process is gone.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Whether the process lives.
    pub fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process's id while it lives.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Resident memory in bytes (`VmRSS`).
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident(&self) -> Result<u64> {
        self.kilobytes("VmRSS:")
    }

    /// The most resident memory so far, in bytes (`VmHWM`).
    ///
    /// # Errors
    /// The process is gone.
    pub fn peak(&self) -> Result<u64> {
        self.kilobytes("VmHWM:")
    }

    /// How many threads it has.
    ///
    /// # Errors
    /// The process is gone.
    pub fn threads(&self) -> Result<u64> {
        Ok(self.status("Threads:")?.parse()?)
    }

    fn kilobytes(&self, name: &str) -> Result<u64> {
        let text = self.status(name)?;
        let kilobytes: u64 = text.trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    fn status(&self, name: &str) -> Result<String> {
        let id = self.child.id().context("the function is gone")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        Ok(line
            .with_context(|| format!("no {name}"))?
            .trim()
            .to_owned())
    }

    /// What the function wrote to standard output and standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The name of the socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lsnr.sock")
    }

    async fn initialize(&mut self) -> Result<()> {
        let name = self.socket();
        let end = Instant::now() + START;
        // The link itself, wherever it leads.
        while fs::symlink_metadata(&name).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the function ended before listening: {status}\n{}",
                    self.log()
                );
            }
            ensure!(
                Instant::now() < end,
                "no socket within {START:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.line = Some(Line::open(&name).await?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("the function is gone")?;
        let pid = Pid::from_raw(i32::try_from(id)?).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

fn folder() -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix("iofs").tempdir()?)
}

fn prepare(command: &mut Command, folder: &Path, environment: &[(&str, &str)]) -> Result<()> {
    let log = File::create(folder.join("log"))?;
    command
        .env_clear()
        .env("FN_FORMAT", "http-stream")
        .env(
            "FN_LISTENER",
            format!("unix:{}", folder.join("lsnr.sock").display()),
        )
        .env("FN_APP_ID", "01DWAPP0000000000000000000")
        .env("FN_FN_ID", "01DWFN00000000000000000000")
        .env("FN_MEMORY", "128")
        .env("FN_TYPE", "sync")
        .env("HOME", "/")
        .env("HOSTNAME", "container")
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .envs(environment.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(())
}
