//! The answers of an endpoint that are kept: the final response for each record of a route that asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use http::{HeaderMap, HeaderName, StatusCode};
use runtime::redact;

use crate::route::RouteShared;

/// The bytes that a kept answer occupies beside its body and headers.
const OVERHEAD: usize = 512;

/// The least bytes of kept answers that a route may have for each request in flight: small answers do not slow it down.
const MIN_KEPT: usize = 4096;

/// Which answers of a route are kept, and how much of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerConfig {
    /// Answers with a status that means success are kept. Those to batches are kept also without it.
    pub keeps_success: bool,
    /// Other answers are kept.
    pub keeps_error: bool,
    /// The headers that are kept.
    pub headers: Vec<HeaderName>,
    /// The most bytes of the body that are kept.
    pub max_body: usize,
}

impl AnswerConfig {
    /// Whether answers with a status are kept. `is_accepted`: the status means success. One to a batch may report records
    /// as failed.
    pub(crate) fn keeps(&self, is_accepted: bool, is_batch: bool) -> bool {
        match is_accepted {
            true => self.keeps_success || is_batch,
            false => self.keeps_error,
        }
    }

    /// The bytes of kept answers from which on a route sends no further request.
    pub(crate) fn max_kept(&self, max_in_flight: usize) -> usize {
        (self.max_body + OVERHEAD)
            .max(MIN_KEPT)
            .saturating_mul(max_in_flight)
    }
}

/// One response of an endpoint, as far as its route keeps it. Secrets of this process are masked.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The kept headers in the order of the response, with names in lower case.
    pub headers: Vec<(HeaderName, String)>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// The body of the response is longer, or did not arrive completely.
    pub is_truncated: bool,
    /// The length of the whole body, if it is known.
    pub body_length: Option<u64>,
    /// When the response arrived.
    pub time: SystemTime,
}

impl Answer {
    /// `body`: what was read of it. `is_complete`: that is all of it.
    pub(crate) fn new(
        config: &AnswerConfig,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        is_complete: bool,
        body_length: Option<u64>,
    ) -> Self {
        let kept = &body[..body.len().min(config.max_body)];
        let is_truncated = !is_complete || kept.len() < body.len();
        let headers = headers
            .iter()
            .filter(|(name, _)| config.headers.contains(name))
            .map(|(name, value)| (name.clone(), redact::excerpt(value.as_bytes(), false)));
        Self {
            status: status.as_u16(),
            headers: headers.collect(),
            body: redact::mask_bytes(kept, is_truncated).into_owned(),
            is_truncated,
            body_length,
            time: SystemTime::now(),
        }
    }

    fn size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        OVERHEAD + self.body.len() + headers
    }
}

/// The final answer for one record. The records of a batch share the response.
#[derive(Clone, Debug)]
pub struct RecordAnswer {
    answer: Arc<HeldAnswer>,
    /// The number of requests sent with the record.
    pub attempts: u32,
}

impl RecordAnswer {
    pub(crate) fn new(answer: Arc<HeldAnswer>, attempts: u32) -> Self {
        Self { answer, attempts }
    }

    /// The response.
    pub fn answer(&self) -> &Answer {
        &self.answer.answer
    }
}

/// An answer that counts as kept by its route until it is dropped.
#[derive(Debug)]
pub(crate) struct HeldAnswer {
    answer: Answer,
    size: usize,
    route: Arc<RouteShared>,
}

impl HeldAnswer {
    pub(crate) fn new(answer: Answer, route: &Arc<RouteShared>) -> Self {
        let size = answer.size();
        route.kept_answers.fetch_add(size, Ordering::Relaxed);
        Self {
            answer,
            size,
            route: Arc::clone(route),
        }
    }
}

impl Drop for HeldAnswer {
    fn drop(&mut self) {
        let kept = self
            .route
            .kept_answers
            .fetch_sub(self.size, Ordering::Relaxed);
        // The worker sends no request while too much is kept.
        if kept >= self.route.max_kept_answers {
            self.route.inbox.notify();
        }
    }
}
