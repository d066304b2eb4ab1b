//! Endpoints with injected faults, and the records that they received.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use testkit::endpoint::{Endpoint, Request};

use crate::answers::{CUT_SHORT, answer};
use crate::body::{Body, Item};
use crate::checker::Received;
use crate::rng::Rng;

/// The fault that an endpoint injects into most of its responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault: 200 without delay.
    None,
    /// 200 after up to 60 ms.
    Slow,
    /// 200 after 100 to 500 ms.
    VerySlow,
    /// 4xx and 5xx with the request's Authorization header in body and headers.
    EchoToken,
    /// No response.
    Hang,
    /// New connections are refused, open connections are reset.
    Refuse,
    /// The request is read, then the connection is reset.
    Reset,
    /// 200, then a reset in the middle of the body.
    CutShort,
    /// Some responses are 4xx.
    ClientError,
    /// Some responses are 302.
    Redirect,
    /// 429 with Retry-After.
    Throttle,
    /// 500, 502, 503 or 504, with Retry-After as a date.
    ServerError,
}

impl Fault {
    /// The faults that occur at random.
    const ALL: [Self; 10] = [
        Self::None,
        Self::Slow,
        Self::Hang,
        Self::Refuse,
        Self::Reset,
        Self::CutShort,
        Self::ClientError,
        Self::Redirect,
        Self::Throttle,
        Self::ServerError,
    ];

    /// A random fault; [`None`](Self::None) at least half of the time.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        if rng.percent(50) {
            Self::None
        } else {
            Self::ALL[rng.below(Self::ALL.len() as u64) as usize]
        }
    }

    /// Whether every record that the endpoint may accept is accepted.
    pub(crate) fn accepts_all(self) -> bool {
        matches!(self, Self::None | Self::Slow | Self::VerySlow)
    }
}

/// What determines the next response.
struct State {
    fault: Fault,
    /// Every record is accepted, unless the fault prevents it.
    is_repaired: bool,
    rng: Rng,
}

/// An endpoint that injects faults.
pub(crate) struct FaultyEndpoint {
    name: &'static str,
    endpoint: Endpoint,
    state: Arc<Mutex<State>>,
    /// For each run, the number of requests before it started.
    runs: Vec<usize>,
}

impl FaultyEndpoint {
    /// Starts an endpoint without a fault.
    pub(crate) fn start(name: &'static str, seed: u64) -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            fault: Fault::None,
            is_repaired: false,
            rng: Rng::new(seed),
        }));
        let shared = Arc::clone(&state);
        let endpoint = Endpoint::start(move |request| {
            let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let State {
                fault,
                is_repaired,
                rng,
            } = &mut *shared;
            answer(request, *fault, *is_repaired, rng)
        })?;
        Ok(Self {
            name,
            endpoint,
            state,
            runs: Vec::new(),
        })
    }

    /// The name of the route to this endpoint.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The endpoint's URL.
    pub(crate) fn url(&self) -> String {
        self.endpoint.url()
    }

    /// The number of requests so far.
    pub(crate) fn count(&self) -> usize {
        self.endpoint.count()
    }

    /// Assigns the following requests to a new run.
    pub(crate) fn begin_run(&mut self) {
        self.runs.push(self.count());
    }

    /// The current fault.
    pub(crate) fn fault(&self) -> Fault {
        self.state().fault
    }

    /// Sets the fault for the following responses.
    pub(crate) fn inject(&self, fault: Fault) {
        self.endpoint.refuse_connections(fault == Fault::Refuse);
        self.state().fault = fault;
    }

    /// From now on, accepts the records that it has rejected because of their names, or not; other faults remain.
    pub(crate) fn repair(&self, is_repaired: bool) {
        self.state().is_repaired = is_repaired;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All records of all requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.endpoint
            .requests()
            .iter()
            .flat_map(|request| self.records_of(request))
            .collect()
    }

    fn records_of(&self, request: &Request) -> Vec<Received> {
        let cut_short = request.answered == Some(CUT_SHORT);
        let accepted = request
            .answered
            .is_some_and(|status| (200..300).contains(&status));
        let rejected = matches!(request.answered, Some(400 | 413 | 422));
        let has_started = |count: &usize| *count <= request.number;
        let run = self.runs.partition_point(has_started).saturating_sub(1);
        let body = Body::read(request);
        let (form, names_schema, items) = match body {
            Some(body) => (Some(body.form), body.names_schema, body.items),
            // The checker reports these bytes as not valid.
            None => {
                let item = Item {
                    datum: request.body.to_vec(),
                    key: String::new(),
                    place: None,
                };
                (None, false, vec![item])
            }
        };
        // A rejected batch is split and sent again: it is not a rejection of one of its records.
        let is_single = items.len() == 1;
        let received = |item: Item| Received {
            route: self.name,
            form,
            datum: item.datum,
            key: item.key,
            place: item.place,
            run,
            accepted,
            rejected: rejected && is_single,
            names_schema,
            cut_short,
        };
        items.into_iter().map(received).collect()
    }
}
