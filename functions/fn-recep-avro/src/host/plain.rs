//! Plain HTTP on an address of its own, for a container platform or a laptop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, EXPECT, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use http_server::settings::LISTEN;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::TokioTimer;
use settings::Settings;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::info;

use super::entrance::Entrance;
use crate::ingest::{Call, Door};
use http_server::program::Failure;
use http_server::server::{self, READ_PATIENCE, Tcp};

/// How many calls are dealt with at once: together with the body limit this bounds what callers can make us hold.
const CALLS: usize = 128;
/// How long a call waits for its turn.
const TURN_PATIENCE: Duration = Duration::from_secs(10);
/// Many more than calls: who asks whether we live is answered however many wait.
const CONNECTIONS: usize = 640;
/// How long a request's head may take, and how long a connection may lie idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a request line and its header section together: every connection may hold so many.
const HEADER_BYTES: usize = 64 * 1024;
/// How long a request's body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How much of a refused body is read so that its sender gets to see the refusal.
const DISCARD: u64 = 64 << 20;

/// A bound address.
pub(super) struct Host {
    listener: TcpListener,
}

impl Host {
    /// Binds the address of the setting `listen`.
    pub(super) async fn bind(settings: &Settings) -> Result<Self, Failure> {
        let address = settings.required(&LISTEN).map_err(Failure::configuration)?;
        let listener = server::bind(address).await?;
        if let Ok(bound) = listener.local_addr() {
            info!(address = %bound, "listening");
        }
        Ok(Self { listener })
    }

    /// Answers until SIGTERM or SIGINT.
    pub(super) async fn serve(self, entrance: Entrance) -> Result<(), Failure> {
        let mut http = Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            // Who has said everything may say so, and still wants the answer.
            .half_close(true)
            .max_header_size(HEADER_BYTES);
        let ids = Arc::new(Ids::new(SystemTime::now()));
        let calls = Arc::new(Semaphore::new(CALLS));
        let answer = move |request: Request<Incoming>| {
            let (entrance, ids, calls) = (entrance.clone(), Arc::clone(&ids), Arc::clone(&calls));
            async move {
                if is_health_check(&request) {
                    return healthy();
                }
                let call = call(request.headers(), &ids);
                match timeout(TURN_PATIENCE, calls.acquire()).await {
                    Ok(Ok(_turn)) => entrance.answer(request, &call).await,
                    _ => Door::busy(&call),
                }
            }
        };
        let stop = server::told_to_end()?;
        let listener = Tcp {
            listener: self.listener,
            patience: READ_PATIENCE,
        };
        server::serve(listener, http, CONNECTIONS, answer, stop).await;
        Ok(())
    }
}

fn call(headers: &HeaderMap, ids: &Ids) -> Call {
    Call {
        deadline: None,
        id: Some(given_id(headers).unwrap_or_else(|| ids.next())),
        patience: Some(BODY_PATIENCE),
        // Who asked first has not begun to send.
        discard: if headers.contains_key(EXPECT) {
            0
        } else {
            DISCARD
        },
        refusal: None,
    }
}

/// The name that a proxy in front has given to the call, if it is fit to be logged and stored.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let fit = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    fit.then(|| id.to_owned())
}

/// Names for calls that have none: unique within the process, and hardly ever shared with another.
struct Ids {
    start: u128,
    next: AtomicU64,
}

impl Ids {
    fn new(start: SystemTime) -> Self {
        let start = start.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            start: start.as_nanos(),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number}", self.start)
    }
}

fn is_health_check<B>(request: &Request<B>) -> bool {
    request.uri().path() == "/health" && matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The process answers; whether the broker does is each call's own question.
fn healthy() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"ok\n"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_the_name_it_came_with_if_that_is_fit() {
        let ids = Ids::new(UNIX_EPOCH);
        let of = |id: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_bytes(id).unwrap());
            call(&headers, &ids).id.unwrap()
        };
        assert_eq!(of(b"abc-1"), "abc-1");
        assert_eq!(of(b"a b"), "0-1");
        assert_eq!(of(b""), "0-2");
        assert_eq!(of(b"\xff"), "0-3");
        assert_eq!(of(&[b'a'; 129]), "0-4");
    }
}
