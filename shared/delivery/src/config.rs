//! The configuration of delivery.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use http_proxy::Proxies;
use record::StreamId;

use crate::answer::AnswerConfig;
use crate::error::DeliveryError;
use crate::observer::RequestObserver;
use crate::policy::StatusRules;
use crate::request::{
    ContainerFile, Datum, FixedShape, NoAuthorization, PayloadFormat, RequestAuthorization,
    RequestShape,
};
use crate::transport::{SystemTls, TlsConfig};

/// The configuration of delivery.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// One for each route. [`Completion::route`](crate::Completion::route) is an index into this list.
    pub endpoints: Vec<EndpointConfig>,
    /// The most bytes buffered or in flight, of all routes together. Each route has an equal share, but at least
    /// [`Limits::batch_bytes`].
    pub queue_bytes: usize,
    /// The source of the messages; it is part of their idempotency keys.
    pub stream: StreamId,
    /// The seed of the backoff's jitter.
    pub seed: u64,
    /// Observes each request. `None`: requests are not observed.
    pub observer: Option<Arc<dyn RequestObserver>>,
}

/// The endpoint of one route.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The route's name, for logs and errors.
    pub name: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// How messages become a request body.
    pub format: Arc<dyn PayloadFormat>,
    /// The method, target and headers of requests.
    pub shape: Arc<dyn RequestShape>,
    /// The most records of one request, if the format is a batch format.
    pub batch_records: usize,
    /// How requests are authorized.
    pub authorization: Arc<dyn RequestAuthorization>,
    /// The TLS configuration for an `https` URL.
    pub tls: Arc<dyn TlsConfig>,
    /// The proxies; without one for the URL, connections are direct.
    pub proxies: Proxies,
    /// The limits of the route.
    pub limits: Limits,
    /// The order of the route's deliveries.
    pub order: Order,
    /// The route's own meaning of status codes.
    pub statuses: StatusRules,
    /// Routes with the same number whose URLs have the same scheme, host and port share a circuit breaker for connections,
    /// the pause of a 429, and idle connections. They must have the same credentials, TLS configuration and proxies. `None`:
    /// the route shares nothing.
    pub group: Option<usize>,
    /// A pause in which an earlier run ended.
    pub pause: Option<EndpointPause>,
    /// Which answers completions carry. `None`: none, and no response body is kept for them.
    pub answers: Option<AnswerConfig>,
}

/// A pause in which an earlier run ended. No request is sent before its end, and one as a probe then. If it lasts longer
/// than both [`Limits::backoff_max`] and the cool-down after the last probe, the route is deferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPause {
    /// The end.
    pub until: Instant,
    /// The reason of a deferral.
    pub reason: String,
}

impl DeliveryConfig {
    /// The default of [`DeliveryConfig::queue_bytes`].
    pub const QUEUE_BYTES: usize = 16 << 20;

    /// The most bytes of the queue of a route.
    pub(crate) fn queue_share(&self, endpoint: &EndpointConfig) -> usize {
        let minimum = endpoint.limits.batch_bytes.min(self.queue_bytes);
        (self.queue_bytes / self.endpoints.len().max(1)).max(minimum)
    }
}

impl EndpointConfig {
    /// An endpoint that receives one datum a request, without authorization or order, with the system's TLS configuration and
    /// the default limits.
    pub fn new(name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            format: Arc::new(Datum),
            shape: Arc::new(FixedShape(Method::POST)),
            batch_records: 1,
            authorization: Arc::new(NoAuthorization),
            tls: Arc::new(SystemTls),
            proxies: Proxies::default(),
            limits: Limits::default(),
            order: Order::None,
            statuses: StatusRules::default(),
            group: None,
            pause: None,
            answers: None,
        }
    }

    /// Sends container files with at most so many records. `schema` is the JSON text of the messages' schema.
    #[must_use]
    pub fn with_container_files(mut self, records: usize, schema: &str) -> Self {
        self.format = Arc::new(ContainerFile::new(schema));
        self.batch_records = records;
        self
    }

    /// The most records of one request: 1, unless the format is a batch format.
    pub(crate) fn max_records(&self) -> usize {
        if self.format.is_batch() {
            self.batch_records.max(1)
        } else {
            1
        }
    }
}

/// The order of deliveries, which retries keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// No order.
    #[default]
    None,
    /// Messages with the same Kafka key in the same partition are delivered in offset order. If a request holds several
    /// records, the order is by partition instead.
    Key,
    /// Messages of the same partition are delivered in offset order.
    Partition,
}

/// The limits of one route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most requests in flight, each on a connection of its own.
    pub max_in_flight: usize,
    /// The most requests that are in flight or whose records were completed and not reported as committed
    /// ([`Delivery::committed`](crate::Delivery::committed)): the most that is delivered again after a crash. A request
    /// with fewer records than its maximum counts in proportion. `None`: no limit.
    pub max_uncommitted: Option<usize>,
    /// The most requests a second. `None`: no limit.
    pub rate_limit: Option<f64>,
    /// The time for one request, including the connection.
    pub request_timeout: Duration,
    /// The most attempts for one record.
    pub max_attempts: u32,
    /// The ceiling of the delay before the second attempt; it doubles with each attempt.
    pub backoff_initial: Duration,
    /// The ceiling of all delays, including `Retry-After`.
    pub backoff_max: Duration,
    /// The failures in a row that open the circuit breaker.
    pub circuit_failure_threshold: u32,
    /// The time before the first probe of an open circuit; it doubles with each failed probe.
    pub circuit_cool_down: Duration,
    /// The failed probes after which the route is deferred.
    pub circuit_max_probes: u32,
    /// The most messages buffered or in flight.
    pub queue_messages: usize,
    /// The most bytes of the records of one request. A larger record is sent alone.
    pub batch_bytes: usize,
    /// How long a message waits for a batch to fill.
    pub linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_in_flight: 64,
            max_uncommitted: None,
            rate_limit: None,
            request_timeout: Duration::from_secs(10),
            max_attempts: 5,
            backoff_initial: Duration::from_millis(200),
            backoff_max: Duration::from_secs(30),
            circuit_failure_threshold: 10,
            circuit_cool_down: Duration::from_secs(1),
            circuit_max_probes: 3,
            queue_messages: 10_000,
            batch_bytes: 1 << 20,
            linger: Duration::from_millis(5),
        }
    }
}

impl Limits {
    /// Checks that a request is possible within the limits.
    pub(crate) fn validate(&self) -> Result<(), DeliveryError> {
        let is_invalid_rate = |rate: f64| !(rate.is_finite() && rate > 0.0);
        let invalid = if self.max_in_flight == 0 {
            "max_in_flight is 0: expected at least one request"
        } else if self.max_uncommitted == Some(0) {
            "max_uncommitted is 0: expected at least one request"
        } else if self.max_attempts == 0 {
            "max_attempts is 0: expected at least one"
        } else if self.circuit_failure_threshold == 0 {
            "circuit_failure_threshold is 0: expected at least one"
        } else if self.rate_limit.is_some_and(is_invalid_rate) {
            "rate_limit must be greater than 0 requests a second"
        } else if self.request_timeout.is_zero() {
            "request_timeout must be greater than zero"
        } else {
            return Ok(());
        };
        Err(DeliveryError::Limits(invalid))
    }
}
