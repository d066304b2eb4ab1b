//! The idle connections that routes to one endpoint share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stream::DetachedStream;

/// Idle connections of a group of routes with the same endpoint, TLS configuration and proxy.
///
/// A worker keeps its connections for itself as long as it has requests in flight, and puts them here when it has none.
/// A route opens a connection only if there is no idle one, so that all routes together have at most as many as they can
/// have requests in flight.
#[derive(Debug)]
pub(crate) struct IdlePool {
    /// The one used last at the end.
    streams: Mutex<Vec<DetachedStream>>,
    max: usize,
}

impl IdlePool {
    /// `max`: how many idle connections are kept.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            streams: Mutex::default(),
            max,
        }
    }

    /// Adds a connection; closes it if there are enough.
    pub(super) fn put(&self, stream: DetachedStream) {
        let mut streams = self.lock();
        if streams.len() < self.max {
            streams.push(stream);
        }
    }

    /// A connection that the endpoint has not closed.
    pub(super) fn take(&self) -> Option<DetachedStream> {
        let mut streams = self.lock();
        std::iter::from_fn(|| streams.pop()).find(DetachedStream::is_idle)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<DetachedStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
