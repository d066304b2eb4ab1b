//! The ingest function that calls are handled with, before, during and after its start.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use http_server::body;
use tokio::sync::{Notify, watch};
use tokio::time::timeout_at;

use crate::ingest::{Call, IngestFunction, cannot_start, starting};

/// How long a call without a deadline waits for the function to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the reason of a failed start answers calls. The next call starts the function again: the vault may answer now,
/// or the settings file may be corrected.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The current ingest function, for the hosts. It is cheap to clone.
#[derive(Clone)]
pub(super) struct CurrentFunction {
    state: watch::Receiver<State>,
    retry: Arc<Notify>,
}

/// Sets the current function. It is cheap to clone.
#[derive(Clone)]
pub(super) struct FunctionSlot {
    state: watch::Sender<State>,
    retry: Arc<Notify>,
}

#[derive(Clone)]
enum State {
    Starting,
    Started(Arc<IngestFunction>),
    Failed(FailedStart),
}

/// A start that failed, and was not repeated since.
#[derive(Clone)]
struct FailedStart {
    /// For callers.
    reason: Arc<str>,
    at: Instant,
}

impl FunctionSlot {
    /// The function, if it is started.
    pub(super) fn function(&self) -> Option<Arc<IngestFunction>> {
        self.state.borrow().started()
    }

    /// Sets the function. Calls in flight end with the function that they began with.
    pub(super) fn set(&self, function: IngestFunction) {
        self.state.send_replace(State::Started(Arc::new(function)));
    }

    /// Answers calls with the reason why the function cannot start, and completes when it should be started again: at the
    /// first call after [`RETRY_INTERVAL`]. That call waits. A timer instead would be of no use: Fn freezes the process
    /// between calls.
    pub(super) async fn failed(&self, reason: &str) {
        self.state.send_replace(State::Failed(FailedStart {
            reason: reason.into(),
            at: Instant::now(),
        }));
        self.retry.notified().await;
    }
}

impl State {
    fn started(&self) -> Option<Arc<IngestFunction>> {
        match self {
            Self::Started(function) => Some(Arc::clone(function)),
            Self::Starting | Self::Failed(_) => None,
        }
    }
}

impl CurrentFunction {
    /// A function that is not started, and the slot for the started one.
    pub(super) fn new() -> (Self, FunctionSlot) {
        let (sender, state) = watch::channel(State::Starting);
        let retry = Arc::new(Notify::new());
        let slot = FunctionSlot {
            state: sender,
            retry: Arc::clone(&retry),
        };
        (Self { state, retry }, slot)
    }

    /// Handles a request with the current function. The response is 503 with `Retry-After` if the function does not
    /// start before the call's deadline, and 500 with the reason if it cannot start.
    pub(super) async fn handle<B>(&self, request: Request<B>, call: &Call) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        match self.wait(call.deadline).await {
            Ok(function) => function.handle(request, call).await,
            Err(failed) => refuse(request, call, failed.as_ref()).await,
        }
    }

    /// The same, counted and measured. For a host without `GET /metrics`: only an exporter gets the metrics.
    pub(super) async fn handle_measured<B>(
        &self,
        request: Request<B>,
        call: &Call,
    ) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let function = match self.wait(call.deadline).await {
            Ok(function) => function,
            Err(failed) => return refuse(request, call, failed.as_ref()).await,
        };
        let measured = function
            .metrics()
            .map(|metrics| metrics.begin(request.method()));
        let response = function.handle(request, call).await;
        if let Some(measured) = measured {
            measured.end(&response);
        }
        response
    }

    /// Waits until the telemetry of a call is exported, a second at most, for a host that freezes the program.
    pub(super) async fn flush_telemetry(&self, call: &Call) {
        if let Some(function) = self.started() {
            function.telemetry().flush(call.deadline).await;
        }
    }

    /// Exports the remaining telemetry at the end of the program.
    pub(super) async fn shutdown_telemetry(&self) {
        if let Some(function) = self.started() {
            function.telemetry().shutdown().await;
        }
    }

    /// Logs a warning if the function is started and every caller that reaches this address is accepted.
    pub(super) fn warn_if_open(&self, address: SocketAddr) {
        if let Some(function) = self.started() {
            function.warn_if_open(address);
        }
    }

    /// Whether the function can publish: `None`, or the response to a readiness check. Does not wait for the first start.
    pub(super) async fn readiness(&self, call: &Call) -> Option<Response<Bytes>> {
        let is_starting = matches!(*self.state.borrow(), State::Starting);
        if is_starting {
            return Some(starting(call));
        }
        match self.wait(call.deadline).await {
            Ok(function) => function.readiness(call).await,
            Err(failed) => Some(not_started(call, failed.as_ref())),
        }
    }

    /// Whether a request may read the metrics: `None`, or the response to the refused request. Does not wait for the start.
    pub(super) async fn refuse_scrape(&self, head: &Parts, call: &Call) -> Option<Response<Bytes>> {
        match self.started() {
            Some(function) => function.refuse_scrape(head, call).await,
            None => Some(starting(call)),
        }
    }

    fn started(&self) -> Option<Arc<IngestFunction>> {
        self.state.borrow().started()
    }

    /// Waits for the function to start, after a failure for the next start.
    ///
    /// # Errors
    /// The start failed, or `None`: it has not ended before the deadline.
    async fn wait(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Arc<IngestFunction>, Option<FailedStart>> {
        let seen = self.state.borrow().clone();
        let earlier = match seen {
            State::Started(function) => return Ok(function),
            State::Failed(failed) if failed.at.elapsed() < RETRY_INTERVAL => {
                return Err(Some(failed));
            }
            State::Failed(failed) => {
                self.retry.notify_one();
                Some(failed)
            }
            State::Starting => None,
        };
        let has_ended = |state: &State| match state {
            State::Starting => false,
            State::Started(_) => true,
            State::Failed(failed) => earlier.as_ref().is_none_or(|seen| failed.at > seen.at),
        };
        let deadline = deadline.unwrap_or_else(|| Instant::now() + START_TIMEOUT);
        let mut state = self.state.clone();
        match timeout_at(deadline.into(), state.wait_for(has_ended)).await {
            Ok(Ok(state)) => match &*state {
                State::Started(function) => Ok(Arc::clone(function)),
                State::Failed(failed) => Err(Some(failed.clone())),
                State::Starting => Err(None),
            },
            _ => Err(earlier),
        }
    }
}

/// The response to a request that no function handles. The body is read: a client that is still sending would not receive
/// the response.
async fn refuse<B>(
    request: Request<B>,
    call: &Call,
    failed: Option<&FailedStart>,
) -> Response<Bytes>
where
    B: Body<Data = Bytes> + Unpin,
{
    let deadline = call.body_deadline(Instant::now()).map(Into::into);
    body::discard(&mut request.into_body(), call.max_discard, deadline).await;
    not_started(call, failed)
}

fn not_started(call: &Call, failed: Option<&FailedStart>) -> Response<Bytes> {
    match failed {
        Some(failed) => cannot_start(call, &failed.reason),
        None => starting(call),
    }
}
