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

use crate::report::{RunReport, html, markdown, text};

pub use cli::{ReportForm, ReportOptions};
pub(crate) use destinations::ReportDestinations;
pub use error::ReportError;
pub use outcome::ReportOutcome;
pub use parse::{InvalidReport, MAX_REPORT, parse};
pub use source::ReportSource;

/// The report in this form, as text that ends with a line break.
pub fn render(report: &RunReport, form: ReportForm, has_colour: bool) -> String {
    match form {
        ReportForm::Text => text::render(report, has_colour),
        ReportForm::Markdown => markdown::render(report),
        ReportForm::Html => html::render(report),
        ReportForm::Json => report.json() + "\n",
    }
}
