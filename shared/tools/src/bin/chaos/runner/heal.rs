//! The runs without faults at the end.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{CONCURRENT_RUN, MAX_ATTEMPTS_TO_HEAL, Runner};
use crate::checker::Run;
use crate::faults::{Fault, FaultyEndpoint};
use crate::job::RunResult;
use crate::registry::RegistryFault;

impl Runner<'_> {
    /// Removes all faults.
    pub(super) async fn heal(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down.take() {
            self.kafka.restart(broker).await?;
        }
        for endpoint in &self.endpoints {
            endpoint.inject(Fault::None);
        }
        self.registry.inject(RegistryFault::None);
        self.dead_broker = None;
        Ok(())
    }

    /// Runs the job with these settings until no record is left, except those that are never accepted.
    pub(super) async fn run_to_the_end(&mut self, settings: &[(&str, &str)]) -> Result<()> {
        let mut code = None;
        for _ in 0..MAX_ATTEMPTS_TO_HEAL {
            let result = self.run_once(settings).await?;
            let is_complete = match result.code {
                Some(0 | 10) => true,
                // Without GIVE_UP_AFTER each run defers the records that are never accepted.
                Some(11) if !self.gives_up => {
                    let deferred = result.report.as_ref();
                    let deferred =
                        deferred.and_then(|report| report["totals"]["deferred"].as_u64());
                    deferred == Some(self.outcome.never_accepted as u64)
                }
                _ => false,
            };
            code = result.code;
            self.count(result)?;
            if is_complete {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "without faults the last of {MAX_ATTEMPTS_TO_HEAL} runs ended with {code:?}; its log: {}",
            self.last_log()?
        )
    }

    /// Runs the job once without faults. Both routes must make progress.
    pub(super) async fn run_once(&mut self, settings: &[(&str, &str)]) -> Result<RunResult> {
        let acknowledged = self.acknowledged.len();
        let mut settings = settings.to_vec();
        if self.gives_up {
            settings.push(("GIVE_UP_AFTER", "1s"));
        }
        let job = self.start_job(&["run"], None, &settings)?;
        let result = job.wait(Duration::from_secs(120)).await?;
        let fair_routes = match result.code {
            Some(CONCURRENT_RUN) => Vec::new(),
            _ => self.endpoints.iter().map(FaultyEndpoint::name).collect(),
        };
        self.runs.push(Run {
            allowed_repeats: 0,
            acknowledged,
            fair_routes,
            independent: true,
            outage: None,
        });
        Ok(result)
    }
}
