//! The settings of a run.

use anyhow::Result;
use serde_json::json;

use super::{DEAD_LETTERS, GROUP, MAX_IN_FLIGHT, Runner, TOPIC};
use crate::faults::FaultyEndpoint;
use crate::job::Job;

/// The batch sizes of the routes.
const BATCH_SIZES: [usize; 4] = [1, 1, 8, 25];
/// The values of `ORDER`.
const ORDERS: [&str; 4] = ["none", "none", "key", "partition"];

impl Runner<'_> {
    /// Starts the job, with random batch sizes and order or with the first of each.
    pub(super) fn start_job(&mut self, random_settings: bool) -> Result<Job> {
        self.outcome.runs += 1;
        self.endpoints
            .iter_mut()
            .for_each(FaultyEndpoint::begin_run);
        let mut any = |choices: u64| match random_settings {
            true => self.rng.below(choices) as usize,
            false => 0,
        };
        let batches = [BATCH_SIZES[any(4)], BATCH_SIZES[any(4)]];
        let order = ORDERS[any(4)];
        self.max_records_in_flight = batches.iter().map(|batch| batch * MAX_IN_FLIGHT).sum();
        self.outcome.batched += usize::from(batches.iter().any(|batch| *batch > 1));
        let routes = self.logs.path().join("routes.json");
        let route = |endpoint: &FaultyEndpoint, id: i32, batch: usize| {
            json!({
                "name": endpoint.name(), "when": format!("id == {id}"), "url": endpoint.url(), "batch": batch,
            })
        };
        let [a, b] = &self.endpoints;
        let table = json!([route(a, 1010, batches[0]), route(b, 1020, batches[1])]);
        std::fs::write(&routes, table.to_string())?;
        let mut settings = self.settings();
        settings.push(("ROUTES".to_owned(), routes.display().to_string()));
        settings.push(("ORDER".to_owned(), order.to_owned()));
        let log = format!("{}.log", self.outcome.runs);
        Job::start(&self.plan.forward, &settings, self.logs.path().join(log))
    }

    fn settings(&self) -> Vec<(String, String)> {
        let in_flight = MAX_IN_FLIGHT.to_string();
        [
            ("KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap()),
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
            ("LOG_LEVEL", "debug"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }
}
