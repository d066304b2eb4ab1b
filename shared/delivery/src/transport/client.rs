//! Sends requests to one endpoint.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue, StatusCode, header};
use http_proxy::Proxy;
use hyper::Response;
use hyper::body::Incoming;
use runtime::retry::retry_after;
use tokio::time::Instant;

use super::connection::{Connection, ResponseBody};
use super::idle_pool::IdlePool;
use super::nginx_status::actual_status;
use super::response_text::{MAX_TEXT, is_json, printable};
use super::tls::TlsConfig;
use super::tunnel;
use crate::answer::{Answer, AnswerConfig};
use crate::config::EndpointConfig;
use crate::endpoint_url::EndpointUrl;
use crate::error::DeliveryError;
use crate::outcome::{ConnectionError, EndpointResponse, FailureReport, RequestOutcome};
use crate::policy::StatusRules;
use crate::request::{PreparedRequest, RequestAuthorization};
use crate::time::after;
use crate::timer::Timer;

/// The most bytes of a response body that can report failed records.
const MAX_REPORT: usize = 1024 * 1024;

/// A client for one endpoint: its URL, TLS configuration and authorization.
///
/// Delivery sends its requests through this client, so [`EndpointClient::probe`] tests what a run would use: name
/// resolution, a direct connection or the proxy, TLS, authorization. Redirects are not followed.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use delivery::{EndpointClient, EndpointConfig};
///
/// let endpoint = EndpointConfig::new("A", "https://api.example/orders");
/// let client = EndpointClient::new(&endpoint)?;
/// let status = client.probe(Duration::from_secs(10)).await?;
/// println!("{} responds {status} to GET", client.url());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EndpointClient {
    url: EndpointUrl,
    authorization: Arc<dyn RequestAuthorization>,
    tls: Arc<dyn TlsConfig>,
    proxy: Option<Proxy>,
    /// The idle connections of the route's group.
    idle: Option<Arc<IdlePool>>,
    statuses: StatusRules,
    answers: Option<AnswerConfig>,
    /// Requests sent again because the endpoint had closed an idle connection.
    stale_connections: AtomicU64,
}

/// Why a probe got no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No response within this time.
    #[error("no response within {0:?}")]
    TimedOut(Duration),
    /// The connection failed.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
}

/// A connection that is kept for the next request, and the timer of its requests.
#[derive(Default)]
pub(crate) struct ConnectionSlot {
    connection: Option<Box<Connection>>,
    timer: Timer,
}

impl ConnectionSlot {
    /// Whether it holds an open connection.
    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }
}

impl EndpointClient {
    /// A client without a connection.
    ///
    /// # Errors
    /// [`DeliveryError::Url`]: the URL is invalid.
    pub fn new(endpoint: &EndpointConfig) -> Result<Self, DeliveryError> {
        let url = EndpointUrl::parse(&endpoint.url).map_err(|error| DeliveryError::Url {
            route: endpoint.name.clone(),
            error,
        })?;
        let proxy = url
            .absolute(&url.path)
            .and_then(|url| endpoint.proxies.for_url(&url));
        Ok(Self {
            url,
            proxy,
            idle: None,
            authorization: Arc::clone(&endpoint.authorization),
            tls: Arc::clone(&endpoint.tls),
            statuses: endpoint.statuses.clone(),
            answers: endpoint.answers.clone(),
            stale_connections: AtomicU64::new(0),
        })
    }

    /// The URL of the endpoint.
    pub fn url(&self) -> &EndpointUrl {
        &self.url
    }

    /// Uses idle connections of other routes, and leaves idle connections to them.
    pub(crate) fn share_idle(&mut self, idle: Arc<IdlePool>) {
        self.idle = Some(idle);
    }

    /// Leaves idle connections to the other routes of the group; keeps them if there are none.
    pub(crate) fn leave_idle(&self, slots: &mut Vec<ConnectionSlot>) {
        if let Some(idle) = &self.idle {
            let connections = slots.drain(..).filter_map(|slot| slot.connection);
            let streams = connections.filter_map(|connection| connection.detach());
            streams.for_each(|stream| idle.put(stream));
        }
    }

