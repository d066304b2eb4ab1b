//! Replays the dead letters with random faults, and kills the replays and brokers.

use std::time::Duration;

use anyhow::{Result, bail};
use testkit::records;

use super::{
    COMMITTED_CODES, CONCURRENT_RUN, DEAD_LETTERS, GROUP, MAX_ATTEMPTS_TO_HEAL, MAX_IN_FLIGHT,
    Runner, SESSION_TIMEOUT, TOPIC,
};
use crate::checker::{self, DeadLetter, Evidence, Replay, Run};
use crate::faults::{Fault, FaultyEndpoint};
use crate::job::RunResult;
use crate::rng::Rng;
use crate::stretch::Stretch;

/// A selection of dead letters: its arguments, and whether it contains a letter.
pub(super) type Selection = (&'static [&'static str], fn(&DeadLetter) -> bool);

/// The selections that are replayed. Of the second, some letters can never be delivered.
pub(super) const SELECTIONS: [Selection; 2] = [
    (&["--cause", "refused"], |letter| letter.cause == "refused"),
    (&[], |_| true),
];
/// How many times the replay of a selection is killed.
const KILLS: usize = 3;
/// How many times a replay is killed.
pub(super) const REPLAY_KILLS: usize = KILLS * SELECTIONS.len();
/// The maximum number of replays of a selection with faults.
const MAX_FAULTY_REPLAYS: usize = 40;

impl Runner<'_> {
    /// Repairs the endpoints, so that they accept what they have rejected, replays each selection of the dead letters to its
    /// end, and verifies it.
    ///
    /// All other evidence must have been verified.
    pub(super) async fn replay_dead_letters(&mut self) -> Result<()> {
        self.endpoints
            .iter()
            .for_each(|endpoint| endpoint.repair(true));
        for selection in SELECTIONS {
            let verdict = checker::check_replay(&self.replay(selection).await?);
            self.outcome.verdict.merge(verdict);
        }
        self.endpoints
            .iter()
            .for_each(|endpoint| endpoint.repair(false));
        self.verified.runs = self.runs.len();
        Ok(())
    }

    async fn replay(&mut self, (arguments, selects): Selection) -> Result<Replay> {
        let bootstrap = self.kafka.bootstrap().to_owned();
        let letters = records::all(&bootstrap, DEAD_LETTERS)?;
        let mut dead_letters: Vec<DeadLetter> = letters.iter().map(DeadLetter::read).collect();
        dead_letters.retain(selects);
        let committed = self.topics.committed(GROUP, TOPIC)?;
        let earlier = self.received(|_| true);
        let first_run = self.runs.len();
        let command = [&["dead-letters", "replay"], arguments].concat();

        self.kill_replays(&command, dead_letters.len()).await?;
        self.heal().await?;
        let last = self.finish_replay(&command).await?;
        let before = self.requests();
        let again = self.replay_once(&command, None).await?;
        let requests_again = self.requests() - before;
        self.outcome.replayed += dead_letters.len();
        let received = self.received(|run| run >= first_run);
        self.outcome.requests += received.len();
        let evidence = Evidence {
            topic: records::all(&bootstrap, TOPIC)?,
            dead_letters,
            received,
            answers: self.new_answers()?,
            keeps_answers: true,
            runs: self.runs.clone(),
            reports: [&last.report, &again.report]
                .into_iter()
                .flatten()
                .cloned()
                .collect(),
            ..Evidence::default()
        };
        Ok(Replay {
            name: command.join(" "),
            evidence,
            earlier,
            requests_again,
            has_written: records::all(&bootstrap, DEAD_LETTERS)? != letters
                || self.topics.committed(GROUP, TOPIC)? != committed,
        })
    }

    /// Starts replays of `letters` letters with random faults, until [`KILLS`] of them were killed while they sent requests.
    /// During the first a broker is killed, too; it is down during the others.
    async fn kill_replays(&mut self, command: &[&str], letters: usize) -> Result<()> {
        let mut kills = 0;
        for _ in 0..MAX_FAULTY_REPLAYS {
            if kills == KILLS {
                break;
            }
            for endpoint in &self.endpoints {
                endpoint.inject(Fault::random(&mut self.rng));
            }
            let result = self.replay_once(command, Some(letters)).await?;
            kills += usize::from(result.code.is_none());
            if result.code.is_none() {
                // The group removes the killed member. Without the wait, the next replay is a concurrent run.
                if self.rng.percent(80) {
                    tokio::time::sleep(SESSION_TIMEOUT + Duration::from_millis(300)).await;
                }
            }
        }
        self.outcome.replay_kills += kills;
        Ok(())
    }

    async fn kill_broker(&mut self) -> Result<()> {
        self.outcome.replay_broker_kills += 1;
        let broker = 1 + self.rng.below(super::BROKERS) as usize;
        self.kafka.kill(broker).await?;
        self.broker_down = Some(broker);
        Ok(())
    }

    /// Replays without faults until no letter is left that an endpoint can accept.
    async fn finish_replay(&mut self, command: &[&str]) -> Result<RunResult> {
        let mut code = None;
        for _ in 0..MAX_ATTEMPTS_TO_HEAL {
            let result = self.replay_once(command, None).await?;
            code = result.code;
            if matches!(code, Some(0 | 10)) {
                return Ok(result);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "without faults the last of {MAX_ATTEMPTS_TO_HEAL} replays ended with {code:?}; its log: {}",
            self.last_log()?
        )
    }

    /// Starts a replay and waits for its end. With `letters`, kills a broker, unless one is down, and then the replay, after a
    /// random number of requests: early enough that letters are left.
    async fn replay_once(&mut self, command: &[&str], letters: Option<usize>) -> Result<RunResult> {
        self.outcome.replays += 1;
        let before = self.requests();
        let stretch = letters.map(|_| Stretch::Random);
        let mut job = self.start_job(command, stretch, &[])?;
        if let Some(letters) = letters {
            let per_request = self.max_records_in_flight / (2 * MAX_IN_FLIGHT);
            let after = kill_after(&mut self.rng, letters / per_request.max(1));
            for requests in [after.div_ceil(2), after] {
                while job.is_running() && self.requests() - before < requests {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                if job.is_running() && self.broker_down.is_none() {
                    self.kill_broker().await?;
                }
            }
            if job.kill() {
                // Requests that arrive now still belong to this replay.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let result = job.wait(Duration::from_secs(120)).await?;
        let has_committed = matches!(result.code, Some(code) if COMMITTED_CODES.contains(&code));
        self.runs.push(Run {
            allowed_repeats: match has_committed && self.broker_down.is_none() {
                true => 0,
                false => self.max_records_in_flight,
            },
            ..Run::default()
        });
        if result.code == Some(CONCURRENT_RUN) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let (code, report, duration) = (result.code, result.report.clone(), result.duration);
        self.count(result)?;
        Ok(RunResult {
            code,
            report,
            duration,
        })
    }

    fn received(&self, is_wanted: impl Fn(usize) -> bool) -> Vec<checker::Received> {
        let received = self.endpoints.iter().flat_map(FaultyEndpoint::received);
        received.filter(|one| is_wanted(one.run)).collect()
    }
}

/// The number of requests after which a replay with this number of requests is killed.
fn kill_after(rng: &mut Rng, requests: usize) -> usize {
    1 + rng.below((requests / (4 * KILLS)).max(1) as u64) as usize
}
