//! Deletes the topic and creates it again between two runs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use testkit::topics::Committed;

use super::{GROUP, PARTITIONS, Runner, TOPIC};
use crate::checker::Violations;

/// The exit code of a run that found that records were deleted.
const DATA_LOSS: i32 = 76;

impl Runner<'_> {
    /// Deletes the topic, creates it again with new records, and runs the job: the first run must report the loss and send
    /// nothing; runs with `ON_DATA_LOSS=continue` must deliver the new records.
    ///
    /// The evidence of the deleted topic must have been taken.
    pub(super) async fn recreate_topic(&mut self) -> Result<Violations> {
        let mut violations = Violations::default();
        let committed = self.topics.committed(GROUP, TOPIC)?;
        self.topics.delete(TOPIC).await?;
        self.topics.create(TOPIC, PARTITIONS, &[]).await?;
        self.restore_commits(&committed).await?;
        self.outcome.never_accepted = 0;
        let records = self.corpus.next(200, 10);
        self.outcome.written = self.corpus.generated();
        self.acknowledged
            .extend(self.topics.write(TOPIC, &records)?);
        let before = self.requests();
        let result = self.run_once(&[]).await?;
        let sent = self.requests() - before;
        if result.code != Some(DATA_LOSS) || sent > 0 {
            violations.add(format!(
                "the run after the topic was created again ended with {:?} and sent {sent} requests",
                result.code
            ));
        }
        // This run is not expected to deliver.
        if let Some(run) = self.runs.last_mut() {
            run.fair_routes.clear();
        }
        if let Some(code) = result.code {
            *self.outcome.exit_codes.entry(code).or_default() += 1;
        }
        self.reports.extend(result.report);
        self.run_to_the_end(&[("ON_DATA_LOSS", "continue")]).await?;
        Ok(violations)
    }

    /// Commits the offsets of the deleted topic again, as a restored backup has them: some time after a topic is deleted,
    /// Kafka deletes its commits, and then no run can report the loss.
    async fn restore_commits(&self, committed: &BTreeMap<i32, Committed>) -> Result<()> {
        for _ in 0..50 {
            if self.topics.committed(GROUP, TOPIC)?.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for (partition, committed) in committed {
            self.topics.commit(GROUP, TOPIC, *partition, committed)?;
        }
        Ok(())
    }
}
