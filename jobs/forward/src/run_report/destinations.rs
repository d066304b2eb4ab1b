//! Writes the report of a run to the places that the settings and the command line name, beside standard output.

use std::fmt::Display;

use oci::{ObjectLocation, Oci, OciConfig, OciError};
use settings::Location;

use super::topic;
use crate::config::Config;
use crate::report::RunReport;

/// Where a run writes its report.
#[derive(Clone, Copy)]
pub(crate) struct ReportDestinations<'r> {
    /// The settings, with `REPORT_TOPIC`.
    pub(crate) config: &'r Config,
    /// The location of `--report`.
    pub(crate) location: Option<&'r Location>,
    /// How to reach Object Storage; `None` if the location is not there.
    pub(crate) oracle_cloud: Option<&'r OciConfig>,
}

impl ReportDestinations<'_> {
    /// Writes the report. A failure is logged, and is a note of the report: it changes neither the outcome nor what was
    /// delivered and committed. A dry run writes nothing to the topic.
    pub(crate) fn write(self, report: &mut RunReport) {
        if let Some(topic) = &self.config.report_topic
            && !report.dry_run
            && let Err(error) = topic::write(self.config, topic, report)
        {
            add_failure(report, &format!("topic {topic}"), &error);
        }
        let written = match (self.location, self.oracle_cloud) {
            (None, _) => return,
            (Some(Location::File(path)), _) => report.save(path).map_err(|error| error.to_string()),
            (Some(Location::Object(object)), Some(config)) => put(config, object, report),
            (Some(Location::Object(_)), None) => Err("Oracle Cloud is not configured".to_owned()),
        };
        if let (Some(location), Err(error)) = (self.location, written) {
            add_failure(report, &location.to_string(), &error);
        }
    }
}

fn add_failure(report: &mut RunReport, destination: &str, error: &dyn Display) {
    tracing::error!(destination, %error, "the report was not written");
    report.notes.push(format!(
        "the report was not written to {destination}: {error}"
    ));
}

fn put(config: &OciConfig, object: &ObjectLocation, report: &RunReport) -> Result<(), String> {
    let bytes = (report.json() + "\n").into_bytes();
    let put = async {
        Oci::sign_in(config)
            .await?
            .put_object(object, "application/json", bytes)
            .await
    };
    block_on(put).map(drop)
}

/// The object's content, at most `limit` bytes; `None` if there is no such object, or the principal may not read it.
///
/// # Errors
/// Reading fails.
pub(super) fn get(
    config: &OciConfig,
    object: &ObjectLocation,
    limit: usize,
) -> Result<Option<Vec<u8>>, String> {
    block_on(async {
        let oci = Oci::sign_in(config).await?;
        match oci.object(object, None, limit).await {
            Err(OciError::Refused { status: 404, .. }) => Ok(None),
            found => Ok(found?.map(|object| object.bytes)),
        }
    })
}

/// Runs requests to Oracle Cloud on this thread. The error has the advice.
fn block_on<T>(requests: impl Future<Output = Result<T, OciError>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = runtime
        .map_err(|error| error.to_string())?
        .block_on(requests);
    result.map_err(|error| match error.advice() {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    })
}
