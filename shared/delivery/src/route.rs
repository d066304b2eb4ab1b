//! One route at work: it collects what was offered, lets go what may go, and waits for what comes back.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use runtime::retry::Backoff;
use tracing::{info, warn};

use super::alarm::Alarm;
use super::circuit::{Circuit, CircuitSettings, Gate, Pass};
use super::completion::{Completion, DeliveryOutcome};
use super::inbox::{Mail, weight};
use super::lane::{Lane, Outcome, Road, exchange};
use super::queue::{Job, Queue, Shape};
use super::rate::Bucket;
use super::{DeliveryConfig, Limits, Orders, RouteShared, RouteState};
use record::Message;

/// A parcel of completions is sent when it has so many (or as many as one request), or when its first has waited so
/// long: each parcel wakes the thread that reads them.
const PARCEL: usize = 64;
const PARCEL_WAIT: Duration = Duration::from_millis(1);

/// Everything that one route owns.
pub(super) struct Route {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) limits: Limits,
    pub(super) backoff: Backoff,
    pub(super) rng: fastrand::Rng,
    pub(super) queue: Queue,
    pub(super) circuit: Circuit,
    bucket: Option<Bucket>,
    /// No request before this moment, by the endpoint's wish.
    pub(super) quiet_until: Option<Instant>,
    pub(super) road: Rc<Road>,
    pub(super) shared: Arc<RouteShared>,
    orders: Arc<Mutex<Orders>>,
    mail: Mail,
    hurry: bool,
    /// Lanes that wait for work, the last used first.
    lanes: Vec<Lane>,
    flights: FuturesUnordered<LocalBoxFuture<'static, Landed>>,
    landed: Vec<Landed>,
    /// The jobs that are out, by the number of their flight: they outlive a flight that is broken off.
    pub(super) out: Vec<Option<(Job, Pass)>>,
    /// How many messages they hold.
    pub(super) aloft: usize,
    /// Places in `out` that are empty.
    pub(super) free: Vec<usize>,
    pub(super) until: Option<Instant>,
    pub(super) stopping: bool,
    /// Set once nothing more is sent in this run.
    pub(super) given_up: Option<Arc<str>>,
    completions: Vec<Completion>,
    /// How many completions make a parcel.
    parcel: usize,
    /// When the completions are sent, if it is not before.
    parcel_due: Option<Instant>,
    alarm: Alarm,
    settled: Sender<Vec<Completion>>,
    pub(super) complaint: Option<Instant>,
    pub(super) unsaid: u64,
}

/// A request that has come back.
struct Landed {
    number: usize,
    lane: Lane,
    outcome: Outcome,
}

impl Route {
    pub(super) fn new(
        index: usize,
        road: Road,
        shared: Arc<RouteShared>,
        orders: Arc<Mutex<Orders>>,
        config: &DeliveryConfig,
        settled: Sender<Vec<Completion>>,
    ) -> Self {
        let limits = config.limits;
        let endpoint = config.endpoints.get(index);
        Self {
            index,
            name: endpoint
                .map(|endpoint| endpoint.name.clone())
                .unwrap_or_default(),
            limits,
            backoff: Backoff {
                initial: limits.backoff_initial,
                max: limits.backoff_max,
            },
            rng: fastrand::Rng::with_seed(config.seed.wrapping_add(index as u64)),
            queue: Queue::new(Shape {
                order: config.order,
                batch: endpoint.map_or(1, |endpoint| endpoint.batch.max(1)),
                batch_bytes: limits.batch_bytes,
                linger: limits.linger,
            }),
            circuit: Circuit::new(CircuitSettings {
                failures: limits.circuit_failure_threshold,
                cool_down: limits.circuit_cool_down,
                probes: limits.circuit_max_probes,
            }),
            bucket: limits.rate_limit.map(|rate| Bucket::new(rate, now())),
            quiet_until: None,
            road: Rc::new(road),
            shared,
            orders,
            mail: Mail::default(),
            hurry: false,
            lanes: Vec::new(),
            flights: FuturesUnordered::new(),
            landed: Vec::new(),
            out: Vec::new(),
            aloft: 0,
            free: Vec::new(),
            until: None,
            stopping: false,
            given_up: None,
            completions: Vec::new(),
            parcel: endpoint.map_or(PARCEL, |endpoint| endpoint.batch.clamp(PARCEL, 1000)),
            parcel_due: None,
            alarm: Alarm::default(),
            settled,
            complaint: None,
            unsaid: 0,
        }
    }

