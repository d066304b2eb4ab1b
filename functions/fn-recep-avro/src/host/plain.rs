//! A plain HTTP server, for a container platform or a developer's machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::EXPECT;
use http::{HeaderMap, Request};
use http_server::listener::TcpAcceptor;
use http_server::program::Failure;
use http_server::settings::LISTEN;
use http_server::tls::TlsContext;
use http_server::{server, signal};
use hyper::body::Incoming;
use settings::Settings;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::info;

use super::current_function::CurrentFunction;
use super::probe::Probe;
use super::scrape::{self, is_scrape};
use crate::ingest::{Call, busy};
use crate::metrics::IngestMetrics;

/// The most calls in flight.
const MAX_CALLS: usize = 128;
/// How long a call waits for a permit before it is rejected.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most connections: far more than calls, so that health checks are answered while calls wait.
const MAX_CONNECTIONS: usize = 640;
/// How long the request line and the header section may take to arrive. It also limits the idle time of a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of the request line and the header section together. Each connection may use this much memory.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// How long the body of a request may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of a rejected body are read and dropped.
const MAX_DISCARD: u64 = 64 << 20;

/// A server on a bound address.
pub(super) struct PlainServer {
    listener: TcpAcceptor,
}

impl PlainServer {
    /// Binds the address of the setting `listen`.
    pub(super) async fn bind(
        settings: watch::Receiver<Arc<Settings>>,
        function: &CurrentFunction,
    ) -> Result<Self, Failure> {
        let address = settings.borrow().required(&LISTEN)?.to_owned();
        let tls = TlsContext::from_settings(settings)?;
        let listener = TcpAcceptor::bind(&address).await?.with_tls(tls);
        if let Ok(bound) = listener.local_addr() {
            function.warn_if_open(bound);
            info!(address = %bound, "listening");
        }
        Ok(Self { listener })
    }

    /// Handles requests until SIGTERM or SIGINT. Counts and measures those that are no checks.
    pub(super) async fn serve(
        self,
        function: CurrentFunction,
        metrics: Arc<IngestMetrics>,
    ) -> Result<(), Failure> {
        let http = server::http1(HEADER_TIMEOUT, MAX_HEADER_BYTES);
        let ids = Arc::new(CallIds::new(SystemTime::now()));
        let permits = Arc::new(Semaphore::new(MAX_CALLS));
        let handler = move |request: Request<Incoming>| {
            let (function, ids, permits) =
                (function.clone(), Arc::clone(&ids), Arc::clone(&permits));
            let metrics = Arc::clone(&metrics);
            async move {
                let call = call(request.headers(), &ids);
                // Without a permit: checks are answered while calls wait.
                if let Some(probe) =
                    Probe::of(request.method(), request.uri().path(), request.headers())
                {
                    return probe.respond(&function, &call).await;
                }
                if is_scrape(&request) {
                    let (head, _) = request.into_parts();
                    return scrape::respond(&metrics, &function, &head, &call).await;
                }
                let measured = metrics.begin(request.method());
                let response = match timeout(QUEUE_TIMEOUT, permits.acquire()).await {
                    Ok(Ok(_permit)) => function.handle(request, &call).await,
                    _ => busy(&call),
                };
                measured.end(&response);
                response
            }
        };
        let shutdown = signal::shutdown()?;
        server::serve(self.listener, http, MAX_CONNECTIONS, handler, shutdown).await;
        Ok(())
    }
}

fn call(headers: &HeaderMap, ids: &CallIds) -> Call {
    Call {
        deadline: None,
        id: Some(request_id(headers).unwrap_or_else(|| ids.next())),
        body_timeout: Some(BODY_TIMEOUT),
        // A client that sends `Expect: 100-continue` waits for the response before it sends the body.
        max_discard: if headers.contains_key(EXPECT) {
            0
        } else {
            MAX_DISCARD
        },
        rejection: None,
    }
}

/// The id that a proxy gave to the request, if it is suitable for the log and the message header.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let is_suitable =
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    is_suitable.then(|| id.to_owned())
}

/// Makes ids for calls: the start time of the process and a counter.
struct CallIds {
    start: u128,
    next: AtomicU64,
}

impl CallIds {
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_call_has_the_id_of_its_request_if_that_is_suitable() {
        let ids = CallIds::new(UNIX_EPOCH);
        let id = |given: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_bytes(given).unwrap());
            call(&headers, &ids).id.unwrap()
        };
        assert_eq!(id(b"abc-1"), "abc-1");
        assert_eq!(id(b"a b"), "0-1");
        assert_eq!(id(b""), "0-2");
        assert_eq!(id(b"\xff"), "0-3");
        assert_eq!(id(&[b'a'; 129]), "0-4");
    }
}
