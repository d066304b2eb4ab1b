//! Deletes the topic and creates it again between two runs.

use anyhow::Result;

use super::{PARTITIONS, Runner, TOPIC};
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
        self.topics.delete(TOPIC).await?;
        self.topics.create(TOPIC, PARTITIONS, &[]).await?;
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
        *self.outcome.exit_codes.entry(DATA_LOSS).or_default() +=
            usize::from(violations.count == 0);
        self.reports.extend(result.report);
        self.run_to_the_end(&[("ON_DATA_LOSS", "continue")]).await?;
        Ok(violations)
    }
}
