//! One run with random faults.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{BROKERS, COMMITTED_CODES, CONCURRENT_RUN, Runner, SESSION_TIMEOUT};
use crate::faults::Fault;
use crate::job::Job;

impl Runner<'_> {
    /// Writes records and runs the job once, with random faults.
    pub(super) async fn run_with_faults(&mut self) -> Result<()> {
        let count = 20 + self.rng.below(400) as usize;
        self.write(count)?;
        for endpoint in &self.endpoints {
            endpoint.inject(Fault::random(&mut self.rng));
        }
        let within = self.usual_duration.as_millis() as u64 * 5 / 4;
        let kill = self.rng.percent(80).then(|| self.rng.below(within));
        let stop = (kill.is_none() && self.rng.percent(50)).then(|| self.rng.below(within));
        let broker = (self.rng.percent(40)).then(|| self.rng.below(within / 2));
        let change = self.rng.percent(50).then(|| self.rng.below(within));
        // Most kills happen after a number of requests, so that they interrupt deliveries.
        let requests = (self.rng.percent(70)).then(|| self.rng.below(count as u64) as usize);
        let mut events: Vec<(u64, Event)> = [
            (
                kill.map(|at| requests.map_or(at, |_| within * 2)),
                Event::Kill,
            ),
            (stop, Event::Terminate),
            (broker, Event::KillBroker),
            (change, Event::ChangeFaults),
        ]
        .into_iter()
        .filter_map(|(at, event)| Some((at?, event)))
        .collect();
        events.sort_unstable();
        let has_no_events = events.is_empty();

        let before = self.requests();
        let mut job = self.start_job(true)?;
        let mut broker_was_down = self.broker_down.is_some();
        let started = Instant::now();
        for (at, event) in events {
            let is_due = |runner: &Self| {
                let has_requests =
                    requests.is_some_and(|requests| runner.requests() > before + requests);
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
            broker_was_down |= self.broker_down.is_some();
        }
        let result = job.wait(Duration::from_secs(120)).await?;
        if has_no_events && result.code == Some(0) {
            self.usual_duration = (self.usual_duration * 3 + result.duration) / 4;
        }
        // A run that was not interrupted, with all brokers running, has committed all completed records.
        let committed = matches!(result.code, Some(code) if COMMITTED_CODES.contains(&code));
        let allowed = if committed && !broker_was_down {
            0
        } else {
            self.max_records_in_flight
        };
        self.allowed_repeats.push(allowed);
        // Most runs start after the group has removed the killed member. The others must exit as concurrent runs.
        let killed = result.code.is_none();
        if killed && self.rng.percent(80) {
            tokio::time::sleep(SESSION_TIMEOUT + Duration::from_millis(300)).await;
        } else if result.code == Some(CONCURRENT_RUN) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.count(result)?;
        self.restart_broker().await
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
                for endpoint in &self.endpoints {
                    endpoint.inject(Fault::random(&mut self.rng));
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

/// An event during a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Kill,
    Terminate,
    KillBroker,
    ChangeFaults,
}
