//! What the routes do at the moment.

use delivery::CircuitPhase;

use super::definitions::{BUFFERED, CIRCUIT, IN_FLIGHT, Sample};
use crate::pipeline::Pipeline;

/// What a route does at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LiveRoute {
    route: String,
    requests_in_flight: usize,
    buffered: usize,
    circuit: CircuitPhase,
}

/// What the routes with these names do.
pub(super) fn of_pipeline(pipeline: &Pipeline<'_>, names: &[&str]) -> Vec<LiveRoute> {
    let Some(delivery) = pipeline.delivery() else {
        return Vec::new();
    };
    let routes = names.iter().enumerate().map(|(index, name)| {
        let activity = delivery.activity(index);
        LiveRoute {
            route: (*name).to_owned(),
            requests_in_flight: activity.requests_in_flight,
            buffered: delivery.buffered(index),
            circuit: activity.circuit,
        }
    });
    routes.collect()
}

impl LiveRoute {
    /// The window has ended. The circuit stays as it was.
    pub(super) fn end(&mut self) {
        (self.requests_in_flight, self.buffered) = (0, 0);
    }

    /// The metrics.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let route = self.route.as_str();
        let states = [
            CircuitPhase::Closed,
            CircuitPhase::HalfOpen,
            CircuitPhase::Open,
        ];
        let states = states.map(|state| {
            let is_current = u8::from(state == self.circuit);
            CIRCUIT.sample([route, state.name()], f64::from(is_current))
        });
        let counts = [
            IN_FLIGHT.sample([route], self.requests_in_flight as f64),
            BUFFERED.sample([route], self.buffered as f64),
        ];
        counts.into_iter().chain(states).collect()
    }
}
