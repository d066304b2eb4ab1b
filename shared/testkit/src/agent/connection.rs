//! The agent's connection to a function's socket: the checks before the first call, and the calls.

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
use jiff::Timestamp;
use tokio::net::UnixStream;

/// An idle connection is not used again after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// The largest chunk of a body.
const CHUNK_BYTES: usize = 16 * 1024;

/// The origin of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// `fn invoke`, or a signed POST.
    Direct,
    /// A gateway or an HTTP trigger, which passes its caller's method and URL.
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
    /// The call's origin.
    pub invocation: Invocation,
    /// The caller's headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The function's timeout, from which the call's deadline follows.
    pub timeout: Duration,
}

impl Call {
    /// A call as `fn invoke` makes it, with a timeout of 30 seconds.
    pub fn direct(body: impl Into<Bytes>) -> Self {
        Self {
            invocation: Invocation::Direct,
            headers: Vec::new(),
            body: body.into(),
            timeout: Duration::from_secs(30),
        }
    }

    /// A call through a gateway.
    pub fn http(method: &str, url: &str, body: impl Into<Bytes>) -> Self {
        Self {
            invocation: Invocation::Http {
                method: method.to_owned(),
                url: url.to_owned(),
            },
            ..Self::direct(body)
        }
    }

    /// Adds a header of the caller.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the function's timeout.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// A reply as the caller receives it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of the function's reply to the agent: 200, 502 or 504.
    pub outer: u16,
    /// The value of `Fn-Http-Status`, which a gateway's caller receives; without that header the same as `outer`.
    pub status: u16,
    /// After a direct call all headers; after a gateway's call those with the prefix `Fn-Http-H-`, without it.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// The body is not JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("reading {:?}", String::from_utf8_lossy(&self.body)))
    }
}

/// A connection to a function, which is opened again after an idle second.
pub struct Connection {
    socket: PathBuf,
    http: Option<HttpConnection>,
    calls: u64,
}

struct HttpConnection {
    sender: SendRequest<ChunkedBody>,
    last_used: Instant,
}

impl Connection {
    /// Checks the socket at this path and connects to it.
    ///
    /// # Errors
    /// The socket does not fulfil the agent's requirements: it accepts connections, has mode 0666, and is reached by a
    /// relative link in the same folder.
    pub async fn open(socket: &Path) -> Result<Self> {
        let target = fs::read_link(socket).context("the socket's path is not a symbolic link")?;
        ensure!(
            target.file_name() == Some(target.as_os_str()),
            "the link's target must be a bare file name, not {}",
            target.display()
        );
        let metadata = fs::metadata(socket).context("the link's target does not exist")?;
        ensure!(
            metadata.file_type().is_socket(),
            "the link's target is not a socket"
        );
        let mode = metadata.permissions().mode() & 0o777;
        ensure!(mode == 0o666, "the socket's mode is {mode:o}, not 666");
        let mut connection = Self {
            socket: socket.to_owned(),
            http: None,
            calls: 0,
        };
        // No retry: the agent connects once.
        connection.connect().await?;
        Ok(connection)
    }

    /// Calls the function and reads its reply.
    ///
    /// # Errors
    /// The failures after which Fn kills a container: no reply before the timeout, a broken connection, a status that
    /// the agent does not accept.
    pub async fn call(&mut self, call: Call) -> Result<Reply> {
        let timeout = call.timeout;
        let outcome = match tokio::time::timeout(timeout, self.exchange(call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("no reply within {timeout:?}")),
        };
        if outcome.is_err() {
            self.http = None;
        }
        outcome
    }

    /// Closes the connection, as the agent does after one idle second. The next call opens a new one.
    pub fn close(&mut self) {
        self.http = None;
    }

    async fn connect(&mut self) -> Result<()> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .context("connecting to the function")?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Both sides may close the connection at any time.
            let _ = connection.await;
        });
        self.http = Some(HttpConnection {
            sender,
            last_used: Instant::now(),
        });
        Ok(())
    }

    async fn exchange(&mut self, call: Call) -> Result<Reply> {
        let is_usable = self
            .http
            .as_ref()
            .is_some_and(|http| http.last_used.elapsed() < IDLE_TIMEOUT && http.sender.is_ready());
        if !is_usable {
            self.connect().await?;
        }
        self.calls += 1;
        let is_direct = call.invocation == Invocation::Direct;
        let request = request(call, self.calls)?;
        let http = self.http.as_mut().context("no connection")?;
        let response = http
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
        http.last_used = Instant::now();
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
            headers: match is_direct {
                true => head.headers,
                false => unprefixed(&head.headers),
            },
            body,
        })
    }
}

/// The request as the agent sends it. It replaces the caller's call id and deadline.
fn request(call: Call, number: u64) -> Result<Request<ChunkedBody>> {
    let mut request = Request::post("/call").body(ChunkedBody::new(call.body))?;
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
        match call.invocation {
            Invocation::Http { .. } if name != CONTENT_TYPE.as_str() => {
                put(&format!("fn-http-h-{name}"), value)?;
            }
            _ => put(&name, value)?,
        }
    }
    if let Invocation::Http { method, url } = &call.invocation {
        put("fn-intent", "httprequest")?;
        put("fn-http-method", method)?;
        put("fn-http-request-url", url)?;
    }
    put("fn-call-id", &format!("01DWCALL{number:018}"))?;
    put("fn-deadline", &rfc3339(SystemTime::now() + call.timeout)?)?;
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

/// RFC 3339 in whole seconds, rounded down, as the agent writes the deadline.
fn rfc3339(time: SystemTime) -> Result<String> {
    let seconds = time.duration_since(UNIX_EPOCH)?.as_secs();
    Ok(Timestamp::from_second(i64::try_from(seconds)?)?.to_string())
}

/// A body in chunks, without a length unless it is empty.
struct ChunkedBody(VecDeque<Bytes>);

impl ChunkedBody {
    fn new(mut body: Bytes) -> Self {
        let mut chunks = VecDeque::new();
        while !body.is_empty() {
            chunks.push_back(body.split_to(CHUNK_BYTES.min(body.len())));
        }
        Self(chunks)
    }
}

impl Body for ChunkedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
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
    fn formats_the_deadline_in_whole_seconds() {
        let at = |millis| rfc3339(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_400_000), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_795_335_209_999), "2026-11-22T08:13:29Z");
    }
}
