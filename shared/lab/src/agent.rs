//! Fn's agent, for one container: starts a function's binary as the agent does, checks what the agent checks, and
//! calls it over its socket.
//!
//! It does to the function what the real one does: a bare environment, bodies in chunks without a length, one call
//! at a time, a connection that is closed after a second without a call, a freeze between calls, and SIGKILL for an
//! end. Any status but 200, 502 and 504 costs the function its life.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::program;

/// How long a function may take to make its socket.
const START: Duration = Duration::from_secs(5);
/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(1);
/// The largest piece of a body.
const CHUNK: usize = 16 * 1024;

/// A running function. Dropping this kills it.
pub struct Agent {
    folder: TempDir,
    child: Child,
    wire: Option<Wire>,
    calls: u64,
}

struct Wire {
    sender: SendRequest<Pieces>,
    used: Instant,
}

/// How a call reaches the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// `fn invoke`, or a signed POST.
    Direct,
    /// A gateway or an HTTP trigger, which hands on its caller's method and URL.
    Http {
        /// The method.
        method: String,
        /// Path and query.
        url: String,
    },
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// How it comes.
    pub via: Via,
    /// The caller's headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The function's timeout, which makes the call's deadline.
    pub timeout: Duration,
}

impl Call {
    /// A call as `fn invoke` makes it, with a timeout of 30 seconds.
    pub fn direct(body: impl Into<Bytes>) -> Self {
        Self {
            via: Via::Direct,
            headers: Vec::new(),
            body: body.into(),
            timeout: Duration::from_secs(30),
        }
    }

    /// A call through a gateway.
    pub fn http(method: &str, url: &str, body: impl Into<Bytes>) -> Self {
        Self {
            via: Via::Http {
                method: method.to_owned(),
                url: url.to_owned(),
            },
            ..Self::direct(body)
        }
    }

    /// The same call with one more header of the caller.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same call for a function with this timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// A reply as the caller sees it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What the agent got: 200, 502 or 504.
    pub outer: u16,
    /// What `Fn-Http-Status` says; a gateway's caller gets this one.
    pub status: u16,
    /// To a gateway's caller what was prefixed, else all.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("reading {:?}", String::from_utf8_lossy(&self.body)))
    }
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
        let folder = tempfile::Builder::new().prefix("iofs").tempdir()?;
        let child = command(binary, folder.path(), environment)?
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut agent = Self {
            folder,
            child,
            wire: None,
            calls: 0,
        };
        agent.initialize().await?;
        Ok(agent)
    }

    /// Runs the binary with Fn's environment until it ends, for the ways in which it refuses to start.
    ///
    /// # Errors
    /// It lives on after five seconds.
    pub async fn run_to_end(binary: &Path, environment: &[(&str, &str)]) -> Result<Ended> {
        let folder = tempfile::Builder::new().prefix("iofs").tempdir()?;
        let mut child = command(binary, folder.path(), environment)?.spawn()?;
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
        let timeout = call.timeout;
        let outcome = match tokio::time::timeout(timeout, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("no reply within {timeout:?}")),
        };
        if outcome.is_err() {
            self.wire = None;
            let _ = self.kill().await;
        }
        outcome.with_context(|| format!("the function's log:\n{}", self.log()))
    }

    /// Closes the connection, as the agent does after a second without a call.
    pub fn hang_up(&mut self) {
        self.wire = None;
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
        let text = self.status("VmRSS:")?;
        let kilobytes: u64 = text.trim_end_matches(" kB").trim().parse()?;
        Ok(kilobytes * 1024)
    }

    /// How many threads it has.
    ///
    /// # Errors
    /// The process is gone.
    pub fn threads(&self) -> Result<u64> {
        Ok(self.status("Threads:")?.parse()?)
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
        let target = fs::read_link(&name).context("the socket's name is no link")?;
        ensure!(
            target.file_name() == Some(target.as_os_str()),
            "the link must lead to a bare file name, not to {}",
            target.display()
        );
        let facts = fs::metadata(&name).context("the link leads nowhere")?;
        ensure!(
            facts.file_type().is_socket(),
            "the link leads to something that is no socket"
        );
        let mode = facts.permissions().mode() & 0o777;
        ensure!(mode == 0o666, "the socket's mode is {mode:o}, not 666");
        // Ready at once: the agent does not ask twice.
        self.connect().await
    }

    async fn connect(&mut self) -> Result<()> {
        let stream = UnixStream::connect(self.socket())
            .await
            .context("connecting to the function")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Either side may end it.
            let _ = connection.await;
        });
        self.wire = Some(Wire {
            sender,
            used: Instant::now(),
        });
        Ok(())
    }

    async fn exchange(&mut self, call: Call) -> Result<Reply> {
        let usable = self
            .wire
            .as_ref()
            .is_some_and(|wire| wire.used.elapsed() < IDLE && wire.sender.is_ready());
        if !usable {
            self.connect().await?;
        }
        self.calls += 1;
        let http = call.via != Via::Direct;
        let request = request(call, self.calls)?;
        let wire = self.wire.as_mut().context("no connection")?;
        let response = wire
            .sender
            .send_request(request)
            .await
            .context("error receiving function response")?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .context("error receiving function response")?
            .to_bytes();
        wire.used = Instant::now();
        ensure!(
            [
                StatusCode::OK,
                StatusCode::BAD_GATEWAY,
                StatusCode::GATEWAY_TIMEOUT
            ]
            .contains(&head.status),
            "invalid function response: {}",
            head.status
        );
        let status = head
            .headers
            .get("fn-http-status")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .unwrap_or(head.status.as_u16());
        Ok(Reply {
            outer: head.status.as_u16(),
            status,
            headers: match http {
                true => unprefixed(&head.headers),
                false => head.headers,
            },
            body,
        })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let id = self.child.id().context("the function is gone")?;
        let pid = Pid::from_raw(i32::try_from(id)?).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }
}

