//! The runs without faults at the end.

use std::time::Duration;

use anyhow::{Result, bail};

use super::Runner;
use crate::faults::Fault;

impl Runner<'_> {
    /// Removes all faults, and runs the job until no record is left.
    pub(super) async fn heal(&mut self) -> Result<()> {
        if let Some(broker) = self.broker_down.take() {
            self.kafka.restart(broker).await?;
        }
        for endpoint in &self.endpoints {
            endpoint.inject(Fault::None);
        }
        let mut code = None;
        for _ in 0..60 {
            let result = self
                .start_job(false)?
                .wait(Duration::from_secs(120))
                .await?;
            self.allowed_repeats.push(0);
            code = result.code;
            self.count(result)?;
            if matches!(code, Some(0 | 10)) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        bail!(
            "without faults the last of 60 runs ended with {code:?}; its log: {}",
            self.last_log()?
        )
    }
}
