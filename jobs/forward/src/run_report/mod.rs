//! `forward report`: renders the report of a run, from a file, a topic, Object Storage or standard input. Writes nothing.
//!
//! - `cli`: the command line
//! - `destinations`: where a run writes its report
//! - `topic`: the topic of reports
//! - `source`: where the report is, and reading it
//! - `parse`: the report of its bytes

pub(crate) mod cli;
mod destinations;
mod error;
mod outcome;
mod parse;
mod source;
mod topic;

use std::time::Duration;

use kafka::reader::SourceError;

use crate::config::Config;
use crate::report::{RunReport, html, markdown, text};

pub use cli::{ReportForm, ReportOptions};
pub(crate) use destinations::ReportDestinations;
pub use error::ReportError;
pub use outcome::ReportOutcome;
pub use parse::parse;
pub use source::ReportSource;

/// The newest report of the job's group in `REPORT_TOPIC`; `None` if there is none. `timeout`: how long reading may take.
///
/// # Errors
/// Reading fails, or the record is not a report, with the reason.
pub(crate) fn last(config: &Config, timeout: Duration) -> Result<Option<RunReport>, String> {
    let Some(topic) = &config.report_topic else {
        return Ok(None);
    };
    let found = topic::read(config, topic, timeout).map_err(|error| match error {
        // The error's own remedy is that for KAFKA_TOPIC.
        SourceError::NoTopic { bootstrap, .. } => {
            format!("topic {topic} (REPORT_TOPIC) does not exist at {bootstrap}")
        }
        error => error.to_string(),
    })?;
    let report = found.map(|bytes| parse(&bytes)).transpose();
    report.map_err(|invalid| format!("the newest record of the group in {topic}: {invalid}"))
}

/// The report in this form, as text that ends with a line break.
pub fn render(report: &RunReport, form: ReportForm, has_colour: bool) -> String {
    match form {
        ReportForm::Text => text::render(report, has_colour),
        ReportForm::Markdown => markdown::render(report),
        ReportForm::Html => html::render(report),
        ReportForm::Json => report.json() + "\n",
    }
}
