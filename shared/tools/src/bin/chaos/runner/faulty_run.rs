//! One run with random faults.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::events::{Event, Events};
use super::{
    BROKERS, COMMITTED_CODES, CONCURRENT_RUN, GROUP, Runner, SESSION_TIMEOUT, SOURCE, TOPIC,
};
use crate::checker::{Outage, Run};
use crate::faults::{Fault, FaultyEndpoint};
use crate::job::{Job, RunResult};
use crate::registry::RegistryFault;
use crate::stretch::Stretch;

impl Runner<'_> {
    /// Writes records and runs the job once, with random faults and the condition of the current stretch.
    pub(super) async fn run_with_faults(&mut self) -> Result<()> {
        let stretch = self.stretches.current();
        let undisturbed = self.stretches.is_undisturbed();
        if undisturbed && let Some(broker) = self.broker_down.take() {
            self.kafka.restart(broker).await?;
        }
        if self.stretches.is_first_run() {
            self.slow = self.rng.below(2) as usize;
            self.start_ingest().await?;
        }
        let least = if stretch == Stretch::Deadline {
            400
        } else {
            20
        };
        let count = least + self.rng.below(400) as usize;
        self.write(count).await?;
        self.inject_faults();
        let within = self.usual_duration.as_millis() as u64 * 5 / 4;
        let events = Events::random(&mut self.rng, within, count, undisturbed);
        let has_no_events = events.list.is_empty();

        let before = self.requests();
        let registry = self.registry.fault();
        let committed = match registry.is_down() && self.broker_down.is_none() {
            true => Some(self.topics.committed(GROUP, TOPIC)?),
            false => None,
        };
        let stops = self.outcome.stops;
        let mut run = Run {
            acknowledged: self.acknowledged.len(),
            ..Run::default()
        };
        let mut faults_changed = false;
        let mut job = self.start_job(&["run"], Some(stretch), &[])?;
        let mut broker_was_down = self.broker_down.is_some();
        let started = Instant::now();
        for (at, event) in events.list {
            let is_due = |runner: &Self| {
                let requests = runner.requests() - before;
                let has_requests = events.kill_after.is_some_and(|after| requests > after);
                started.elapsed() >= Duration::from_millis(at)
                    || (event == Event::Kill && has_requests)
            };
            while !is_due(self) && job.is_running() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if !job.is_running() {
                break;
            }
            self.execute(event, &mut job).await?;
            faults_changed |= event == Event::ChangeFaults;
            broker_was_down |= self.broker_down.is_some();
        }
        let result = job.wait(Duration::from_secs(120)).await?;
        if has_no_events && result.code == Some(0) {
            self.usual_duration = (self.usual_duration * 3 + result.duration) / 4;
        }
        let ended_by_registry = self.ended_by_registry(&result);
        let is_interrupted = result.code.is_none() || self.outcome.stops != stops;
        if let Some(committed) = committed
            && !faults_changed
            && !broker_was_down
            && result.code != Some(CONCURRENT_RUN)
        {
            let report = result.report.as_ref();
            let id = report.and_then(|report| report["run"].as_str());
            run.outage = Some(Outage {
                committed: committed
                    .into_iter()
                    .map(|(partition, committed)| (partition, committed.offset))
                    .collect(),
                code: result.code.filter(|_| !is_interrupted),
                run: id.map(str::to_owned),
            });
        }
        let is_outage = run.outage.is_some();
        self.outcome.outages += usize::from(is_outage);
        self.outcome.unreliable += usize::from(registry == RegistryFault::Unreliable);
        self.outcome.ended_by_registry += usize::from(ended_by_registry);
        // A run that was not interrupted, with all brokers running, has committed all completed records.
        let committed = matches!(result.code, Some(code) if COMMITTED_CODES.contains(&code));
        if !(committed || ended_by_registry) || broker_was_down {
            run.allowed_repeats = self.max_records_in_flight;
        } else if !faults_changed && !is_interrupted && (is_outage || !ended_by_registry) {
            let accepting = |endpoint: &&FaultyEndpoint| endpoint.fault().accepts_all();
            let fair = self.endpoints.iter().filter(accepting);
            run.fair_routes = fair.map(FaultyEndpoint::name).collect();
            run.independent = self.is_independent;
        }
        self.runs.push(run);
        if broker_was_down {
            self.runs_with_all_brokers = 0;
        } else {
            if result.code == Some(SOURCE) && !ended_by_registry && self.runs_with_all_brokers > 0 {
                self.unavailable
                    .push(format!("run {} ended with {SOURCE}", self.outcome.runs));
            }
            self.runs_with_all_brokers += 1;
        }
        // Most runs start after the group has removed the killed member. The others must exit as concurrent runs.
        let killed = result.code.is_none();
        if killed && self.rng.percent(80) {
            tokio::time::sleep(SESSION_TIMEOUT + Duration::from_millis(300)).await;
        } else if result.code == Some(CONCURRENT_RUN) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        if result.code != Some(CONCURRENT_RUN) {
            *self.outcome.stretches.entry(stretch.name()).or_default() += 1;
            self.stretches.advance(&mut self.rng);
        }
        self.count(result)?;
        self.restart_broker().await
    }

    /// Whether the run ended because the registry did not answer it.
    fn ended_by_registry(&self, result: &RunResult) -> bool {
        let notes = result.report.as_ref().map(|report| &report["notes"]);
        let notes = notes.and_then(|notes| notes.as_array());
        result.code == Some(SOURCE)
            && self.registry.has_failed()
            && notes.is_some_and(|notes| {
                let mut notes = notes.iter().filter_map(|note| note.as_str());
                notes.any(|note| note.starts_with("reading schema "))
            })
    }

    /// Sets the faults of both endpoints and of the registry.
    fn inject_faults(&mut self) {
        let stretch = self.stretches.current();
        let registry = match (stretch, self.stretches.done()) {
            (Stretch::FailingRegistry, 1) => RegistryFault::Refuse,
            (Stretch::FailingRegistry, 2) => RegistryFault::Hang,
            (Stretch::FailingRegistry, 3..) => RegistryFault::Unreliable,
            _ => RegistryFault::None,
        };
        self.registry.inject(registry);
        let is_undisturbed = self.stretches.is_undisturbed();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let fault = match stretch {
                Stretch::EchoToken => Fault::EchoToken,
                // Before a deadline a slow endpoint receives only some of the records.
                Stretch::SlowEndpoint | Stretch::Deadline if index == self.slow => Fault::VerySlow,
                Stretch::SlowEndpoint => Fault::None,
                // The checker verifies what a run delivers without the registry.
                Stretch::FailingRegistry if is_undisturbed => Fault::None,
                _ => Fault::random(&mut self.rng),
            };
            endpoint.inject(fault);
        }
    }

    async fn execute(&mut self, event: Event, job: &mut Job) -> Result<()> {
        match event {
            Event::Kill if job.kill() => {
                self.outcome.kills += 1;
                // Requests that arrive now still belong to this run.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Event::Kill => {}
            Event::Terminate => {
                job.terminate()?;
                self.outcome.stops += 1;
            }
            Event::ChangeFaults => {
                self.inject_faults();
                if self.stretches.current() == Stretch::FailingRegistry {
                    self.registry.inject(RegistryFault::random(&mut self.rng));
                }
            }
            Event::KillBroker if self.broker_down.is_none() => {
                let broker = 1 + self.rng.below(BROKERS) as usize;
                self.kafka.kill(broker).await?;
                self.broker_down = Some(broker);
                self.outcome.broker_kills += 1;
            }
            Event::KillBroker => {}
        }
        Ok(())
    }

    /// Restarts the killed broker, with a probability of 60 per cent.
    async fn restart_broker(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down
            && self.rng.percent(60)
        {
            self.kafka.restart(broker).await?;
            self.broker_down = None;
        }
        Ok(())
    }
}
