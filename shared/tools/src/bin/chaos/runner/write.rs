//! Writes records to the topic.

use anyhow::Result;

use super::{Runner, TOPIC};

impl Runner<'_> {
    /// Writes records; some of them in a transaction, which is committed or aborted.
    pub(super) fn write(&mut self, count: usize) -> Result<()> {
        let records = self.corpus.next(count);
        self.outcome.written = self.corpus.generated();
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
        Ok(())
    }
}
