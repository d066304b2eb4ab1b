//! The agent's side of a function's socket: what it checks before the first call, and how it calls.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

/// How long a connection is kept without a call.
const IDLE: Duration = Duration::from_secs(1);
/// The largest piece of a body.
const CHUNK: usize = 16 * 1024;

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

/// The connection to one function, of whoever started it.
pub struct Line {
    socket: PathBuf,
    wire: Option<Wire>,
    calls: u64,
}

struct Wire {
    sender: SendRequest<Pieces>,
    used: Instant,
}

impl Line {
    /// A line to the function that listens at this name, which is there already.
    ///
    /// # Errors
    /// It is not as the agent wants it: ready, mode 0666, under a relative link in the same folder.
    pub async fn open(socket: &Path) -> Result<Self> {
        let target = fs::read_link(socket).context("the socket's name is no link")?;
        ensure!(
            target.file_name() == Some(target.as_os_str()),
            "the link must lead to a bare file name, not to {}",
            target.display()
        );
        let facts = fs::metadata(socket).context("the link leads nowhere")?;
        ensure!(
            facts.file_type().is_socket(),
            "the link leads to something that is no socket"
        );
        let mode = facts.permissions().mode() & 0o777;
        ensure!(mode == 0o666, "the socket's mode is {mode:o}, not 666");
        let mut line = Self {
            socket: socket.to_owned(),
            wire: None,
            calls: 0,
        };
        // Ready at once: the agent does not ask twice.
        line.connect().await?;
        Ok(line)
    }

    /// Calls the function and reads its reply.
    ///
    /// # Errors
    /// What costs a real container its life: no reply before the timeout, a broken connection, a status that the
    /// agent does not take.
    pub async fn call(&mut self, call: Call) -> Result<Reply> {
        let timeout = call.timeout;
        let outcome = match tokio::time::timeout(timeout, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("no reply within {timeout:?}")),
        };
        if outcome.is_err() {
            self.wire = None;
        }
        outcome
    }

    /// Closes the connection, as the agent does after a second without a call.
    pub fn hang_up(&mut self) {
        self.wire = None;
    }

    async fn connect(&mut self) -> Result<()> {
        let stream = UnixStream::connect(&self.socket)
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
