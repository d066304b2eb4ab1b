//! A request whose body is not read yet: authenticates its caller and reads the body within its limit.

use std::error::Error;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use caller_auth::{Admission, CallerAuth};
use http::Request;
use http::request::Parts;
use http_body::Body;
use http_server::body;
use http_server::problem::Problem;

use super::call::Call;
use super::memory::Reservation;
use super::respond;
use crate::metrics::IngestMetrics;

/// A request whose body is read on demand.
pub(super) struct IncomingRequest<'a, B> {
    pub(super) head: Parts,
    pub(super) call: &'a Call,
    /// The memory for the body and what is made of it.
    pub(super) memory: Reservation<'a>,
    body: B,
    /// The body, if the signature over it was verified.
    received: Option<Bytes>,
    max_body: usize,
    deadline: Option<tokio::time::Instant>,
    metrics: Option<&'a IngestMetrics>,
}

impl<'a, B> IncomingRequest<'a, B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A request whose body may have `max_body` bytes.
    pub(super) fn new(
        request: Request<B>,
        call: &'a Call,
        max_body: usize,
        memory: Reservation<'a>,
    ) -> Self {
        let (head, body) = request.into_parts();
        Self {
            head,
            call,
            memory,
            body,
            received: None,
            max_body,
            deadline: call.body_deadline(Instant::now()).map(Into::into),
            metrics: None,
        }
    }

    /// Measures the body.
    pub(super) fn with_metrics(self, metrics: Option<&'a IngestMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Checks that the caller may send the request. A signature covers the body as it was sent, so the body of a signed
    /// request is read here.
    ///
    /// # Errors
    /// The caller is refused; or the body of a signed request cannot be read. The rest of the body is discarded.
    pub(super) async fn authenticate(&mut self, callers: &CallerAuth) -> Result<(), Problem> {
        let result = self.check_caller(callers).await;
        if result.is_err() {
            self.discard().await;
        }
        result
    }

    async fn check_caller(&mut self, callers: &CallerAuth) -> Result<(), Problem> {
        match callers.admit(&self.head, SystemTime::now()).await? {
            Admission::Admitted => Ok(()),
            Admission::Signed(request) => {
                let body = self.body().await?;
                request.verify(&body)?;
                self.received = Some(body);
                Ok(())
            }
        }
    }

    /// The body, as the host received it.
    ///
    /// # Errors
    /// The body is too large, incomplete or late, or there is no memory for it.
    pub(super) async fn body(&mut self) -> Result<Bytes, Problem> {
        if let Some(received) = self.received.take() {
            return Ok(received);
        }
        let max = self.max_body;
        let length = self.body.size_hint().exact();
        let length = length.map_or(max, |length| {
            usize::try_from(length).unwrap_or(max).min(max)
        });
        // Twice the body: for its buffer, which grows in steps, or later for the Kafka client's copy.
        if !self.memory.wait_for(2 * length, self.call.deadline).await {
            return Err(respond::out_of_memory());
        }
        let bytes = body::read(&mut self.body, &self.head.headers, max, self.deadline).await?;
        self.memory.resize(2 * bytes.len());
        if let Some(metrics) = self.metrics {
            metrics.body_read(bytes.len());
        }
        Ok(bytes)
    }

    /// Reads the rest of a rejected body and drops it, so that the client receives the response.
    pub(super) async fn discard(&mut self) {
        body::discard(&mut self.body, self.call.max_discard, self.deadline).await;
    }
}
