//! The connections of a server: their tasks, and which of them are idle.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};

/// How long a connection is idle before another may take its place. The request of a new connection arrives earlier.
const MIN_IDLE: Duration = Duration::from_millis(100);

/// The open connections of a server.
#[derive(Default)]
pub(crate) struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<Id, Arc<Connection>>,
    idle: Arc<Notify>,
}

/// What the server and the task of a connection share.
pub(crate) struct Connection {
    state: Mutex<State>,
    close: Notify,
    /// Notified when any connection of the server becomes idle.
    idle: Arc<Notify>,
}

struct State {
    /// Since when no request is in flight; `None` while one is.
    idle_since: Option<Instant>,
    is_closing: bool,
}

/// A request in flight. Dropping it makes the connection idle.
pub(crate) struct RequestInFlight(Arc<Connection>);

impl Connections {
    /// Runs the task of a new connection.
    pub(crate) fn spawn<F>(&mut self, task: impl FnOnce(Arc<Connection>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let connection = Arc::new(Connection {
            state: Mutex::new(State {
                idle_since: Some(Instant::now()),
                is_closing: false,
            }),
            close: Notify::new(),
            idle: Arc::clone(&self.idle),
        });
        let handle = self.tasks.spawn(task(Arc::clone(&connection)));
        self.open.insert(handle.id(), connection);
    }

    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until a connection is closed. It does not return if there is none.
    pub(crate) async fn closed(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => self.open.remove(&id),
            Some(Err(error)) => self.open.remove(&error.id()),
            None => std::future::pending().await,
        };
    }

    /// Waits until there are fewer than `max` connections. Closes the one that has been idle for longest, as soon as it
    /// has been idle for [`MIN_IDLE`].
    pub(crate) async fn make_room(&mut self, max: usize) {
        let idle = Arc::clone(&self.idle);
        while self.len() >= max {
            let wait = match self.longest_idle() {
                Some((since, connection)) => {
                    let wait = MIN_IDLE.saturating_sub(since.elapsed());
                    if wait.is_zero() {
                        connection.close();
                        // Its peer may not read the last response. Then another connection is closed.
                        MIN_IDLE
                    } else {
                        wait
                    }
                }
                None => Duration::MAX,
            };
            tokio::select! {
                () = self.closed() => {}
                () = idle.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn longest_idle(&self) -> Option<(Instant, &Connection)> {
        self.open
            .values()
            .filter_map(|connection| Some((connection.idle_since()?, &**connection)))
            .min_by_key(|(since, _)| *since)
    }

    /// Closes every connection, those with a request in flight after its response.
    pub(crate) fn close_all(&self) {
        self.open.values().for_each(|connection| connection.close());
    }
}

impl Connection {
    /// Marks the start of a request.
    pub(crate) fn begin(self: &Arc<Self>) -> RequestInFlight {
        self.state().idle_since = None;
        RequestInFlight(Arc::clone(self))
    }

    /// Waits until the server closes this connection.
    pub(crate) async fn closing(&self) {
        self.close.notified().await;
    }

    /// Since when the connection is idle. `None` if it is not, or is being closed.
    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        state.idle_since.filter(|_| !state.is_closing)
    }

    fn close(&self) {
        self.state().is_closing = true;
        self.close.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.state().idle_since = Some(Instant::now());
        self.0.idle.notify_one();
    }
}
