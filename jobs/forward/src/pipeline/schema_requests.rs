//! The schemas that are requested from the registry, and the partitions that wait for them.

use std::collections::{BTreeSet, HashSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use writer_schemas::SchemaRef;

use crate::schema_fetcher::{SchemaAnswer, SchemaFetcher};

/// How long the registry is not asked again for a schema that it does not have.
const UNKNOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// The requests of one run.
pub(super) struct SchemaRequests {
    /// Absent without a registry.
    fetcher: Option<SchemaFetcher>,
    answers: (Sender<SchemaAnswer>, Receiver<SchemaAnswer>),
    in_flight: HashSet<SchemaRef>,
    /// The partitions whose next record waits for a schema.
    waiting: BTreeSet<i32>,
    /// Since when the oldest reference is known to be unknown.
    unknown_since: Option<Instant>,
}

impl SchemaRequests {
    pub(super) fn new(fetcher: Option<SchemaFetcher>) -> Self {
        Self {
            fetcher,
            answers: channel(),
            in_flight: HashSet::new(),
            waiting: BTreeSet::new(),
            unknown_since: None,
        }
    }

    /// Requests a schema, unless it is requested already. The partition waits for it.
    pub(super) fn request(&mut self, reference: SchemaRef, partition: i32) {
        self.waiting.insert(partition);
        if let Some(fetcher) = &self.fetcher
            && self.in_flight.insert(reference)
        {
            fetcher.request(reference, self.answers.0.clone());
        }
    }

    /// True while a partition waits for a schema.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// An answer that has arrived.
    #[inline]
    pub(super) fn next_answer(&self) -> Option<SchemaAnswer> {
        match self.in_flight.is_empty() {
            true => None,
            false => self.answers.1.try_recv().ok(),
        }
    }

    /// The request is answered. Returns the partitions that waited for any schema: those whose schema is still missing wait
    /// again.
    pub(super) fn on_answer(&mut self, reference: SchemaRef) -> BTreeSet<i32> {
        self.in_flight.remove(&reference);
        std::mem::take(&mut self.waiting)
    }

    /// The registry does not have a schema.
    pub(super) fn on_unknown(&mut self, now: Instant) {
        self.unknown_since.get_or_insert(now);
    }

    /// True once when unknown schemas may be requested again.
    pub(super) fn is_unknown_outdated(&mut self, now: Instant) -> bool {
        self.unknown_since
            .take_if(|since| now.saturating_duration_since(*since) >= UNKNOWN_TIMEOUT)
            .is_some()
    }
}