    /// Works until it is stopped and everything has come back.
    pub(super) async fn run(mut self) {
        loop {
            self.obey();
            self.collect();
            self.launch();
            if self.stopping && self.flights.is_empty() {
                self.complain_of_the_rest();
                return self.send_parcel();
            }
            if self.flights.is_empty() || self.parcel_due.is_some_and(|due| due <= now()) {
                self.send_parcel();
            }
            self.wait().await;
        }
    }

    /// Takes note of what is asked of all routes.
    fn obey(&mut self) {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, stopping) = (orders.until, orders.stopping);
        drop(orders);
        let now = now();
        self.until = until;
        if stopping && !self.stopping {
            self.stopping = true;
            self.give_up("the run is stopping");
        }
        if until.is_some_and(|until| until <= now) {
            self.give_up("the run's time is over");
            // Whether the endpoint took these is not known: they are sent again, with the same key.
            self.flights.clear();
            self.aloft = 0;
            self.free.clear();
            for (job, _) in std::mem::take(&mut self.out).into_iter().flatten() {
                self.leave(job, "broken off when the run's time was over");
            }
        }
        let rest = match self.circuit.gate(now) {
            Gate::Until(until) => Some(until),
            _ => self.quiet_until.filter(|until| *until > now),
        };
        if let (Some(rest), Some(until)) = (rest, until)
            && rest >= until
        {
            self.give_up("the endpoint will not be asked again within the run's time");
        }
    }

    /// Moves what was offered into the queue.
    fn collect(&mut self) {
        let mut mail = std::mem::take(&mut self.mail);
        self.shared.inbox.collect(&mut mail);
        if mail.flush || !mail.messages.is_empty() {
            self.hurry = mail.flush;
        }
        let now = now();
        let mut recalls = mail.recalls.drain(..).peekable();
        for (place, message) in mail.messages.drain(..).enumerate() {
            while let Some((_, partition)) = recalls.next_if(|(before, _)| *before <= place) {
                self.recall(partition);
            }
            self.admit(message, now);
        }
        for (_, partition) in recalls {
            self.recall(partition);
        }
        mail.flush = false;
        self.mail = mail;
    }

    fn admit(&mut self, message: Message, now: Instant) {
        if let Some(reason) = &self.given_up {
            let reason = reason.to_string();
            self.settle(message, DeliveryOutcome::Deferred { reason });
        } else if message.value.is_none() {
            let reason = "a tombstone has nothing to deliver".to_owned();
            self.settle(
                message,
                DeliveryOutcome::Rejected {
                    status: None,
                    reason,
                },
            );
        } else if let Err(message) = self.queue.push(message, now) {
            self.leave_behind(vec![message]);
        }
    }

    fn recall(&mut self, partition: i32) {
        for message in self.queue.recall(partition) {
            let reason = "its partition was taken away".to_owned();
            self.settle(message, DeliveryOutcome::Deferred { reason });
        }
    }

    /// Sends as many requests as may go now.
    fn launch(&mut self) {
        while self.given_up.is_none() && self.has_room() {
            let now = now();
            if self.quiet_until.is_some_and(|until| until > now) {
                return;
            }
            self.quiet_until = None;
            let gate = self.circuit.gate(now);
            if !matches!(gate, Gate::Open | Gate::Probe) {
                return;
            }
            if let Some(bucket) = &mut self.bucket
                && bucket.next(now).is_some()
            {
                return;
            }
            let job = match gate {
                Gate::Probe => self.queue.take_probe(now),
                _ => self.queue.take(now, self.hurry),
            };
            let Some(job) = job else { return };
            if let Some(bucket) = &mut self.bucket {
                bucket.take();
            }
            let pass = self.circuit.pass();
            self.send(job, pass, now);
        }
    }

    /// True when one more request may be under way: there is a place for it, and a kill would not repeat too much.
    fn has_room(&self) -> bool {
        let exposed = self.aloft + self.shared.uncommitted.load(Ordering::Acquire);
        self.flights.len() < self.limits.max_in_flight
            && exposed + self.queue.batch() <= self.shared.max_uncommitted
    }

    fn send(&mut self, mut job: Job, pass: Pass, now: Instant) {
        job.requests += 1;
        self.aloft += job.messages.len();
        let ask = self.road.maker.ask(&job.messages);
        let number = self.free.pop().unwrap_or_else(|| {
            self.out.push(None);
            self.out.len() - 1
        });
        if let Some(place) = self.out.get_mut(number) {
            *place = Some((job, pass));
        }
        let mut lane = self.lanes.pop().unwrap_or_default();
        let left = self.until.map_or(Duration::MAX, |until| until - now);
        let patience = self.limits.request_timeout.min(left);
        let road = Rc::clone(&self.road);
        self.flights.push(Box::pin(async move {
            let outcome = exchange(&road, &mut lane, &ask, patience).await;
            Landed {
                number,
                lane,
                outcome,
            }
        }));
    }

    /// Sleeps until something may have changed, and lands what has come back.
    async fn wait(&mut self) {
        let look = self.next_look();
        self.alarm
            .set(look.into_iter().chain(self.parcel_due).min());
        let mut landed = std::mem::take(&mut self.landed);
        let (flights, alarm) = (&mut self.flights, &mut self.alarm);
        {
            let mut woken = pin!(self.shared.inbox.woken());
            poll_fn(|cx| {
                while let Poll::Ready(Some(one)) = flights.poll_next_unpin(cx) {
                    landed.push(one);
                }
                if !landed.is_empty() || woken.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                alarm.poll(cx)
            })
            .await;
        }
        for one in landed.drain(..) {
            if one.lane.is_open() {
                self.lanes.push(one.lane);
            }
            self.land(one.number, one.outcome);
        }
        self.landed = landed;
    }

    /// When there will be something to do, besides what comes back and what is offered.
    fn next_look(&mut self) -> Option<Instant> {
        let now = now();
        let work = if self.given_up.is_some() {
            self.shared.inbox.wake_at(1);
            None
        } else if !self.has_room() {
            None
        } else if let Some(until) = self.quiet_until {
            Some(until)
        } else {
            match self.circuit.gate(now) {
                Gate::Until(until) => Some(until),
                Gate::Open | Gate::Probe => {
                    let token = self.bucket.as_mut().and_then(|bucket| bucket.next(now));
                    let company = !self.queue.is_empty();
                    self.shared
                        .inbox
                        .wake_at(if company { self.queue.batch() } else { 1 });
                    match (token, self.queue.next()) {
                        // Something waits for a token; what it is shows when the token is there.
                        (Some(token), _) if company => Some(token),
                        (_, next) => next,
                    }
                }
                Gate::Waiting | Gate::GivenUp => None,
            }
        };
        let end = self
            .until
            .filter(|_| self.given_up.is_none() || !self.flights.is_empty());
        self.show(now);
        work.into_iter().chain(end).min()
    }

    /// Says how the route stands, where others can see it.
    fn show(&mut self, now: Instant) {
        let state = match &self.given_up {
            Some(reason) => RouteState::Deferred {
                reason: Arc::clone(reason),
            },
            None if self.quiet_until.is_some_and(|until| until > now) => RouteState::Paused,
            None if self.circuit.gate(now) == Gate::Open => RouteState::Open,
            None => RouteState::Paused,
        };
        let mut shown = self.shared.state();
        if *shown != state {
            if state == RouteState::Open {
                info!(route = self.name, "the endpoint is back");
            }
            let given_up = matches!(state, RouteState::Deferred { .. });
            self.shared.given_up.store(given_up, Ordering::Release);
            *shown = state;
        }
    }

    /// Sends nothing more in this run: what waits is left, what is under way may finish.
    pub(super) fn give_up(&mut self, reason: &str) {
        if self.given_up.is_some() {
            return;
        }
        if !self.stopping {
            let to = self.road.maker.target();
            warn!(route = self.name, %to, reason, "no more requests in this run");
        }
        self.given_up = Some(reason.into());
        self.circuit.give_up();
        for message in self.queue.drain() {
            let reason = reason.to_owned();
            self.settle(message, DeliveryOutcome::Deferred { reason });
        }
        // The scan reads the state before it offers: it shall not lag behind the completions.
        self.show(now());
    }

    pub(super) fn settle(&mut self, message: Message, outcome: DeliveryOutcome) {
        if self.completions.is_empty() {
            self.parcel_due = Some(now() + PARCEL_WAIT);
        }
        if !matches!(outcome, DeliveryOutcome::Deferred { .. }) {
            self.shared.uncommitted.fetch_add(1, Ordering::Relaxed);
        }
        self.completions.push(Completion {
            route: self.index,
            message,
            outcome,
        });
        if self.completions.len() >= self.parcel {
            self.send_parcel();
        }
    }

    fn send_parcel(&mut self) {
        if self.completions.is_empty() {
            return;
        }
        self.parcel_due = None;
        let next = Vec::with_capacity(self.parcel);
        let parcel = std::mem::replace(&mut self.completions, next);
        let count = parcel.len();
        let bytes = parcel
            .iter()
            .map(|completion| weight(&completion.message))
            .sum();
        // Nobody listens any more: then nobody counts any more either.
        let _ = self.settled.send(parcel);
        self.shared.inbox.release(count, bytes);
    }
}

/// The runtime's clock, which tests may turn.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
