//! Brings matched messages to their endpoints: messages in, each with its fate out, exactly once.
//!
//! A [`Delivery`] is a thread for each route; whoever scans the stream hands messages over ([`Delivery::offer`]) and
//! reads what became of them from a channel. Each route has its own queue, connections, limits and circuit, so that
//! an endpoint that is slow or down costs the others nothing.
//!
//! - [`answer`]: what a status means
//! - [`circuit`], [`rate`]: when to ask again
//! - [`partial`]: which records of many failed
//! - [`queue`]: who may go, and in which order
//! - [`request`]: what an endpoint receives

// A message that is not taken comes back whole, to be offered again or left.
#![allow(clippy::result_large_err)]

mod alarm;
pub mod answer;
mod backoff;
pub mod circuit;
pub mod completion;
mod inbox;
mod landing;
mod lane;
pub mod partial;
mod patience;
mod pen;
pub mod queue;
pub mod rate;
pub mod request;
mod route;
pub mod statistics;
pub mod target;
mod waiting;
mod wire;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use runtime::secret::Secret;

use completion::Completion;
use inbox::Inbox;
use lane::Road;
use record::{Message, StreamId};
use request::RequestMaker;
use statistics::RouteStatistics;
use target::{Target, TargetError};

/// The running engine. Dropping it stops it at once.
pub struct Delivery {
    routes: Vec<Arc<RouteShared>>,
    orders: Arc<Mutex<Orders>>,
    threads: Vec<JoinHandle<()>>,
}

/// Where the messages of one route go.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// The route's name.
    pub name: String,
    /// `http://…` or `https://…`.
    pub url: String,
    /// The bearer token, if the endpoint asks for one.
    pub token: Option<Secret>,
    /// The most records of one request; above 1, requests are container files.
    pub batch: usize,
}

/// What the engine needs to know.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// One for each route, in the order of the table of routes.
    pub endpoints: Vec<EndpointConfig>,
    /// Bounds, the same for every route.
    pub limits: Limits,
    /// What order deliveries keep.
    pub order: Order,
    /// The stream that the messages come from.
    pub stream: StreamId,
    /// The JSON text of the messages' schema, for container files.
    pub schema: String,
    /// The seed of the jitter.
    pub seed: u64,
}

/// What order deliveries keep, through retries too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// None.
    #[default]
    None,
    /// Messages with the same Kafka key, in the same partition, go one after the other. Where a request holds many
    /// records, whole partitions keep their order instead.
    Key,
    /// Messages of the same partition go one after the other.
    Partition,
}

/// The bounds, each route's own but where a bound says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most requests under way, each on a connection of its own.
    pub max_in_flight: usize,
    /// The most requests that are under way, or whose records were taken and not yet called committed
    /// ([`Delivery::committed`]); a request of fewer records than it may hold counts for what it holds. `None`: nobody
    /// commits.
    pub max_uncommitted: Option<usize>,
    /// The most requests a second.
    pub rate_limit: Option<f64>,
    /// How long one request may take, connecting included.
    pub request_timeout: Duration,
    /// How often one record is tried.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; it doubles with each one.
    pub backoff_initial: Duration,
    /// The longest wait of all, `Retry-After` included.
    pub backoff_max: Duration,
    /// Failures in a row that stop the requests.
    pub circuit_failure_threshold: u32,
    /// How long they stop before the first probe.
    pub circuit_cool_down: Duration,
    /// Probes that may fail before the route is given up.
    pub circuit_max_probes: u32,
    /// The most messages in hand.
    pub queue_messages: usize,
    /// The most bytes in hand, all routes together: each has an equal share, but never less than one request may need.
    pub queue_bytes: usize,
    /// The most bytes of the records of one request.
    pub batch_bytes: usize,
    /// How long a message waits for company where a request takes many.
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
            queue_bytes: 16 << 20,
            batch_bytes: 1 << 20,
            linger: Duration::from_millis(5),
        }
    }
}

impl Limits {
    /// The most bytes in hand of each of so many routes.
    fn queue_share(&self, routes: usize) -> usize {
        let least = self.batch_bytes.min(self.queue_bytes);
        (self.queue_bytes / routes.max(1)).max(least)
    }
}

/// How a route stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteState {
    /// Requests go.
    Open,
    /// Requests wait: the circuit is open, or the endpoint asked for quiet.
    Paused,
    /// No more requests in this run; everything of the route is left.
    Deferred {
        /// Why, for people.
        reason: Arc<str>,
    },
}

