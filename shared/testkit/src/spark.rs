//! Spark as a producer: runs `deploy/kafka/spark/run produce`. The first use on a machine downloads Spark.

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::process_guard;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/kafka/spark/run");

/// Writes `count` users to each topic with Spark's `to_avro`, and returns the schema of Spark's data frame. A target is
/// `form=topic`; `produce.py` beside the script describes the forms and the users.
///
/// # Errors
/// The program failed. The error contains its standard error.
pub async fn produce(
    bootstrap: &str,
    registry: &str,
    count: usize,
    targets: &[String],
) -> Result<String> {
    // With the whole environment, because the script may download packages through a proxy.
    let mut command = Command::new(SCRIPT);
    process_guard::attach(&mut command);
    let output = command
        .arg("produce")
        .arg(count.to_string())
        .args(targets)
        .env("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
        .env("SCHEMA_REGISTRY_URL", registry)
        .output()
        .await
        .with_context(|| format!("running {SCRIPT}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "Spark: {stderr}");
    let schema = String::from_utf8(output.stdout).context("the output is not UTF-8")?;
    Ok(schema.trim().to_owned())
}
