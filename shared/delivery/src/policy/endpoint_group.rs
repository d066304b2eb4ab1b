//! What routes to the same endpoint share: a circuit breaker for its connections, and the pause of a 429.
//!
//! Only what is about the host and the credentials is shared. A status other than 429, or a timeout, can be about the path of
//! one route, and must not stop the others: each route has a circuit breaker of its own for these.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::circuit::{Circuit, CircuitPermit, CircuitSettings, CircuitState};
use super::pause::RequestedPause;
use crate::route::RouteShared;

/// The shared state of the routes to one endpoint.
#[derive(Debug)]
pub(crate) struct EndpointGroup {
    health: Mutex<EndpointHealth>,
    /// The routes. They are notified when the outcome of a probe is known.
    routes: Vec<Arc<RouteShared>>,
}

#[derive(Debug)]
pub(crate) struct EndpointHealth {
    pub(crate) circuit: Circuit,
    pub(crate) pause: RequestedPause,
}

/// What the outcome of a request says about the endpoint of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reachability {
    /// A response arrived.
    Responds,
    /// No connection.
    Unreachable,
    /// No response: the host or the path.
    Unknown,
}

impl EndpointGroup {
    /// A group whose circuit is closed.
    pub(crate) fn new(circuit: CircuitSettings, routes: Vec<Arc<RouteShared>>) -> Self {
        let health = EndpointHealth {
            circuit: Circuit::new(circuit),
            pause: RequestedPause::default(),
        };
        Self {
            health: Mutex::new(health),
            routes,
        }
    }

    /// The state, locked.
    pub(crate) fn lock(&self) -> MutexGuard<'_, EndpointHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the outcome of a request.
    pub(crate) fn record(&self, permit: CircuitPermit, reachability: Reachability, now: Instant) {
        let is_changed = {
            let circuit = &mut self.lock().circuit;
            let before = circuit.state(now);
            match reachability {
                Reachability::Responds => circuit.record_success(permit),
                Reachability::Unreachable => {
                    circuit.record_failure(permit, now);
                }
                Reachability::Unknown => circuit.record_unknown(permit, now),
            }
            before != circuit.state(now) && before == CircuitState::Probing
        };
        if is_changed {
            self.routes.iter().for_each(|route| route.inbox.notify());
        }
    }
}
