//! Writes records to the topic, directly and through the ingest function.

use std::net::TcpListener;

use anyhow::Result;

use super::{Runner, TOPIC};
use crate::checker::Output;
use crate::ingest::{Ingest, Reply};
use crate::stretch::Stretch;

/// The number of records that are published through the ingest function before each run.
const PUBLISHED: usize = 10;
/// The number of records that the endpoints reject and that are replayed.
const REJECTED: usize = 2_000;

impl Runner<'_> {
    /// Starts the ingest function with the bootstrap servers of the stretch that begins. A running one is killed.
    pub(super) async fn start_ingest(&mut self) -> Result<()> {
        self.dead_broker = match self.stretches.current() {
            // No program listens on port 1. The other port accepts connections and never answers.
            Stretch::DeadBootstrap if self.rng.percent(50) => Some("127.0.0.1:1".to_owned()),
            Stretch::DeadBootstrap => {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                let address = listener.local_addr()?.to_string();
                self.unanswering = Some(listener);
                Some(address)
            }
            _ => None,
        };
        self.ingest = None;
        self.outcome.functions += 1;
        let log = format!("function-{}.log", self.outcome.functions);
        let log = self.logs.path().join(log);
        self.ingest = Some(Ingest::start(&self.bootstrap(), TOPIC, log).await?);
        Ok(())
    }

    /// Writes records; some of them in a transaction, which is committed or aborted.
    pub(super) async fn write(&mut self, count: usize) -> Result<()> {
        let foreign = match self.stretches.current() {
            Stretch::OtherSchema => 20,
            _ => 0,
        };
        let records = self.corpus.next(count, foreign);
        // A transaction would wait for a coordinator on the killed broker.
        let transaction = self.rng.percent(40) && self.broker_down.is_none();
        let commit = self.rng.percent(50);
        let cut = self.rng.below(count as u64) as usize;
        let (first, last) = records.split_at(if transaction { cut } else { count });
        self.acknowledged.extend(self.topics.write(TOPIC, first)?);
        if transaction {
            let positions = self.topics.transaction(TOPIC, last, commit)?;
            if commit {
                self.acknowledged.extend(positions);
            } else {
                self.outcome.aborted += last.len() as u64;
            }
        }
        self.publish().await?;
        if self.outcome.never_accepted == 0 && self.outcome.kills * 4 >= self.plan.kills * 3 {
            let records = self.corpus.never_accepted();
            self.outcome.never_accepted = records.len();
            self.acknowledged
                .extend(self.topics.write(TOPIC, &records)?);
        }
        self.outcome.written = self.corpus.generated();
        Ok(())
    }

    /// Writes records that the endpoints reject: enough that a replay of their dead letters can be killed several times.
    pub(super) fn write_rejected(&mut self) -> Result<()> {
        let records = self.corpus.rejected(REJECTED);
        self.acknowledged
            .extend(self.topics.write(TOPIC, &records)?);
        self.outcome.written = self.corpus.generated();
        Ok(())
    }

    /// Publishes records through the ingest function: valid ones, some with a key of the caller, and one that is not valid.
    async fn publish(&mut self) -> Result<()> {
        let Some(ingest) = &self.ingest else {
            return Ok(());
        };
        for index in 0..PUBLISHED {
            let key = format!("caller-{}", self.corpus.generated());
            let key = self.rng.percent(50).then_some(key.as_str());
            let is_valid = index > 0;
            let datum = match is_valid {
                true => self.corpus.valid(),
                false => self.corpus.malformed(),
            };
            let (reply, text) = ingest.publish(datum, key).await?;
            self.outputs.push(Output {
                name: format!(
                    "response of the function before run {}",
                    self.outcome.runs + 1
                ),
                text,
            });
            match reply {
                Reply::Accepted(partition, offset) => {
                    self.acknowledged.push((partition, offset));
                    self.outcome.published += 1;
                    if !is_valid {
                        self.accepted_invalid
                            .push(format!("the function accepted {partition}@{offset}"));
                    }
                }
                Reply::Rejected if is_valid => {
                    anyhow::bail!("the function rejected a valid record");
                }
                Reply::Rejected => {}
                // A broker is down: the next records would wait too.
                Reply::Unavailable => {
                    if self.runs_with_all_brokers > 0 && self.broker_down.is_none() {
                        let run = self.outcome.runs + 1;
                        self.unavailable
                            .push(format!("the function answered 503 before run {run}"));
                    }
                    break;
                }
            }
        }
        Ok(())
    }
}
