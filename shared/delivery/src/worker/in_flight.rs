//! The requests in flight, their batches, and the connections between two requests.

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::observer::{RequestEnd, RequestObservation};
use crate::outcome::RequestOutcome;
use crate::policy::Permit;
use crate::queue::Batch;
use crate::request::PreparedRequest;
use crate::transport::{ConnectionSlot, EndpointClient};

/// The requests in flight of one route.
#[derive(Default)]
pub(super) struct InFlight {
    requests: FuturesUnordered<LocalBoxFuture<'static, FinishedRequest>>,
    /// The batches, by the number of their request. They outlive a request that is cancelled.
    batches: Vec<Option<SentBatch>>,
    /// Positions in `batches` that are empty.
    free: Vec<usize>,
    records: usize,
    /// Open connections without a request, the one used last at the end.
    idle: Vec<ConnectionSlot>,
}

/// A batch whose request is in flight.
struct SentBatch {
    batch: Batch,
    permit: Permit,
    observation: Option<Box<dyn RequestObservation>>,
}

/// A request with its outcome.
pub(super) struct FinishedRequest {
    number: usize,
    slot: ConnectionSlot,
    outcome: RequestOutcome,
}

impl InFlight {
    /// The number of requests.
    pub(super) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The number of records in the requests.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Starts a request.
    pub(super) fn start(
        &mut self,
        batch: Batch,
        permit: Permit,
        observation: Option<Box<dyn RequestObservation>>,
        client: &Rc<EndpointClient>,
        request: PreparedRequest,
        timeout: Duration,
    ) {
        self.records += batch.messages.len();
        let number = self.free.pop().unwrap_or_else(|| {
            self.batches.push(None);
            self.batches.len() - 1
        });
        if let Some(place) = self.batches.get_mut(number) {
            *place = Some(SentBatch {
                batch,
                permit,
                observation,
            });
        }
        let mut slot = self.idle.pop().unwrap_or_default();
        let client = Rc::clone(client);
        self.requests.push(Box::pin(async move {
            let outcome = client.send(&mut slot, &request, timeout).await;
            FinishedRequest {
                number,
                slot,
                outcome,
            }
        }));
    }

    /// The next request that has finished; pending if there is none.
    pub(super) fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<FinishedRequest> {
        match self.requests.poll_next_unpin(cx) {
            Poll::Ready(Some(finished)) => Poll::Ready(finished),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Removes the batch of a finished request, ends its observation and keeps its connection. `None`: it was cancelled.
    pub(super) fn finish(
        &mut self,
        finished: FinishedRequest,
    ) -> Option<(Batch, Permit, RequestOutcome)> {
        if finished.slot.is_connected() {
            self.idle.push(finished.slot);
        }
        let place = self.batches.get_mut(finished.number)?;
        let SentBatch {
            batch,
            permit,
            observation,
        } = place.take()?;
        if let Some(observation) = observation {
            observation.on_end(match &finished.outcome {
                RequestOutcome::Answered(response) => {
                    RequestEnd::Response(response.status.as_u16())
                }
                RequestOutcome::TimedOut => RequestEnd::Timeout,
                RequestOutcome::Failed(_) => RequestEnd::ConnectionError,
            });
        }
        self.records -= batch.messages.len();
        self.free.push(finished.number);
        Some((batch, permit, finished.outcome))
    }

    /// Leaves the idle connections to other routes.
    pub(super) fn leave_idle(&mut self, client: &EndpointClient) {
        client.leave_idle(&mut self.idle);
    }

    /// Cancels all requests and returns their batches.
    pub(super) fn cancel(&mut self) -> Vec<Batch> {
        self.requests.clear();
        self.records = 0;
        self.free.clear();
        std::mem::take(&mut self.batches)
            .into_iter()
            .flatten()
            .map(|sent| sent.batch)
            .collect()
    }
}
