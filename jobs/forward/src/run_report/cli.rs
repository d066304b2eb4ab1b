//! The command line of `forward report`.

use std::time::Duration;

use clap::{Arg, ArgMatches, Command, ValueHint};
use settings::cli;

use super::outcome::ReportOutcome;
use super::source::ReportSource;
use crate::cli::Flags;
use crate::settings::GROUPS;

/// Options of the command that are not settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportOptions {
    /// Where the report is.
    pub source: ReportSource,
    /// The form on standard output.
    pub form: ReportForm,
    /// How long reading a topic may take.
    pub timeout: Duration,
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How a report is rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportForm {
    /// Tables for people.
    Text,
    /// GitHub Flavored Markdown.
    Markdown,
    /// One page with plots.
    Html,
    /// One line of JSON.
    Json,
}

impl ReportForm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Text, Self::Markdown, Self::Html, Self::Json];

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Json => "json",
        }
    }
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let command = Command::new("report")
        .about("Renders the report of a run as text, Markdown or one HTML page with plots")
        .next_help_heading("This report")
        .arg(
            Arg::new("source")
                .value_name("FILE|TOPIC|-")
                .help("A file with the JSON report of a run, oci://BUCKET/OBJECT, or - for standard input. Any other name is that of a topic, of which the newest report of KAFKA_GROUP_ID is rendered.")
                .required(true)
                .value_parser(ReportSource::parse)
                .value_hint(ValueHint::FilePath),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORM")
                .help("The form on standard output.")
                .value_parser(ReportForm::ALL.map(ReportForm::name))
                .default_value("text"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .help("How long reading a topic may take.")
                .default_value("30s")
                .value_parser(cli::duration),
        )
        .after_help(format!(
            "Examples:\n  \
             A page with plots of the last run:\n    \
             forward run --report report.json\n    \
             forward report report.json --output html > report.html\n  \
             For a job summary in CI:\n    \
             forward run --output json | forward report - --output markdown\n  \
             The last run of the group, from REPORT_TOPIC:\n    \
             forward report frontdoor-reports --config-location config.properties\n\n\
             The page needs no network and no script. Text of other programs in the report is escaped.\n\n\
             Exit codes:\n{}",
            ReportOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options, and the settings given as flags. `None`: there is no source.
pub(crate) fn options(matches: &ArgMatches) -> Option<(ReportOptions, Flags)> {
    let name = matches.get_one::<String>("output").map(String::as_str);
    let form = ReportForm::ALL
        .into_iter()
        .find(|form| Some(form.name()) == name);
    let timeout = matches.get_one::<Duration>("timeout").copied();
    let options = ReportOptions {
        source: matches.get_one("source").cloned()?,
        form: form.unwrap_or(ReportForm::Text),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
    };
    Some((options, cli::flags(&GROUPS, matches)))
}
