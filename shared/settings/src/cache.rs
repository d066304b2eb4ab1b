//! Contents that were read: each location once in a round, and the last successful read of each.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tracing::warn;

use crate::content::{Content, ContentError, ContentSource};

/// A result that is computed once; concurrent callers wait for it.
pub(crate) type Once<T> = Arc<OnceCell<Result<T, ContentError>>>;

/// The contents of one store.
pub(crate) struct Cache<L, C = Content> {
    round: Mutex<HashMap<L, Once<C>>>,
    last_good: Mutex<HashMap<L, C>>,
}

impl<L, C> Default for Cache<L, C> {
    fn default() -> Self {
        Self {
            round: Mutex::default(),
            last_good: Mutex::default(),
        }
    }
}

impl<L: Clone + Eq + Hash + Display, C: Clone> Cache<L, C> {
    /// Reads a location, once in a round. If that fails and an earlier round has read it, the earlier content is
    /// returned and a warning is logged.
    pub(crate) async fn read(
        &self,
        source: &impl ContentSource<L, C>,
        location: &L,
    ) -> Result<C, ContentError> {
        let slot = self.slot(location);
        let last = self.last(location);
        let content =
            slot.get_or_init(
                async || match (source.read(location, last.clone()).await, last) {
                    (Ok(content), _) => {
                        lock(&self.last_good).insert(location.clone(), content.clone());
                        Ok(content)
                    }
                    (Err(error), Some(last)) => {
                        warn!(%location, error = error.reason, "refresh failed, last value kept");
                        Ok(last)
                    }
                    (Err(error), None) => Err(error),
                },
            );
        content.await.clone()
    }

    /// The result of this round, if the location was read.
    pub(crate) fn peek(&self, location: &L) -> Option<Result<C, ContentError>> {
        self.slot(location).get().cloned()
    }

    /// The content that the last successful read returned.
    pub(crate) fn last(&self, location: &L) -> Option<C> {
        lock(&self.last_good).get(location).cloned()
    }

    /// Starts a round: every location is read again.
    pub(crate) fn begin_round(&self) {
        lock(&self.round).clear();
    }

    fn slot(&self, location: &L) -> Once<C> {
        Arc::clone(lock(&self.round).entry(location.clone()).or_default())
    }
}

/// Locks; a panic of another thread leaves nothing half changed here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
