//! A schema registry with injected faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use serde_json::{Value, json};
use testkit::endpoint::{Answer, Endpoint, Request};

use crate::framed::Writer;
use crate::rng::Rng;

/// The subject's versions. The job requests every other schema by its id.
const VERSIONS: [Writer; 2] = [Writer::Same, Writer::Added];

/// The fault of the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RegistryFault {
    /// No fault.
    None,
    /// New connections are refused, open connections are reset.
    Refuse,
    /// No response.
    Hang,
    /// Half of the responses are 500 or 503.
    Unreliable,
}

impl RegistryFault {
    /// A random fault.
    pub(crate) fn random(rng: &mut Rng) -> Self {
        [Self::None, Self::Refuse, Self::Hang, Self::Unreliable][rng.below(4) as usize]
    }

    /// Whether no request is answered.
    pub(crate) fn is_down(self) -> bool {
        matches!(self, Self::Refuse | Self::Hang)
    }
}

struct State {
    fault: RegistryFault,
    has_failed: bool,
    rng: Rng,
}

/// A registry with the API of Confluent's.
pub(crate) struct FaultyRegistry {
    endpoint: Endpoint,
    state: Arc<Mutex<State>>,
}

impl FaultyRegistry {
    /// Starts a registry without a fault. `topic`: the topic of the subject.
    pub(crate) fn start(topic: &str, seed: u64) -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            fault: RegistryFault::None,
            has_failed: false,
            rng: Rng::new(seed),
        }));
        let shared = Arc::clone(&state);
        let versions = format!("/subjects/{topic}-value/versions");
        let endpoint = Endpoint::start(move |request| {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let failure = failure(&mut state);
            state.has_failed |= failure.is_some();
            failure.unwrap_or_else(|| answer(request, &versions))
        })?;
        Ok(Self { endpoint, state })
    }

    /// The registry's URL.
    pub(crate) fn url(&self) -> String {
        self.endpoint.url()
    }

    /// The current fault.
    pub(crate) fn fault(&self) -> RegistryFault {
        self.state().fault
    }

    /// Sets the fault.
    pub(crate) fn inject(&self, fault: RegistryFault) {
        self.endpoint
            .refuse_connections(fault == RegistryFault::Refuse);
        let mut state = self.state();
        state.fault = fault;
        state.has_failed |= fault == RegistryFault::Refuse;
    }

    /// A run begins.
    pub(crate) fn begin_run(&self) {
        let mut state = self.state();
        state.has_failed = state.fault == RegistryFault::Refuse;
    }

    /// Whether a request of the run has failed, or connections were refused.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(state: &mut State) -> Option<Answer> {
    match state.fault {
        RegistryFault::None | RegistryFault::Refuse => None,
        RegistryFault::Hang => Some(Answer::hang()),
        RegistryFault::Unreliable => {
            let status = [500, 503][state.rng.below(2) as usize];
            state.rng.percent(50).then(|| Answer::status(status))
        }
    }
}

fn answer(request: &Request, versions: &str) -> Answer {
    let path = request.target.split('?').next().unwrap_or_default();
    if path == versions {
        let numbers: Vec<usize> = (1..=VERSIONS.len()).collect();
        return Answer::ok().body(json!(numbers).to_string());
    }
    if let Some(number) = path
        .strip_prefix(versions)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        let number = number.parse::<usize>().unwrap_or_default();
        let writer = number.checked_sub(1).and_then(|index| VERSIONS.get(index));
        return schema(writer.copied(), 40402);
    }
    let id = path.strip_prefix("/schemas/ids/");
    let id = id.and_then(|id| id.parse::<u32>().ok());
    let writer = Writer::ALL
        .into_iter()
        .find(|writer| Some(writer.id()) == id);
    schema(writer, 40403)
}

/// The schema of this writer; otherwise 404 with this error code.
fn schema(writer: Option<Writer>, error_code: u32) -> Answer {
    let found = writer.and_then(|writer| Some((writer, writer.schema()?)));
    let (status, body): (u16, Value) = match found {
        Some((writer, schema)) => (
            200,
            json!({"id": writer.id(), "version": 1, "schema": schema}),
        ),
        None => (
            404,
            json!({"error_code": error_code, "message": "not found"}),
        ),
    };
    Answer::status(status).body(body.to_string())
}
