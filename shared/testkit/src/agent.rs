//! A stand-in for Fn's agent, for one container: starts a function's binary, checks its socket and calls it.
//!
//! It treats the function as the real agent does: a bare environment, chunked bodies without a length, one call at a
//! time, a connection that closes after one idle second, a freeze between calls, and SIGKILL at the end. After any
//! status other than 200, 502 and 504 the function is killed.

mod connection;

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{process_guard, program};

pub use connection::{Call, Connection, Invocation, Reply};

/// How long a function may take to create its socket.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A running function. Dropping this kills it.
pub struct Agent {
    folder: TempDir,
    child: Child,
    connection: Option<Connection>,
}

/// The exit of a function that was not killed.
#[derive(Debug)]
pub struct Exit {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Its standard output and standard error.
    pub log: String,
}

impl Agent {
    /// Starts the binary with only Fn's variables and `environment`, and waits for its socket.
    ///
    /// # Errors
    /// The process ends, or there is no socket after five seconds, or the socket does not fulfil the agent's
    /// requirements: it accepts connections, has mode 0666, and is reached by a relative link in the same folder.
    pub async fn start(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = folder()?;
        let command = program::command(binary);
        Self::run(command, folder, environment).await
    }

    /// Whether this process may [confine](Self::start_confined) a function: it needs root with all capabilities.
    pub fn can_confine() -> bool {
        let mut command = std::process::Command::new("unshare");
        command
            .args([
                "--mount",
                "setpriv",
                "--reuid=61234",
                "prlimit",
                "--version",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = process_guard::spawn(|| command.spawn()).and_then(|mut child| child.wait());
        status.is_ok_and(|status| status.success())
    }

    /// Starts the binary within a container's limits: a read-only root file system except for the socket's folder, no
    /// privileges, at most 50 processes and threads, at most 350 open files, and Fn's limits of locked memory, pending signals
    /// and message queues. Memory is not limited, which would need a cgroup.
    ///
    /// # Errors
    /// As [`start`](Self::start), or this process may not [confine](Self::can_confine) it.
    pub async fn start_confined(binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = folder()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
        // The confined user may not be able to read the folder of the original binary.
        let copy = folder.path().join("function");
        fs::copy(binary, &copy)?;
        // The limit on processes counts all processes of a user, so the function gets a user of its own.
        let mut command = program::command(Path::new("unshare"));
        command
            .args(["--mount", "--propagation=private", "sh", "-ec"])
            .arg(r#"mount --bind "$0" "$0"; mount -o remount,bind,ro /; exec "$@""#)
            .arg(folder.path())
            .arg("setpriv")
            .args(["--reuid=61234", "--regid=61234", "--clear-groups"])
            .args(["--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"])
            .args(["prlimit", "--nproc=50", "--nofile=350:350"])
            .args(["--memlock=65536:65536", "--sigpending=5000:5000"])
            .arg("--msgqueue=819200:819200")
            .arg(copy);
        Self::run(command, folder, environment).await
    }

    async fn run(
        mut command: Command,
        folder: TempDir,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        prepare(&mut command, folder.path(), environment)?;
        let child = process_guard::spawn(|| command.spawn()).context("starting the function")?;
        let mut agent = Self {
            folder,
            child,
            connection: None,
        };
        agent.initialize().await?;
        Ok(agent)
    }

    /// Runs a binary that does not start successfully, and waits for its exit.
    ///
    /// # Errors
    /// It still runs after five seconds.
    pub async fn run_to_end(binary: &Path, environment: &[(&str, &str)]) -> Result<Exit> {
        let folder = folder()?;
        let mut command = program::command(binary);
        prepare(&mut command, folder.path(), environment)?;
        let mut child = process_guard::spawn(|| command.spawn())?;
        let status = tokio::time::timeout(START_TIMEOUT, child.wait())
            .await
            .context("the function did not end")??;
        Ok(Exit {
            code: status.code(),
            log: fs::read_to_string(folder.path().join("log"))?,
        })
    }

    /// Calls the function and reads its reply.
    ///
    /// # Errors
    /// The failures after which Fn kills a container: no reply before the timeout, a broken connection, a status that
    /// the agent does not accept. The function is killed.
    pub async fn call(&mut self, call: Call) -> Result<Reply> {
        let connection = self.connection.as_mut().context("no connection")?;
        let outcome = connection.call(call).await;
        if outcome.is_err() {
            let _ = self.kill().await;
        }
        outcome.with_context(|| format!("the function's log:\n{}", self.log()))
    }

    /// Closes the connection, as the agent does after one idle second.
    pub fn close_connection(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close();
        }
    }

    /// Suspends the process (SIGSTOP), as the agent pauses a container after its reply.
    ///
    /// # Errors
    /// The process has ended.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Resumes the process (SIGCONT).
    ///
    /// # Errors
    /// The process has ended.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Sends SIGTERM, which Fn never does, and waits for the exit.
    ///
    /// # Errors
    /// The process has ended.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        Ok(self.child.wait().await?)
    }

    /// Kills the process (SIGKILL), as Fn does.
    ///
    /// # Errors
    /// The process has ended.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Whether the process is running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process id while the process is running.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Resident memory in bytes (`VmRSS`).
    ///
    /// # Errors
    /// The process has ended.
    pub fn resident_memory(&self) -> Result<u64> {
        self.kilobytes("VmRSS:")
    }

    /// Peak resident memory in bytes (`VmHWM`).
    ///
    /// # Errors
    /// The process has ended.
    pub fn peak_memory(&self) -> Result<u64> {
        self.kilobytes("VmHWM:")
    }

    /// The number of threads.
    ///
    /// # Errors
    /// The process has ended.
    pub fn threads(&self) -> Result<u64> {
        Ok(self.status("Threads:")?.parse()?)
    }

    fn kilobytes(&self, name: &str) -> Result<u64> {
        let text = self.status(name)?;
        let kilobytes: u64 = text.trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    fn status(&self, name: &str) -> Result<String> {
        let id = self.child.id().context("the function has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        Ok(line
            .with_context(|| format!("/proc/{id}/status has no {name}"))?
            .trim()
            .to_owned())
    }

    /// The function's standard output and standard error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lsnr.sock")
    }

    async fn initialize(&mut self) -> Result<()> {
        let name = self.socket();
        let end = Instant::now() + START_TIMEOUT;
        // Check the link itself: `open` checks its target.
        while fs::symlink_metadata(&name).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the function ended before listening: {status}\n{}",
                    self.log()
                );
            }
            ensure!(
                Instant::now() < end,
                "no socket within {START_TIMEOUT:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.connection = Some(Connection::open(&name).await?);
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("the function has ended")?;
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
