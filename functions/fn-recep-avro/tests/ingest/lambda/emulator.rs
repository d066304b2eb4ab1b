//! AWS's Runtime Interface Emulator, which `deploy/lambda/emulator` builds.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use testkit::program;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::super::fixture::binary;

/// An extension that writes the events that it receives to `/opt/events`.
const EXTENSION: &str = include_str!("extension.py");

/// The emulator, with the function as its runtime. It starts the function at the first event.
pub(crate) struct Emulator {
    child: Child,
    url: String,
    /// `log`, which is also the function's, and `opt`.
    folder: TempDir,
}

impl Emulator {
    /// The program that FRONTDOOR_LAMBDA_EMULATOR names.
    pub(crate) fn program() -> Option<PathBuf> {
        std::env::var_os("FRONTDOOR_LAMBDA_EMULATOR").map(PathBuf::from)
    }

    /// Starts it with a timeout of whole seconds.
    pub(crate) async fn start(settings: &[(&str, &str)], timeout: Duration) -> Self {
        let command = program::command(&required());
        Self::from_command(command, tempfile::tempdir().unwrap(), settings, timeout).await
    }

    /// Starts it with an extension. The emulator reads only `/opt/extensions`, so it gets a mount namespace with its own
    /// `/opt`.
    pub(crate) async fn start_with_extension(settings: &[(&str, &str)], timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opt = folder.path().join("opt");
        let extension = opt.join("extensions/events");
        fs::create_dir_all(opt.join("extensions")).unwrap();
        fs::write(&extension, EXTENSION).unwrap();
        fs::set_permissions(&extension, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = program::command(Path::new("unshare"));
        if !getuid().is_root() {
            command.arg("--map-root-user");
        }
        let script = r#"mount --bind "$1" /opt && shift && exec "$@""#;
        command.args(["--mount", "sh", "-c", script, "sh"]);
        command.arg(&opt).arg(required());
        Self::from_command(command, folder, settings, timeout).await
    }

    async fn from_command(
        mut command: Command,
        folder: TempDir,
        settings: &[(&str, &str)],
        timeout: Duration,
    ) -> Self {
        let (api, invocations) = addresses();
        let log = File::create(folder.path().join("log")).unwrap();
        // The function inherits the environment of the emulator.
        command
            .args(["--log-level", "info", "--runtime-api-address"])
            .arg(api.to_string())
            .arg("--runtime-interface-emulator-address")
            .arg(invocations.to_string())
            .arg(binary())
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout.as_secs().to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = program::spawn(|| command.spawn()).unwrap();
        let mut emulator = Self {
            child,
            url: format!("http://{invocations}/2015-03-31/functions/function/invocations"),
            folder,
        };
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(invocations).await.is_err() {
            let ended = emulator.child.try_wait().unwrap();
            let is_starting = ended.is_none() && Instant::now() < end;
            assert!(is_starting, "the emulator: {ended:?}\n{}", emulator.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        emulator
    }

    /// Sends one event and returns the function's response to it.
    pub(crate) async fn invoke(&self, event: &Value) -> Value {
        let reply = self.reply(event).await;
        let response = serde_json::from_str(&reply).unwrap_or(Value::Null);
        assert!(response["statusCode"].is_u64(), "{reply:?}\n{}", self.log());
        response
    }

    /// Sends one event and returns what the emulator answers.
    pub(crate) async fn reply(&self, event: &Value) -> String {
        let reply = testkit::http::post(&self.url, event.to_string()).await;
        let reply = reply.unwrap_or_else(|error| panic!("{error:#}\n{}", self.log()));
        String::from_utf8(reply.into_body().into()).unwrap()
    }

    /// The process of the function, once it is started.
    pub(crate) fn function(&self) -> Option<Pid> {
        let program = fs::canonicalize(binary()).unwrap();
        let is_function =
            |pid: &Pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
        children(self.child.id()?).into_iter().find(is_function)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The events that the extension received.
    pub(crate) fn extension_events(&self) -> Vec<Value> {
        let events = fs::read_to_string(self.folder.path().join("opt/events")).unwrap();
        events
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Sends SIGTERM to the emulator, which shuts the execution environment down, and returns the emulator's exit code.
    pub(crate) async fn shut_down(&mut self) -> Option<i32> {
        kill_process(pid(self.child.id().unwrap()), Signal::TERM).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait()).await;
        ended.expect("the emulator did not end").unwrap().code()
    }
}

impl Drop for Emulator {
    /// The emulator's processes are in other process groups, and one that is stopped does not end with the emulator.
    fn drop(&mut self) {
        for child in self.child.id().into_iter().flat_map(children) {
            let _ = kill_process(child, Signal::KILL);
        }
    }
}

fn required() -> PathBuf {
    Emulator::program()
        .expect("FRONTDOOR_LAMBDA_EMULATOR is not set: `make e2e-lambda` builds the emulator")
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}

/// The children of a process. Linux lists them by the thread that started them.
fn children(id: u32) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|ids| {
            ids.split_whitespace()
                .map(|id| pid(id.parse().unwrap()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Addresses for the Runtime API and for the events. The emulator cannot choose a free port for its Runtime API, so the IP
/// address belongs to this process alone (127.0.0.0/8 is the loopback), and the ports to one emulator of it.
fn addresses() -> (SocketAddr, SocketAddr) {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let port = NEXT.fetch_add(2, Ordering::Relaxed);
    // Process ids have at most 22 bits.
    let [_, a, b, c] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 64 + a, b, c);
    (
        SocketAddr::from((address, port)),
        SocketAddr::from((address, port + 1)),
    )
}
