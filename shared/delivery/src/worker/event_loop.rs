//! The worker's loop.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use record::Message;
use runtime::log_limit::LogLimiter;
use tracing::{info, warn};

use super::completions::CompletionBuffer;
use super::in_flight::{FinishedRequest, InFlight};
use crate::answer::{HeldAnswer, RecordAnswer};
use crate::completion::{Completion, DeliveryOutcome};
use crate::config::{DeliveryConfig, EndpointPause};
use crate::inbox::Arrivals;
use crate::observer::{ObservedRequest, RequestObservation, RequestObserver};
use crate::policy::limiter::Admission;
use crate::policy::{EndpointGroup, RoutePolicy};
use crate::queue::{Batch, BatchLimits, Queue};
use crate::recorder::RequestRecorder;
use crate::request::{InvalidRecord, PreparedRequest, RequestBuilder};
use crate::route::{Commands, RouteShared, RouteState};
use crate::time::now;
use crate::timer::Timer;
use crate::transport::EndpointClient;

/// The shortest time between two log lines about failed requests of one route.
const WARNING_INTERVAL: Duration = Duration::from_secs(5);
/// The reason of messages that wait for a deferred one.
const BEHIND_DEFERRED: &str = "an earlier record with the same key or partition was deferred";
/// The reason of a route that another one has found out for.
const GROUP_FAILED: &str =
    "the endpoint keeps failing: a route with the same host has no connection";
/// The reason of messages of a revoked partition.
pub(super) const REVOKED: &str = "its partition was revoked";

/// The worker of one route.
pub(crate) struct Worker {
    pub(super) name: String,
    max_in_flight: usize,
    request_timeout: Duration,
    pub(super) client: Rc<EndpointClient>,
    pub(super) requests: RequestBuilder,
    accepts_tombstones: bool,
    pub(super) queue: Queue,
    pub(super) policy: RoutePolicy,
    pub(super) in_flight: InFlight,
    pub(super) completions: CompletionBuffer,
    pub(super) shared: Arc<RouteShared>,
    pub(super) recorder: Arc<dyn RequestRecorder>,
    observer: Option<Arc<dyn RequestObserver>>,
    commands: Arc<Mutex<Commands>>,
    arrivals: Arrivals,
    /// Partial batches are sent without waiting for the linger time.
    flush: bool,
    pub(super) deadline: Option<Instant>,
    is_stopping: bool,
    /// Set once the route sends no more requests in this run.
    pub(super) deferred: Option<Arc<str>>,
    pub(super) warnings: LogLimiter<()>,
    pause: Option<EndpointPause>,
    timer: Timer,
    /// An empty list that keeps its allocated memory.
    finished: Vec<FinishedRequest>,
}

/// What the worker waits for.
enum Event {
    /// Requests have finished.
    Finished(Vec<FinishedRequest>),
    /// Messages or commands have arrived, or records were committed.
    Notified,
    /// A time that the worker waits for has come.
    Timeout,
}

impl Worker {
    /// The worker of the route with this index.
    pub(crate) fn new(
        route: usize,
        client: EndpointClient,
        shared: Arc<RouteShared>,
        group: Option<Arc<EndpointGroup>>,
        commands: Arc<Mutex<Commands>>,
        config: &DeliveryConfig,
        completions: Sender<Vec<Completion>>,
    ) -> Self {
        let endpoint = &config.endpoints[route];
        let limits = &endpoint.limits;
        let records = endpoint.max_records();
        let seed = config.seed.wrapping_add(route as u64);
        Self {
            name: endpoint.name.clone(),
            max_in_flight: limits.max_in_flight,
            request_timeout: limits.request_timeout,
            client: Rc::new(client),
            requests: RequestBuilder::new(
                config.stream.clone(),
                Arc::clone(&endpoint.format),
                Arc::clone(&endpoint.shape),
            ),
            accepts_tombstones: endpoint.shape.accepts_tombstones(),
            queue: Queue::new(BatchLimits {
                order: endpoint.order,
                records,
                bytes: limits.batch_bytes,
                linger: limits.linger,
            }),
            policy: RoutePolicy::new(endpoint, group, seed, now()),
            in_flight: InFlight::default(),
            completions: CompletionBuffer::new(route, records, completions, Arc::clone(&shared)),
            recorder: Arc::<RouteShared>::clone(&shared),
            shared,
            observer: config.observer.clone(),
            commands,
            arrivals: Arrivals::default(),
            flush: false,
            deadline: None,
            is_stopping: false,
            deferred: None,
            warnings: LogLimiter::new(1, WARNING_INTERVAL),
            pause: endpoint.pause.clone(),
            timer: Timer::default(),
            finished: Vec::new(),
        }
    }