fn command(binary: &Path, folder: &Path, environment: &[(&str, &str)]) -> Result<Command> {
    let log = File::create(folder.join("log"))?;
    let mut command = program::command(binary);
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
    Ok(command)
}

/// The request as the agent sends it; it overwrites the call's id and deadline.
fn request(call: Call, number: u64) -> Result<Request<Pieces>> {
    let mut request = Request::post("/call").body(Pieces::of(call.body))?;
    let headers = request.headers_mut();
    let mut put = |name: &str, value: &str| -> Result<()> {
        headers.append(
            HeaderName::from_bytes(name.as_bytes())?,
            HeaderValue::from_bytes(value.as_bytes())?,
        );
        Ok(())
    };
    put("host", "localhost")?;
    put("accept-encoding", "gzip")?;
    for (name, value) in &call.headers {
        let name = name.to_ascii_lowercase();
        if matches!(name.as_str(), "fn-call-id" | "fn-deadline") {
            continue;
        }
        match call.via {
            Via::Http { .. } if name != CONTENT_TYPE.as_str() => {
                put(&format!("fn-http-h-{name}"), value)?;
            }
            _ => put(&name, value)?,
        }
    }
    if let Via::Http { method, url } = &call.via {
        put("fn-intent", "httprequest")?;
        put("fn-http-method", method)?;
        put("fn-http-request-url", url)?;
    }
    put("fn-call-id", &format!("01DWCALL{number:018}"))?;
    put("fn-deadline", &rfc3339(SystemTime::now() + call.timeout))?;
    Ok(request)
}

fn unprefixed(headers: &HeaderMap) -> HeaderMap {
    let mut seen = HeaderMap::new();
    for (name, value) in headers {
        let name = match name.as_str().strip_prefix("fn-http-h-") {
            Some(name) => HeaderName::from_bytes(name.as_bytes()).ok(),
            None => (name == CONTENT_TYPE).then_some(CONTENT_TYPE),
        };
        if let Some(name) = name {
            seen.append(name, value.clone());
        }
    }
    seen
}

/// Date and time to the second, cut off, as the agent writes the deadline.
fn rfc3339(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years counted from March (Howard Hinnant, `civil_from_days`).
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A body in pieces, of a length that only its end tells; an empty one is known to be.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn of(mut body: Bytes) -> Self {
        let mut pieces = VecDeque::new();
        while !body.is_empty() {
            pieces.push_back(body.split_to(CHUNK.min(body.len())));
        }
        Self(pieces)
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.is_empty() {
            true => SizeHint::with_exact(0),
            false => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deadline_is_written_to_the_second() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_795_335_209), "2026-11-22T08:13:29Z");
    }
}
