//! The entry point: starts the workers and talks to them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use record::Message;

use crate::activity::RouteActivity;
use crate::completion::Completion;
use crate::config::DeliveryConfig;
use crate::error::DeliveryError;
use crate::policy::{CircuitSettings, EndpointGroup};
use crate::route::{Commands, RouteShared, RouteState};
use crate::statistics::RouteStatistics;
use crate::time::after;
use crate::transport::{EndpointClient, IdlePool};
use crate::worker::Worker;

/// Delivers messages to the endpoints of all routes, each on a thread of its own. Dropping it cancels all requests.
pub struct Delivery {
    routes: Vec<Arc<RouteShared>>,
    commands: Arc<Mutex<Commands>>,
    threads: Vec<JoinHandle<()>>,
}

impl Delivery {
    /// Starts the workers. A connection is made when there is a message to send.
    ///
    /// Each message that [`Delivery::offer`] accepts is returned through `completions` exactly once. After
    /// [`Delivery::stop`], the channel is disconnected when all of them have been returned.
    ///
    /// # Errors
    /// A URL or a limit is invalid, or a thread could not be started.
    pub fn start(
        config: DeliveryConfig,
        completions: Sender<Vec<Completion>>,
    ) -> Result<Self, DeliveryError> {
        let mut clients = Vec::new();
        for endpoint in &config.endpoints {
            endpoint.limits.validate()?;
            clients.push(EndpointClient::new(endpoint)?);
        }
        let routes = config
            .endpoints
            .iter()
            .map(|endpoint| Arc::new(RouteShared::new(endpoint, config.queue_share(endpoint))));
        // On an error below, dropping this stops the threads that were started.
        let mut delivery = Self {
            routes: routes.collect(),
            commands: Arc::default(),
            threads: Vec::new(),
        };
        let groups = groups(&config, &mut clients, &delivery.routes);
        let config = Arc::new(config);
        let parts = clients.into_iter().zip(delivery.routes.clone()).zip(groups);
        for (route, ((client, shared), group)) in parts.enumerate() {
            let commands = Arc::clone(&delivery.commands);
            let (config, completions) = (Arc::clone(&config), completions.clone());
            let create =
                move || Worker::new(route, client, shared, group, commands, &config, completions);
            delivery.threads.push(start_thread(create)?);
        }
        // From here on the channel is connected as long as a worker runs.
        drop(completions);
        Ok(delivery)
    }

    /// Offers a message to a route; never blocks. A tombstone has no value to deliver and is returned as rejected.
    ///
    /// # Errors
    /// Returns the message: the route's queue is full, [`Delivery::stop`] was called, or the route does not exist.
    pub fn offer(&self, route: usize, message: Message) -> Result<(), Message> {
        match self.routes.get(route) {
            Some(route) => route.inbox.offer(message),
            None => Err(message),
        }
    }

    /// Whether a route has room for another message of a partition of which it has `in_flight`. So many `partitions` share
    /// its queue: when half of it is full, each has its share, so that none takes the room of the others.
    pub fn has_room(&self, route: usize, in_flight: usize, partitions: usize) -> bool {
        self.routes
            .get(route)
            .is_some_and(|route| route.has_room(in_flight, partitions))
    }

    /// Counts a record of a route as uncommitted that was deferred and that the caller completes in another way.
    pub fn add_uncommitted(&self, route: usize) {
        if let Some(route) = self.routes.get(route) {
            route.uncommitted.fetch_add(1, Ordering::Release);
        }
    }

    /// Reports that so many delivered or rejected records of a route are committed, or never will be. Other records can
    /// be sent in their place ([`Limits::max_uncommitted`](crate::Limits::max_uncommitted)).
    pub fn committed(&self, route: usize, records: usize) {
        if let Some(route) = self.routes.get(route).filter(|_| records > 0) {
            route.uncommitted.fetch_sub(records, Ordering::Release);
            route.inbox.notify();
        }
    }

    /// The most records of a route that can be in flight, or completed and not reported as committed.
    pub fn max_uncommitted(&self, route: usize) -> usize {
        self.routes
            .get(route)
            .map_or(usize::MAX, |route| route.max_uncommitted)
    }

    /// Sends partial batches of all messages offered so far without waiting for the linger time.
    pub fn flush(&self) {
        self.routes.iter().for_each(|route| route.inbox.flush());
    }

    /// The state of a route.
    pub fn state(&self, route: usize) -> RouteState {
        match self.routes.get(route) {
            Some(route) => route.state(),
            None => RouteState::Deferred {
                reason: "the route does not exist".into(),
            },
        }
    }