    /// Runs until delivery is stopped and no request is in flight.
    pub(crate) async fn run(mut self) {
        self.resume();
        let mut event = Event::Notified;
        while self.step(event).is_continue() {
            event = self.next_event().await;
        }
    }

    /// Continues the pause of an earlier run.
    fn resume(&mut self) {
        let Some(EndpointPause { until, reason }) = self.pause.take() else {
            return;
        };
        self.policy.limiter.resume(until);
        if until.saturating_duration_since(now()) > self.policy.max_pause() {
            self.defer_route(&reason);
        }
    }

    /// Handles one event. All changes of state happen here.
    fn step(&mut self, event: Event) -> ControlFlow<()> {
        if let Event::Finished(mut finished) = event {
            let now = now();
            for request in finished.drain(..) {
                self.on_response(request, now);
            }
            self.finished = finished;
        }
        self.apply_commands();
        self.accept_arrivals();
        self.dispatch();
        if self.in_flight.is_empty() && self.queue.is_empty() {
            self.in_flight.leave_idle(&self.client);
        }
        // Before the completions: what they follow from is visible when they are received.
        self.publish_state();
        if self.is_stopping && self.in_flight.is_empty() {
            self.log_suppressed();
            self.completions.send();
            return ControlFlow::Break(());
        }
        if self.in_flight.is_empty() || self.completions.due().is_some_and(|due| due <= now()) {
            self.completions.send();
        }
        ControlFlow::Continue(())
    }

    /// Waits for the next event.
    async fn next_event(&mut self) -> Event {
        let completions_due = self.completions.due();
        let wakeup = self.next_wakeup().into_iter().chain(completions_due).min();
        let mut finished = std::mem::take(&mut self.finished);
        let (in_flight, timer) = (&mut self.in_flight, &mut self.timer);
        let mut notified = pin!(self.shared.inbox.notified());
        let is_timeout = poll_fn(|cx| {
            while let Poll::Ready(request) = in_flight.poll_finished(cx) {
                finished.push(request);
            }
            if !finished.is_empty() || notified.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            match wakeup {
                Some(at) => timer.poll(at.into(), cx).map(|()| true),
                None => Poll::Pending,
            }
        })
        .await;
        if !finished.is_empty() {
            return Event::Finished(finished);
        }
        self.finished = finished;
        if is_timeout {
            Event::Timeout
        } else {
            Event::Notified
        }
    }

    fn apply_commands(&mut self) {
        let commands = *self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        self.deadline = commands.deadline;
        if commands.is_stopping && !self.is_stopping {
            self.is_stopping = true;
            self.defer_route("the run is stopping");
        }
        let Some(deadline) = self.deadline else {
            return;
        };
        if deadline <= now {
            self.defer_route("the run's deadline has passed");
            // The endpoint may have received these records. The next run sends them again, with the same key.
            for batch in self.in_flight.cancel() {
                self.defer(
                    batch,
                    "the request was cancelled at the run's deadline",
                    None,
                );
            }
        }
        let pause_end = self.policy.limiter.pause_end(now);
        if pause_end.is_some_and(|end| end >= deadline) {
            self.defer_route("the endpoint is paused until after the run's deadline");
        }
    }

