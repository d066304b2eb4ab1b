//! One request and its answer, on a connection of its own that is kept for the next.
//!
//! A delivery is promised by the status: an answer counts once its whole head has been read, and what happens to the
//! body afterwards (a reset, a stall) takes nothing back. An answer whose head never arrived whole is none, and so is
//! one of success that came before the whole request had gone out: it cannot be about a record that nobody has read.

use std::cell::Cell;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use runtime::redact;
use runtime::retry::retry_after;
use tokio::time::Instant;

use super::later;
use super::patience::Patience;
use super::request::{Ask, RequestMaker};
use super::wire::{Connector, Traffic, Wire};

/// What an endpoint says beyond this is not read; its connection is dropped instead.
const MOST_READ: usize = 64 * 1024;
/// How much of it is kept as the reason of a refusal.
const MOST_KEPT: usize = 1024;
/// How much is read where it may name records that failed.
const MOST_NAMED: usize = 1024 * 1024;
/// How long the rest of an answer may take, once its status is known.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// What became of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer whose head arrived whole.
    Answered(Answered),
    /// No answer within the time allowed.
    TimedOut,
    /// The connection could not be made, or ended before a whole answer; with what was met.
    Broken(String),
}

#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// What `Retry-After` asks for.
    pub(super) retry_after: Option<Duration>,
    /// The beginning of the body, if the status is none of success.
    pub(super) said: String,
    /// The whole body, if the answer is a success that may name records that failed.
    pub(super) names: Names,
    /// From the request to the head of the answer.
    pub(super) latency: Duration,
}

/// Whether an answer of success can name records that failed: JSON to a request of many.
#[derive(Debug)]
pub(super) enum Names {
    /// It cannot.
    None,
    /// It did, or did not, in these words.
    Whole(Vec<u8>),
    /// What it said did not arrive whole.
    Cut,
}

/// What requests share on one route.
pub(super) struct Road {
    pub(super) maker: RequestMaker,
    pub(super) connector: Arc<Connector>,
    /// Requests repeated because a kept connection had gone stale.
    pub(super) stale: Cell<u64>,
}

/// A kept connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: http1::Connection<TokioIo<Wire>, Full<Bytes>>,
    traffic: Rc<Traffic>,
    /// The driver has finished, and must not be polled again.
    ended: bool,
    /// It was answered before it had sent everything: there is no telling what the endpoint will take for a request.
    spent: bool,
}

/// Where one request after another goes: a connection that is kept, and a timer.
#[derive(Default)]
pub(super) struct Lane {
    connection: Option<Box<Connection>>,
    patience: Patience,
}

impl Lane {
    /// Whether it has a connection that can take another request.
    pub(super) fn is_open(&self) -> bool {
        self.connection.is_some()
    }
}

/// Sends the request, on the kept connection if there is one and it is alive, and reads the answer. A kept connection
/// that dies before the first byte of the answer had been closed by the endpoint for being idle: the request is sent
/// once more on a fresh one, which is safe since it carries its idempotency key.
pub(super) async fn exchange(
    road: &Road,
    lane: &mut Lane,
    ask: &Ask,
    patience: Duration,
) -> Outcome {
    let start = Instant::now();
    let mut kept = lane.connection.take();
    let until = later(start.into_std(), patience).into();
    // Work is pinned where it is made, and passed on by reference: a future that takes another one in has room for it
    // twice, and all of this is allocated for each request.
    let sent = {
        let asking = pin!(async {
            let mut reuse = match &mut kept {
                Some(connection) => connection.is_ready().await,
                None => false,
            };
            loop {
                let connection = match &mut kept {
                    Some(connection) if reuse => connection,
                    // Boxed, so that the many requests on kept connections do not carry the room that the few others
                    // need.
                    kept => kept.insert(Box::pin(Connection::open(road)).await?),
                };
                let before = connection.traffic.received.get();
                match connection.send(road, ask).await {
                    Err(_) if reuse && connection.traffic.received.get() == before => {
                        road.stale.set(road.stale.get() + 1);
                        reuse = false;
                    }
                    result => return result,
                }
            }
        });
        lane.patience.within(until, asking).await
    };
    let latency = start.elapsed();
    match sent {
        None => Outcome::TimedOut,
        Some(Err(reason)) => Outcome::Broken(reason),
        Some(Ok(response)) => {
            let (head, body) = response.into_parts();
            let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
            let wait = header(header::RETRY_AFTER)
                .and_then(|value| retry_after(value, header(header::DATE), SystemTime::now()));
            let success = head.status.is_success();
            let naming = success && ask.is_batch() && is_json(header(header::CONTENT_TYPE));
            let most = if naming { MOST_NAMED } else { MOST_KEPT };
            let (whole, said) = match &mut kept {
                Some(connection) => connection.read(body, most, &mut lane.patience).await,
                None => (false, Vec::new()),
            };
            let (said, names) = match (success, naming) {
                (_, true) if whole => (String::new(), Names::Whole(said)),
                (_, true) => (String::new(), Names::Cut),
                (true, false) => (String::new(), Names::None),
                (false, false) => {
                    let is_cut = !whole || said.len() == most;
                    (printable(&said, is_cut), Names::None)
                }
            };
            let answered = Answered {
                status: head.status.as_u16(),
                retry_after: wait,
                said,
                names,
                latency,
            };
            lane.connection = kept.filter(|connection| whole && !connection.spent);
            Outcome::Answered(answered)
        }
    }
}