    /// Waits until requests can be authorized: until there is an access token.
    ///
    /// # Errors
    /// There are no credentials, or not within `timeout`.
    pub async fn ready(&self, timeout: Duration) -> Result<(), ProbeError> {
        let Some(ready) = self.authorization.ready() else {
            return Ok(());
        };
        match tokio::time::timeout(timeout, ready).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(ConnectionError::Authorization(error.to_string()).into()),
            Err(_) => Err(ProbeError::TimedOut(timeout)),
        }
    }

    /// Connects, sends one authorized GET without a body, and returns the status of the response. `timeout` covers all of
    /// it, except for up to a second to read the response body.
    ///
    /// # Errors
    /// No complete response head arrived. Every status is a success here.
    pub async fn probe(&self, timeout: Duration) -> Result<StatusCode, ProbeError> {
        let mut slot = ConnectionSlot::default();
        let request = PreparedRequest::probe();
        match self.send(&mut slot, &request, timeout).await {
            RequestOutcome::Answered(response) => Ok(response.status),
            RequestOutcome::TimedOut => Err(ProbeError::TimedOut(timeout)),
            RequestOutcome::Failed(error) => Err(error.into()),
        }
    }

    /// Requests sent again because the endpoint had closed an idle connection.
    pub(crate) fn stale_connections(&self) -> u64 {
        self.stale_connections.load(Ordering::Relaxed)
    }

    /// Sends a request and reads the response, on the slot's connection if it is still open.
    ///
    /// A response counts as soon as its head has arrived completely. An error or a timeout in the body changes nothing.
    /// A success that arrives before the whole request was sent is an error: it cannot be about the records in it.
    ///
    /// An endpoint may close an idle connection at the moment of a request. If no byte of a response has arrived, the
    /// request is sent again on a new connection. That is safe, because it carries its idempotency key.
    pub(crate) async fn send(
        &self,
        slot: &mut ConnectionSlot,
        request: &PreparedRequest,
        timeout: Duration,
    ) -> RequestOutcome {
        let start = Instant::now();
        let deadline = after(start.into_std(), timeout).into();
        if let Some(ready) = self.authorization.ready() {
            let ready = slot.timer.within(deadline, pin!(ready)).await;
            let unready = match ready {
                Some(Ok(())) => None,
                Some(Err(error)) => Some(error.to_string()),
                None => Some(format!("no credentials within {timeout:?}")),
            };
            if let Some(reason) = unready {
                return RequestOutcome::Failed(ConnectionError::Authorization(reason));
            }
        }
        let mut connection = slot.connection.take();
        // Futures are pinned where they are created and passed by reference: a future that is moved into another one
        // takes twice the memory, and this one is allocated for each request.
        let mut authorization = None;
        let sent = {
            let sending = pin!(self.send_on(&mut connection, request, &mut authorization));
            slot.timer.within(deadline, sending).await
        };
        let latency = start.elapsed();
        let response = match sent {
            None => return RequestOutcome::TimedOut,
            Some(Err(error)) => return RequestOutcome::Failed(error),
            Some(Ok(response)) => response,
        };
        let (head, body) = response.into_parts();
        let has_new_credentials = head.status == StatusCode::UNAUTHORIZED
            && authorization.is_some_and(|sent| self.authorization.on_unauthorized(&sent));
        let header =
            |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let requested_delay = header(header::RETRY_AFTER)
            .and_then(|value| retry_after(value, header(header::DATE), SystemTime::now()));
        let is_success = head.status.is_success();
        let can_report = is_success && request.is_batch() && is_json(header(header::CONTENT_TYPE));
        let max_kept = if can_report { MAX_REPORT } else { MAX_TEXT };
        let is_accepted = self.statuses.is_accepted(head.status.as_u16());
        let kept_answer = self.answers.as_ref();
        let kept_answer =
            kept_answer.filter(|answers| answers.keeps(is_accepted, request.is_batch()));
        // One byte more than is kept shows that the body is longer.
        let max_read = kept_answer.map_or(max_kept, |answers| max_kept.max(answers.max_body + 1));
        let body = match &mut connection {
            Some(connection) => connection.read_body(body, max_read, &mut slot.timer).await,
            None => ResponseBody::default(),
        };
        slot.connection =
            connection.filter(|connection| body.is_complete && connection.is_reusable());
        let mut text = if is_success {
            String::new()
        } else {
            let shown = &body.bytes[..body.bytes.len().min(max_kept)];
            let is_cut = !body.is_complete || body.bytes.len() >= max_kept;
            printable(shown, is_cut)
        };
        let status = actual_status(head.status, &text);
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !is_success && !self.url.tls) {
            // The response can be that of the proxy itself.
            text = format!("through the proxy {proxy} {text}");
        }
        let answer = kept_answer.map(|answers| {
            let (is_complete, length) = (body.is_complete, body.length);
            let headers = &head.headers;
            let answer = Answer::new(answers, status, headers, &body.bytes, is_complete, length);
            Box::new(answer)
        });
        let report = match (can_report, body.is_complete) {
            (false, _) => FailureReport::None,
            (true, true) => FailureReport::Complete(body.bytes),
            (true, false) => FailureReport::Truncated,
        };
        RequestOutcome::Answered(EndpointResponse {
            status,
            has_new_credentials,
            retry_after: requested_delay,
            text,
            report,
            answer,
            latency,
        })
    }

    /// Sends the request on the open connection, or on a new one. Sets the `authorization` that was sent.
    async fn send_on(
        &self,
        connection: &mut Option<Box<Connection>>,
        request: &PreparedRequest,
        authorization: &mut Option<HeaderValue>,
    ) -> Result<Response<Incoming>, ConnectionError> {
        let mut is_reused = match connection {
            Some(connection) => connection.ready().await,
            None => match self.idle.as_ref().and_then(|idle| idle.take()) {
                Some(stream) => {
                    *connection = Box::pin(Connection::attach(stream)).await.ok();
                    connection.is_some()
                }
                None => false,
            },
        };
        loop {
            let connection = match &mut *connection {
                Some(connection) if is_reused => connection,
                // Boxed: few requests open a connection, and the others need not carry the memory for it.
                slot => slot.insert(Box::pin(self.open()).await?),
            };
            let mut attempt = request
                .attempt(&self.url, &*self.authorization)
                .map_err(|error| ConnectionError::Authorization(error.to_string()))?;
            *authorization = attempt.headers().get(header::AUTHORIZATION).cloned();
            if let Some(proxy) = self.proxy.as_ref().filter(|_| !self.url.tls) {
                tunnel::address_to(proxy, &self.url, &mut attempt);
            }
            let before = connection.received();
            match connection.send(attempt, &self.statuses).await {
                Err(_) if is_reused && connection.received() == before => {
                    self.stale_connections.fetch_add(1, Ordering::Relaxed);
                    is_reused = false;
                }
                result => return result,
            }
        }
    }

    async fn open(&self) -> Result<Box<Connection>, ConnectionError> {
        Connection::open(&self.url, &*self.tls, self.proxy.as_ref()).await
    }
}