    /// Moves arrived messages into the queue.
    fn accept_arrivals(&mut self) {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        self.shared.inbox.collect(&mut arrivals);
        if arrivals.flush || !arrivals.messages.is_empty() {
            self.flush = arrivals.flush;
        }
        let now = now();
        let mut revocations = arrivals.revocations.drain(..).peekable();
        for (position, message) in arrivals.messages.drain(..).enumerate() {
            while let Some((_, partition)) = revocations.next_if(|(before, _)| *before <= position)
            {
                self.revoke(partition);
            }
            self.accept(message, now);
        }
        for (_, partition) in revocations {
            self.revoke(partition);
        }
        arrivals.flush = false;
        self.arrivals = arrivals;
    }

    fn accept(&mut self, message: Message, now: Instant) {
        if let Some(reason) = self.deferred.clone() {
            self.defer_messages([message], &reason, 0, None);
        } else if message.value.is_none() && !self.accepts_tombstones {
            let outcome = DeliveryOutcome::Rejected {
                status: None,
                reason: "a tombstone has no value to deliver".to_owned(),
            };
            self.completions.push(message, outcome, None);
        } else if let Err(message) = self.queue.push(message, now) {
            self.defer_messages([message], BEHIND_DEFERRED, 0, None);
        }
    }

    fn revoke(&mut self, partition: i32) {
        let messages = self.queue.revoke(partition);
        self.defer_messages(messages, REVOKED, 0, None);
    }

    /// Sends as many requests as the limits allow.
    fn dispatch(&mut self) {
        while self.deferred.is_none() && self.has_capacity() {
            let now = now();
            let batch = match self.policy.limiter.admission(now) {
                Admission::Now => self.queue.take(now, self.flush),
                Admission::Probe => self.queue.take_probe(now),
                Admission::Paused(_) | Admission::RateLimited(_) | Admission::Blocked => return,
                Admission::GroupFailed => return self.defer_route(GROUP_FAILED),
            };
            let Some(batch) = batch else { return };
            self.send(batch, now);
        }
    }

    /// Whether another request can be in flight: within the number of requests, of records that a crash repeats, and of
    /// bytes of kept answers.
    fn has_capacity(&self) -> bool {
        let uncommitted =
            self.in_flight.records() + self.shared.uncommitted.load(Ordering::Acquire);
        self.in_flight.len() < self.max_in_flight
            && uncommitted + self.queue.batch_records() <= self.shared.max_uncommitted
            && self.shared.kept_answers.load(Ordering::Relaxed) < self.shared.max_kept_answers
    }

    fn send(&mut self, mut batch: Batch, now: Instant) {
        let partition = batch.partition();
        let mut request = loop {
            match self.requests.build(&batch.messages) {
                Ok(request) => break request,
                Err(invalid) => self.reject(&mut batch, invalid),
            }
            if batch.messages.is_empty() {
                self.queue.complete(batch.group, partition);
                return;
            }
        };
        let observation = self.observe(&batch, &mut request);
        batch.requests += 1;
        let permit = self.policy.limiter.acquire();
        let remaining = self.deadline.map_or(Duration::MAX, |deadline| {
            deadline.saturating_duration_since(now)
        });
        let timeout = self.request_timeout.min(remaining);
        self.in_flight
            .start(batch, permit, observation, &self.client, request, timeout);
    }

    /// Starts the observation of a request, which then has the observation's trace context.
    fn observe(
        &self,
        batch: &Batch,
        request: &mut PreparedRequest,
    ) -> Option<Box<dyn RequestObservation>> {
        let observation = self.observer.as_ref()?.on_request(&ObservedRequest {
            route: &self.name,
            url: self.client.url(),
            method: request.method(),
            messages: &batch.messages,
            is_batch: request.is_batch(),
            resends: batch.requests,
        })?;
        if let Some(traceparent) = observation.traceparent() {
            request.set_traceparent(traceparent);
        }
        Some(observation)
    }

    /// Rejects a record of which no request can be built.
    fn reject(&mut self, batch: &mut Batch, invalid: InvalidRecord) {
        let index = invalid.index.min(batch.messages.len() - 1);
        let message = batch.messages.remove(index);
        let outcome = DeliveryOutcome::Rejected {
            status: None,
            reason: invalid.reason,
        };
        self.completions.push(message, outcome, None);
    }

