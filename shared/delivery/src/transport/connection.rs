//! An HTTP/1.1 connection that carries one request at a time.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use http_proxy::Proxy;
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use runtime::redact;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::stream::{ByteCounts, DetachedStream, EndpointStream};
use super::tls::TlsConfig;
use super::tunnel;
use crate::endpoint_url::EndpointUrl;
use crate::outcome::ConnectionError;
use crate::policy::StatusRules;
use crate::timer::Timer;

/// The most bytes of a response head, and of a body whose connection is kept.
const MAX_READ: usize = 64 * 1024;
/// The time to read the body after the head of a response.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<EndpointStream>, Full<Bytes>>,
    counts: Arc<ByteCounts>,
    /// The driver has finished and must not be polled again.
    is_closed: bool,
    /// A response arrived before the whole request was sent: the endpoint could take the rest for another request.
    is_out_of_step: bool,
}

/// What was read of a response body.
#[derive(Default)]
pub(super) struct ResponseBody {
    /// The beginning.
    pub(super) bytes: Vec<u8>,
    /// The body arrived completely and within the limits.
    pub(super) is_complete: bool,
    /// The length of the whole body, if it arrived or was declared.
    pub(super) length: Option<u64>,
}

impl Connection {
    /// Opens a connection. It is boxed, because futures for requests on open connections should stay small.
    pub(super) async fn open(
        url: &EndpointUrl,
        tls: &dyn TlsConfig,
        proxy: Option<&Proxy>,
    ) -> Result<Box<Self>, ConnectionError> {
        let failed = |error: io::Error| ConnectionError::Connect(with_causes(&error));
        let stream = match proxy {
            Some(proxy) => tunnel::connect(proxy, url).await?,
            // Each address of the host name in turn.
            None => TcpStream::connect((url.host.as_str(), url.port))
                .await
                .map_err(failed)?,
        };
        let stream = EndpointStream::start(stream, url, tls)
            .await
            .map_err(failed)?;
        Self::over(stream).await
    }

    /// A connection that [`Connection::detach`] has released, perhaps in another runtime.
    pub(super) async fn attach(stream: DetachedStream) -> Result<Box<Self>, ConnectionError> {
        let stream = stream.attach();
        let failed = |error: io::Error| ConnectionError::Connect(with_causes(&error));
        Self::over(stream.map_err(failed)?).await
    }

    /// The stream, without the runtime of the caller. `None`: the connection is closed or in use.
    pub(super) fn detach(mut self) -> Option<DetachedStream> {
        let mut context = Context::from_waker(Waker::noop());
        let is_closed = self.is_closed || Pin::new(&mut self.driver).poll(&mut context).is_ready();
        if is_closed || !self.sender.is_ready() {
            return None;
        }
        let parts = self.driver.into_parts();
        let is_clean = parts.read_buf.is_empty();
        is_clean.then(|| parts.io.into_inner().detach().ok())?
    }

    async fn over(stream: EndpointStream) -> Result<Box<Self>, ConnectionError> {
        let counts = stream.counts();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MAX_READ)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| ConnectionError::Connect(with_causes(&error)))?;
        Ok(Box::new(Self {
            sender,
            driver,
            counts,
            is_closed: false,
            is_out_of_step: false,
        }))
    }

    /// Waits until the previous exchange is finished. False: the connection is closed.
    pub(super) async fn ready(&mut self) -> bool {
        // One poll is nearly always enough. It needs no waker, because the request follows immediately.
        let mut context = Context::from_waker(Waker::noop());
        if !self.is_closed {
            self.is_closed = Pin::new(&mut self.driver).poll(&mut context).is_ready();
        }
        if self.is_closed || self.sender.is_ready() {
            return !self.is_closed;
        }
        let ready = pin!(self.sender.ready());
        let ready = drive(&mut self.driver, &mut self.is_closed, ready).await;
        matches!(ready, Some(Ok(())))
    }

    /// Sends a request and reads the head of the response.
    pub(super) async fn send(
        &mut self,
        request: Request<Bytes>,
        statuses: &StatusRules,
    ) -> Result<Response<Incoming>, ConnectionError> {
        let length = request.body().len() as u64;
        let before = self.counts.sent();
        let response = pin!(self.sender.send_request(request.map(Full::new)));
        match drive(&mut self.driver, &mut self.is_closed, response).await {
            Some(Ok(response)) => {
                self.is_out_of_step = self.counts.sent() - before < length;
                let status = response.status().as_u16();
                if self.is_out_of_step && statuses.is_accepted(status) {
                    return Err(ConnectionError::EarlySuccess(status));
                }
                Ok(response)
            }
            Some(Err(error)) => Err(ConnectionError::Response(with_causes(&error))),
            None => Err(ConnectionError::Closed),
        }
    }

    /// Reads a response body within the limits of size and time, and keeps its first `max_kept` bytes.
    pub(super) async fn read_body(
        &mut self,
        mut body: Incoming,
        max_kept: usize,
        timer: &mut Timer,
    ) -> ResponseBody {
        if body.is_end_stream() {
            return ResponseBody {
                bytes: Vec::new(),
                is_complete: true,
                length: Some(0),
            };
        }
        let declared = body.size_hint().exact();
        let mut bytes = Vec::new();
        let mut length = 0;
        let deadline = Instant::now() + BODY_TIMEOUT;
        let is_complete = {
            let reading = pin!(async {
                while let Some(frame) = body.frame().await {
                    let Ok(frame) = frame else { return false };
                    let Some(data) = frame.data_ref() else {
                        continue;
                    };
                    length += data.len();
                    let room = max_kept - bytes.len();
                    bytes.extend_from_slice(&data[..room.min(data.len())]);
                    if length > MAX_READ.max(max_kept) {
                        return false;
                    }
                }
                true
            });
            let driven = pin!(drive(&mut self.driver, &mut self.is_closed, reading));
            timer.within(deadline, driven).await
        };
        let is_complete = matches!(is_complete, Some(Some(true)));
        ResponseBody {
            bytes,
            is_complete,
            length: match is_complete {
                true => Some(length as u64),
                false => declared,
            },
        }
    }

    /// The bytes received so far.
    pub(super) fn received(&self) -> u64 {
        self.counts.received()
    }

    /// Whether another request can be sent after a response whose body was read completely.
    pub(super) fn is_reusable(&self) -> bool {
        !self.is_out_of_step
    }
}

/// Polls `work` and the connection that it depends on as one task. `None`: the connection ended, so `work` cannot finish.
async fn drive<F: Future>(
    driver: &mut http1::Connection<TokioIo<EndpointStream>, Full<Bytes>>,
    is_closed: &mut bool,
    mut work: Pin<&mut F>,
) -> Option<F::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if !*is_closed {
            *is_closed = Pin::new(&mut *driver).poll(cx).is_ready();
        }
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if *is_closed => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// An error with its causes, each once, without secrets.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += ": ";
            text += &more;
        }
        cause = error.source();
    }
    redact::mask(&text).into_owned()
}