/// Why delivery cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// A route's URL.
    #[error("the url of route {route} {error}")]
    Url {
        /// The route.
        route: String,
        /// What is wrong with it.
        error: TargetError,
    },
    /// A route's token.
    #[error("the token of route {route} holds characters that no HTTP header can carry")]
    Token {
        /// The route.
        route: String,
    },
    /// A bound that makes no sense.
    #[error("{0}")]
    Limits(&'static str),
    /// A thread or its runtime.
    #[error("starting a delivery thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What is asked of all routes at once.
#[derive(Debug, Default)]
struct Orders {
    /// The moment after which nothing is under way.
    until: Option<Instant>,
    stopping: bool,
}

/// What both sides see of a route.
#[derive(Debug)]
struct RouteShared {
    inbox: Inbox,
    /// Records that the endpoint has taken or refused, and of which the broker does not know yet.
    uncommitted: AtomicUsize,
    /// How many of these there may be, those under way included.
    max_uncommitted: usize,
    state: Mutex<RouteState>,
    /// Set when the state is [`RouteState::Deferred`]: asked for every message, so it takes no lock.
    given_up: AtomicBool,
    statistics: Mutex<RouteStatistics>,
}

impl RouteShared {
    fn state(&self) -> MutexGuard<'_, RouteState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statistics(&self) -> MutexGuard<'_, RouteStatistics> {
        self.statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery {
    /// Starts the threads. No connection is made before there is something to send.
    ///
    /// Every message that [`Delivery::offer`] takes comes back through `settled`, exactly once; the channel's other
    /// end is disconnected when all have come back after [`Delivery::stop`].
    ///
    /// # Errors
    /// A URL, a token or a limit is of no use, or there are no threads.
    pub fn start(
        config: DeliveryConfig,
        settled: Sender<Vec<Completion>>,
    ) -> Result<Self, DeliveryError> {
        check(&config.limits)?;
        let limits = config.limits;
        let mut makers = Vec::new();
        for endpoint in &config.endpoints {
            let route = || endpoint.name.clone();
            let target = Target::parse(&endpoint.url).map_err(|error| DeliveryError::Url {
                route: route(),
                error,
            })?;
            let schema = (endpoint.batch > 1).then_some(config.schema.as_str());
            let token = endpoint.token.as_ref();
            let maker = RequestMaker::new(target, token, config.stream.clone(), schema)
                .ok_or_else(|| DeliveryError::Token { route: route() })?;
            makers.push(maker);
        }
        let bytes_in_hand = limits.queue_share(config.endpoints.len());
        let shared = |endpoint: &EndpointConfig| RouteShared {
            inbox: Inbox::new(limits.queue_messages, bytes_in_hand),
            uncommitted: AtomicUsize::new(0),
            max_uncommitted: limits.max_uncommitted.map_or(usize::MAX, |requests| {
                requests.saturating_mul(endpoint.batch.max(1))
            }),
            state: Mutex::new(RouteState::Open),
            given_up: AtomicBool::new(false),
            statistics: Mutex::default(),
        };
        let routes: Vec<_> = config
            .endpoints
            .iter()
            .map(|endpoint| Arc::new(shared(endpoint)))
            .collect();
        // From here on dropping it ends what was started.
        let mut delivery = Self {
            routes,
            orders: Arc::default(),
            threads: Vec::new(),
        };
        let (config, connector) = (Arc::new(config), Arc::default());
        let routes = makers.into_iter().zip(delivery.routes.clone());
        for (index, (maker, shared)) in routes.enumerate() {
            let (orders, settled) = (Arc::clone(&delivery.orders), settled.clone());
            let (config, connector) = (Arc::clone(&config), Arc::clone(&connector));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()?;
            // Log lines of the thread carry the run's id, as the caller's do.
            let span = tracing::Span::current();
            let work = move || {
                let _inside = span.enter();
                let road = Road {
                    maker,
                    connector,
                    stale: Default::default(),
                };
                let route = route::Route::new(index, road, shared, orders, &config, settled);
                runtime.block_on(route.run());
                // A name that is still being looked up holds nobody up.
                runtime.shutdown_background();
            };
            let thread = std::thread::Builder::new()
                .name("delivery".into())
                .spawn(work)?;
            delivery.threads.push(thread);
        }
        // From now on the channel lives as long as the threads do.
        drop(settled);
        Ok(delivery)
    }

    /// Hands a message over; never blocks. A tombstone has nothing to deliver and comes back refused.
    ///
    /// # Errors
    /// The message itself: the route's queue is full, or [`Delivery::stop`] was called, or there is no such route.
    pub fn offer(&self, route: usize, message: Message) -> Result<(), Message> {
        match self.routes.get(route) {
            Some(route) => route.inbox.offer(message),
            None => Err(message),
        }
    }

    /// So many records of a route that came back delivered or refused are committed, or never will be: others may go
    /// in their place ([`Limits::uncommitted`]).
    pub fn committed(&self, route: usize, records: usize) {
        if let Some(route) = self.routes.get(route).filter(|_| records > 0) {
            route.uncommitted.fetch_sub(records, Ordering::Release);
            route.inbox.nudge();
        }
    }

    /// The most records of a route that can be under way, or answered and not yet called committed.
    pub fn max_uncommitted(&self, route: usize) -> usize {
        self.routes
            .get(route)
            .map_or(usize::MAX, |route| route.max_uncommitted)
    }

    /// No message that was offered to any route waits for company.
    pub fn flush(&self) {
        self.routes.iter().for_each(|route| route.inbox.flush());
    }

    /// How a route stands.
    pub fn state(&self, route: usize) -> RouteState {
        match self.routes.get(route) {
            Some(route) => route.state().clone(),
            None => RouteState::Deferred {
                reason: "there is no such route".into(),
            },
        }
    }

    /// Whether a route is [`RouteState::Deferred`].
    pub fn is_deferred(&self, route: usize) -> bool {
        self.routes
            .get(route)
            .is_none_or(|route| route.given_up.load(Ordering::Acquire))
    }

    /// How many messages of a route have been taken and not yet settled. It falls just after completions were sent:
    /// at 0, all of them are in the channel.
    pub fn buffered(&self, route: usize) -> usize {
        self.routes
            .get(route)
            .map_or(0, |route| route.inbox.buffered())
    }

    /// The run's budget: no wait and no attempt is planned beyond `until`, and what is under way then is broken off
    /// and left. A later call can only shorten it.
    pub fn set_deadline(&self, until: Instant) {
        let mut orders = self.orders();
        orders.until = Some(orders.until.map_or(until, |earlier| earlier.min(until)));
        drop(orders);
        self.routes.iter().for_each(|route| route.inbox.nudge());
    }

    /// Ends delivery: nothing is taken and no request begun any more; those under way may finish within `grace`; all
    /// else is left. Does not wait: the completions' channel ends when it is done.
    pub fn stop(&self, grace: Duration) {
        self.routes.iter().for_each(|route| route.inbox.close());
        self.orders().stopping = true;
        self.set_deadline(later(Instant::now(), grace));
    }

    /// The partition is taken away: its queued messages are left at once; those in flight finish, but are not
    /// tried again. Messages of it that are offered afterwards are as good as any.
    pub fn revoke(&self, partition: i32) {
        self.routes
            .iter()
            .for_each(|route| route.inbox.recall(partition));
    }

    /// The figures of a route so far.
    pub fn statistics(&self, route: usize) -> RouteStatistics {
        self.routes
            .get(route)
            .map(|route| route.statistics().clone())
            .unwrap_or_default()
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("routes", &self.routes.len())
            .finish_non_exhaustive()
    }
}

fn check(limits: &Limits) -> Result<(), DeliveryError> {
    let wrong = match limits {
        Limits {
            max_in_flight: 0, ..
        } => "in_flight is 0, expected at least one request",
        Limits {
            max_uncommitted: Some(0),
            ..
        } => "uncommitted is 0, expected at least one request",
        Limits {
            max_attempts: 0, ..
        } => "attempts is 0, expected at least one",
        Limits {
            circuit_failure_threshold: 0,
            ..
        } => "circuit_failure_threshold is 0, expected at least one",
        Limits {
            rate_limit: Some(rate),
            ..
        } if !(rate.is_finite() && *rate > 0.0) => "rate is not above 0 requests a second",
        Limits {
            request_timeout, ..
        } if request_timeout.is_zero() => {
            "request_timeout is 0, expected a time in which a request can be answered"
        }
        _ => return Ok(()),
    };
    Err(DeliveryError::Limits(wrong))
}

/// As long as anybody can wait.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// `at` + `wait`, or a far future where that cannot be said.
fn later(at: Instant, wait: Duration) -> Instant {
    at + wait.min(YEAR)
}