    /// Whether a route is [`RouteState::Deferred`].
    pub fn is_deferred(&self, route: usize) -> bool {
        self.routes
            .get(route)
            .is_none_or(|route| route.is_deferred())
    }

    /// What a route does at the moment. After [`Delivery::stop`], circuit and pause are those from before.
    pub fn activity(&self, route: usize) -> RouteActivity {
        self.routes
            .get(route)
            .map_or_else(RouteActivity::default, |route| *route.activity())
    }

    /// The number of accepted messages of a route that are not completed. It decreases after completions are sent: at 0,
    /// all of them are in the channel.
    pub fn buffered(&self, route: usize) -> usize {
        self.routes
            .get(route)
            .map_or(0, |route| route.inbox.buffered())
    }

    /// Sets the run's deadline. No attempt is planned after it; requests in flight are cancelled then, and their records
    /// deferred. A later call can only make it earlier.
    pub fn set_deadline(&self, deadline: Instant) {
        self.change_commands(|commands| {
            let earliest = commands.deadline.map_or(deadline, |at| at.min(deadline));
            commands.deadline = Some(earliest);
        });
    }

    /// Stops delivery: no message is accepted and no request started any more. Requests in flight have `timeout` to
    /// finish; all other records are deferred. Returns immediately: the completions' channel is disconnected at the end.
    pub fn stop(&self, timeout: Duration) {
        self.routes.iter().for_each(|route| route.inbox.close());
        self.change_commands(|commands| commands.is_stopping = true);
        self.set_deadline(after(Instant::now(), timeout));
    }

    /// Revokes a partition: its queued messages are deferred immediately. Those in flight can finish, but are not
    /// retried. Messages that are offered afterwards are treated like those of any other partition.
    pub fn revoke(&self, partition: i32) {
        self.routes
            .iter()
            .for_each(|route| route.inbox.revoke(partition));
    }

    /// Before when the next run should send no request to the route: the pause that the endpoint requested, uncapped, or
    /// the next probe of its circuit breaker. `None`: the endpoint works, or has not been asked.
    pub fn not_before(&self, route: usize) -> Option<Instant> {
        *self.routes.get(route)?.not_before()
    }

    /// The statistics of a route so far.
    pub fn statistics(&self, route: usize) -> RouteStatistics {
        self.routes
            .get(route)
            .map(|route| route.statistics().clone())
            .unwrap_or_default()
    }

    fn change_commands(&self, change: impl FnOnce(&mut Commands)) {
        let commands = self.commands.lock();
        change(&mut commands.unwrap_or_else(PoisonError::into_inner));
        self.routes.iter().for_each(|route| route.inbox.notify());
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

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("routes", &self.routes.len())
            .finish_non_exhaustive()
    }
}

/// The group of each route; `None` if it is alone in it. The limits of a group's first route apply. The clients of a group
/// share their idle connections.
fn groups(
    config: &DeliveryConfig,
    clients: &mut [EndpointClient],
    routes: &[Arc<RouteShared>],
) -> Vec<Option<Arc<EndpointGroup>>> {
    let mut members: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, (endpoint, client)) in config.endpoints.iter().zip(&*clients).enumerate() {
        if let Some(group) = endpoint.group {
            let url = client.url();
            let key = (group, url.tls, url.host.to_ascii_lowercase(), url.port);
            members.entry(key).or_default().push(index);
        }
    }
    let mut groups = vec![None; routes.len()];
    for members in members.values().filter(|members| members.len() > 1) {
        let settings = CircuitSettings::from(&config.endpoints[members[0]].limits);
        let shared = members.iter().map(|index| Arc::clone(&routes[*index]));
        let group = Arc::new(EndpointGroup::new(settings, shared.collect()));
        let limits = members.iter().map(|index| config.endpoints[*index].limits);
        let max_idle = limits.map(|limits| limits.max_in_flight).max();
        let idle = Arc::new(IdlePool::new(max_idle.unwrap_or_default()));
        for index in members {
            clients[*index].share_idle(Arc::clone(&idle));
            groups[*index] = Some(Arc::clone(&group));
        }
    }
    groups
}

/// Runs a worker on a thread of its own. The worker is created there, because it cannot be sent to another thread.
fn start_thread(
    create: impl FnOnce() -> Worker + Send + 'static,
) -> Result<JoinHandle<()>, DeliveryError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    // The worker's log lines carry the caller's span, which holds the run's id.
    let span = tracing::Span::current();
    let work = move || {
        let _entered = span.enter();
        runtime.block_on(create().run());
        // Do not wait for a name resolution in progress.
        runtime.shutdown_background();
    };
    let builder = std::thread::Builder::new().name("delivery".into());
    Ok(builder.spawn(work)?)
}
