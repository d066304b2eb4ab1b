//! The command line of `forward report`.

use clap::{Arg, ArgMatches, Command, ValueHint};

use super::outcome::ReportOutcome;

/// Options of the command that are not settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportOptions {
    /// Where the report is.
    pub source: String,
    /// The form on standard output.
    pub form: ReportForm,
}

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
    Command::new("report")
        .about("Renders the report of a run as text, Markdown or one HTML page with plots")
        .arg(
            Arg::new("source")
                .value_name("FILE")
                .help("A file with the JSON report of a run, or - for standard input.")
                .required(true)
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
        .after_help(format!(
            "Examples:\n  \
             A page with plots of the last run:\n    \
             forward run --report report.json\n    \
             forward report report.json --output html > report.html\n  \
             For a job summary in CI:\n    \
             forward run --output json | forward report - --output markdown\n\n\
             The page needs no network and no script. Text of other programs in the report is escaped.\n\n\
             Exit codes:\n{}",
            ReportOutcome::help().trim_end()
        ))
}

/// The options.
pub(crate) fn options(matches: &ArgMatches) -> ReportOptions {
    let name = matches.get_one::<String>("output").map(String::as_str);
    let form = ReportForm::ALL
        .into_iter()
        .find(|form| Some(form.name()) == name);
    ReportOptions {
        source: matches.get_one("source").cloned().unwrap_or_default(),
        form: form.unwrap_or(ReportForm::Text),
    }
}
