//! The settings of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::{ACCEPTED, DEAD_LETTERS, GROUP, MAX_IN_FLIGHT, REFUSED, Runner, TOPIC};
use crate::canary;
use crate::checker::ROUTE_WITH_ANSWERS;
use crate::faults::FaultyEndpoint;
use crate::form::Form;
use crate::job::Job;
use crate::stretch::Stretch;

/// The values of `ORDER`.
const ORDERS: [&str; 4] = ["none", "none", "key", "partition"];

impl Runner<'_> {
    /// Starts a command of the job, with random forms, batch sizes and order and the settings of the stretch; without a
    /// stretch, with datums and without order. `more` are further settings.
    pub(super) fn start_job(
        &mut self,
        command: &[&str],
        stretch: Option<Stretch>,
        more: &[(&str, &str)],
    ) -> Result<Job> {
        self.outcome.runs += 1;
        self.endpoints
            .iter_mut()
            .for_each(FaultyEndpoint::begin_run);
        self.registry.begin_run();
        // Route A has each form in turn, so that all occur.
        let turn = self.outcome.runs % Form::ALL.len();
        let mut any = |choices: u64| match stretch {
            Some(_) => self.rng.below(choices) as usize,
            None => 0,
        };
        let forms = match stretch {
            Some(_) => [Form::ALL[turn], Form::ALL[any(8)]],
            None => [Form::Datum; 2],
        };
        let order = ORDERS[any(4)];
        let envelope = any(4) == 3;
        let deadline = format!("{}s", 2 + any(4));
        let batches = forms.map(|form| form.batch(&mut self.rng));
        self.is_independent = batches == [1, 1] && order == "none";
        self.max_records_in_flight = batches.iter().map(|batch| batch * MAX_IN_FLIGHT).sum();
        self.outcome.batched += usize::from(batches.iter().any(|batch| *batch > 1));
        let routes = self.logs.path().join("routes.json");
        std::fs::write(&routes, self.routes(forms, batches).to_string())?;
        let bootstrap = self.bootstrap();
        let mut settings = base_settings(&bootstrap);
        let mut set = |name: &str, value: &str| {
            settings.insert(name.to_owned(), value.to_owned());
        };
        set("ROUTES", &routes.display().to_string());
        set("ORDER", order);
        set("SCHEMA_REGISTRY_URL", &self.registry.url());
        if envelope {
            set("DEAD_LETTER_ENVELOPE", "true");
        }
        match stretch {
            Some(Stretch::Deadline) => {
                set("DEADLINE", &deadline);
                set("SHUTDOWN_TIMEOUT", "1s");
                set("REQUEST_TIMEOUT", "2s");
            }
            // A busy machine must not turn a slow response into a timeout.
            Some(Stretch::SlowEndpoint) => set("REQUEST_TIMEOUT", "2s"),
            Some(Stretch::FailingRegistry) => set("SCHEMA_REGISTRY_TIMEOUT", "1s"),
            _ => {}
        }
        for (name, value) in more {
            set(name, value);
        }
        Job::start(&self.plan.forward, command, &settings, self.log("log"))
    }

    /// A file of the current run.
    pub(super) fn log(&self, extension: &str) -> PathBuf {
        let name = format!("run-{}.{extension}", self.outcome.runs);
        self.logs.path().join(name)
    }

    /// The bootstrap servers of the current stretch.
    pub(super) fn bootstrap(&self) -> String {
        let live = self.kafka.bootstrap();
        match &self.dead_broker {
            Some(dead) => format!("{dead},{live}"),
            None => live.to_owned(),
        }
    }

    fn routes(&self, forms: [Form; 2], batches: [usize; 2]) -> serde_json::Value {
        let [a, b] = &self.endpoints;
        let routes = [(a, 1010, 0), (b, 1020, 1)].map(|(endpoint, id, index)| {
            let mut route = json!({
                "name": endpoint.name(), "when": format!("id == {id}"), "url": endpoint.url(),
                "auth": {"bearer": canary::SECRETS[index]}, "format": forms[index].format(),
                "batch": batches[index],
            });
            if endpoint.name() == ROUTE_WITH_ANSWERS {
                // An endpoint repeats the token in these headers.
                route["answers"] = json!({
                    "success_topic": ACCEPTED, "error_topic": REFUSED, "headers": ["Location", "X-Received"],
                });
            }
            route
        });
        json!({"version": 1, "routes": routes})
    }
}

fn base_settings(bootstrap: &str) -> BTreeMap<String, String> {
    let in_flight = MAX_IN_FLIGHT.to_string();
    [
        ("KAFKA_BOOTSTRAP_SERVERS", bootstrap),
        ("KAFKA_TOPIC", TOPIC),
        ("KAFKA_GROUP_ID", GROUP),
        ("DEAD_LETTER_TOPIC", DEAD_LETTERS),
        ("MAX_IN_FLIGHT", &in_flight),
        ("MAX_UNCOMMITTED", &in_flight),
        ("REQUEST_TIMEOUT", "1s"),
        ("MAX_ATTEMPTS", "4"),
        ("BACKOFF_INITIAL", "10ms"),
        ("BACKOFF_MAX", "100ms"),
        ("CIRCUIT_COOL_DOWN", "50ms"),
        ("DEADLINE", "20s"),
        ("SHUTDOWN_TIMEOUT", "2s"),
        ("DEAD_LETTER_MAX_RATIO", "1"),
        ("SCHEMA_REGISTRY_TIMEOUT", "5s"),
        ("LOG_LEVEL", "debug"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}