    /// When there is something to do without an event from outside. Sets how many arrivals cause a notification.
    fn next_wakeup(&mut self) -> Option<Instant> {
        let inbox = &self.shared.inbox;
        let now = now();
        let work = if self.deferred.is_some() {
            inbox.notify_at(1);
            None
        } else if !self.has_capacity() {
            None
        } else {
            match self.policy.limiter.admission(now) {
                Admission::Paused(until) => Some(until),
                Admission::Blocked | Admission::GroupFailed => None,
                admission => {
                    let is_waiting = !self.queue.is_empty();
                    inbox.notify_at(if is_waiting {
                        self.queue.batch_records()
                    } else {
                        1
                    });
                    match admission {
                        Admission::RateLimited(at) if is_waiting => Some(at),
                        // `dispatch` may have found the limit reached: then the next batch is due now.
                        _ => self.queue.next_due(now, self.flush),
                    }
                }
            }
        };
        let has_work = self.deferred.is_none() || !self.in_flight.is_empty();
        let deadline = self.deadline.filter(|_| has_work);
        work.into_iter().chain(deadline).min()
    }

    /// Makes the route's state visible to other threads.
    fn publish_state(&self) {
        *self.shared.not_before() = self.policy.limiter.not_before();
        self.publish_activity();
        let state = match &self.deferred {
            Some(reason) => RouteState::Deferred {
                reason: Arc::clone(reason),
            },
            None if self.policy.limiter.is_open(now()) => RouteState::Open,
            None => RouteState::Paused,
        };
        let is_open = state == RouteState::Open;
        if self.shared.replace_state(state).is_some() && is_open {
            info!(route = self.name, "the endpoint responds again");
        }
    }

    fn publish_activity(&self) {
        let mut activity = self.shared.activity();
        activity.requests_in_flight = self.in_flight.len();
        // The end of a run disables the circuit, which is about the run and not about the endpoint.
        if !self.is_stopping {
            let now = now();
            activity.circuit = self.policy.limiter.circuit_phase(now);
            activity.paused_until = self.policy.limiter.pause_end(now);
        }
    }

    /// Sends no more requests in this run and defers all queued messages. Requests in flight can finish.
    pub(super) fn defer_route(&mut self, reason: &str) {
        if self.deferred.is_some() {
            return;
        }
        if !self.is_stopping {
            let endpoint = self.client.url();
            warn!(route = self.name, %endpoint, reason, "route deferred: no more requests in this run");
        }
        self.deferred = Some(reason.into());
        self.policy.limiter.disable();
        for (message, attempts) in self.queue.drain() {
            self.defer_messages([message], reason, attempts, None);
        }
        // Immediately: the state should not be older than the completions.
        self.publish_state();
    }

    /// Defers the batch's messages, and with them all messages behind them in their group.
    /// `answer`: the response to its last request.
    pub(super) fn defer(&mut self, batch: Batch, reason: &str, answer: Option<&Arc<HeldAnswer>>) {
        let behind = self.queue.defer(&batch);
        self.defer_messages(batch.messages, reason, batch.requests, answer);
        self.defer_messages(behind, BEHIND_DEFERRED, 0, None);
    }

    fn defer_messages(
        &mut self,
        messages: impl IntoIterator<Item = Message>,
        reason: &str,
        attempts: u32,
        answer: Option<&Arc<HeldAnswer>>,
    ) {
        for message in messages {
            let reason = reason.to_owned();
            let outcome = DeliveryOutcome::Deferred { reason, attempts };
            let answer = answer.map(|answer| RecordAnswer::new(Arc::clone(answer), attempts));
            self.completions.push(message, outcome, answer);
        }
    }

    fn log_suppressed(&mut self) {
        for (_, not_logged) in self.warnings.take_suppressed() {
            warn!(route = self.name, not_logged, "more requests failed");
        }
    }
}