impl Connection {
    async fn open(road: &Road) -> Result<Box<Self>, String> {
        let wire = road.connector.connect(road.maker.target()).await;
        let wire = wire.map_err(|error| told("connecting", &error))?;
        let traffic = wire.traffic();
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(MOST_READ)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| told("connecting", &error))?;
        Ok(Box::new(Self {
            sender,
            driver,
            traffic,
            ended: false,
            spent: false,
        }))
    }

    /// Whether the connection is still there and has finished its last exchange.
    async fn is_ready(&mut self) -> bool {
        // One look is nearly always enough. Nobody needs to be woken after it: the request follows at once.
        let mut look = Context::from_waker(Waker::noop());
        if !self.ended {
            self.ended = Pin::new(&mut self.driver).poll(&mut look).is_ready();
        }
        if self.ended || self.sender.is_ready() {
            return !self.ended;
        }
        let ready = pin!(self.sender.ready());
        let ready = drive(&mut self.driver, &mut self.ended, ready).await;
        matches!(ready, Some(Ok(())))
    }

    async fn send(&mut self, road: &Road, ask: &Ask) -> Result<Response<Incoming>, String> {
        let before = self.traffic.sent.get();
        let answer = pin!(self.sender.send_request(road.maker.request(ask)));
        match drive(&mut self.driver, &mut self.ended, answer).await {
            Some(Ok(response)) => {
                let unsent = self.traffic.sent.get() - before < ask.length() as u64;
                self.spent = unsent;
                if unsent && response.status().is_success() {
                    let status = response.status().as_u16();
                    return Err(format!(
                        "{status} came before the whole request had been sent"
                    ));
                }
                Ok(response)
            }
            Some(Err(error)) => Err(told("reading the answer", &error)),
            None => Err("the connection was closed without an answer".to_owned()),
        }
    }

    /// Reads the body, within limits. True when it arrived whole; and its beginning, at most so many bytes.
    async fn read(
        &mut self,
        mut body: Incoming,
        most_kept: usize,
        patience: &mut Patience,
    ) -> (bool, Vec<u8>) {
        if body.is_end_stream() {
            return (true, Vec::new());
        }
        let mut kept = Vec::new();
        let mut length = 0;
        let until = Instant::now() + BODY_PATIENCE;
        let whole = {
            let reading = pin!(async {
                while let Some(frame) = body.frame().await {
                    let Ok(frame) = frame else { return false };
                    let Some(data) = frame.data_ref() else {
                        continue;
                    };
                    length += data.len();
                    let room = most_kept - kept.len();
                    kept.extend_from_slice(&data[..room.min(data.len())]);
                    if length > MOST_READ.max(most_kept) {
                        return false;
                    }
                }
                true
            });
            let driven = pin!(drive(&mut self.driver, &mut self.ended, reading));
            patience.within(until, driven).await
        };
        (matches!(whole, Some(Some(true))), kept)
    }
}

/// Runs `work` and the connection beneath it as one task. `None`: the connection ended and the work never will.
async fn drive<F: Future>(
    driver: &mut http1::Connection<TokioIo<Wire>, Full<Bytes>>,
    ended: &mut bool,
    mut work: Pin<&mut F>,
) -> Option<F::Output> {
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if !*ended {
            *ended = Pin::new(&mut *driver).poll(cx).is_ready();
        }
        match work.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if *ended => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn is_json(content_type: Option<&str>) -> bool {
    let kind = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}

/// An error with its causes, for people.
fn told(doing: &str, error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{doing}: {error}");
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

/// An endpoint's text without secrets, fit for a log line and a header. With `is_cut`, it is the beginning of a longer one.
fn printable(said: &[u8], is_cut: bool) -> String {
    // Secrets are masked first: the other steps may cut one in two.
    let text = redact::excerpt(said, is_cut);
    let text: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut end = text.len().min(MOST_KEPT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_says_is_made_fit_to_print() {
        let text = printable(b" no\r\nsuch \x1b[31mid\n", false);
        assert_eq!(text, "no  such  [31mid");
        assert!(printable(&[0xff; 1024], false).len() <= MOST_KEPT);
        assert!(printable("é".repeat(600).as_bytes(), true).len() <= MOST_KEPT);
    }
}
