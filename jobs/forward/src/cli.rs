//! The command line of `forward`: arguments in, an action and settings out.

mod check;
mod listing;
mod run;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use settings::{Location, cli};

pub use check::CheckOptions;
pub use listing::{listing, markdown};
pub use run::RunOptions;
pub use test::TestOptions;

use crate::completions;
use crate::dead_letters::{self, LettersOptions, ReplayOptions};
use crate::exit::RunOutcome;
use crate::explain::{self, ExplainOptions};
use crate::init::{self, InitOptions};
use crate::man_pages;
use crate::reset::{self, ResetOptions};
use crate::run_report::{self, ReportOptions};
use crate::settings::GROUPS;
use crate::status::{self, StatusOptions};
use crate::window_plan::{self, PlanOptions};

/// Settings given as flags, for [`settings::Settings::gather`]: name and value.
pub type Flags = Vec<(&'static str, String)>;

/// What the command line requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run windows.
    Run(RunOptions),
    /// Check that everything a run needs is reachable.
    Check(CheckOptions),
    /// Route sample records and print their requests.
    Test(TestOptions),
    /// Fix a window in a document.
    Plan(PlanOptions),
    /// Explain records.
    Explain(ExplainOptions),
    /// Show the status of the group.
    Status(StatusOptions),
    /// Move the commits of the group.
    Reset(ResetOptions),
    /// List, show or discard dead letters.
    DeadLetters(LettersOptions),
    /// Deliver the records of dead letters.
    ReplayDeadLetters(ReplayOptions),
    /// Render the report of a run.
    Report(ReportOptions),
    /// Write settings and routes for a schema.
    Init(InitOptions),
    /// Print a shell's completion script.
    Completions(Shell),
    /// Write the manual pages into a directory.
    ManPages(PathBuf),
    /// Print every setting with its value and source, or the documentation's tables.
    Settings {
        /// Print the documentation's tables.
        markdown: bool,
    },
    /// Print the properties of the Kafka clients, by librdkafka's names.
    KafkaSettings,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Tables for people.
    #[default]
    Text,
    /// One line of JSON.
    Json,
}

/// Parses a command line into an action and the settings given as flags. Prints help, version or the error.
///
/// # Errors
/// The exit code: 0 after `--help` or `--version`, 64 for an invalid command line.
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<(Action, Flags), u8> {
    let matches = cli::parse(command(), arguments)?;
    match matches.subcommand() {
        Some(("run", matches)) => {
            let action = Action::Run(run::options(matches));
            Ok((action, cli::flags(&GROUPS, matches)))
        }
        Some(("check", matches)) => {
            let action = Action::Check(check::options(matches));
            Ok((action, cli::flags(&GROUPS, matches)))
        }
        Some(("test", matches)) => {
            let action = Action::Test(test::options(matches));
            Ok((action, cli::flags(&GROUPS, matches)))
        }
        Some(("plan", matches)) => {
            let (options, flags) = window_plan::cli::options(matches);
            Ok((Action::Plan(options), flags))
        }
        Some(("explain", matches)) => {
            let (options, flags) = explain::cli::options(matches);
            Ok((Action::Explain(options), flags))
        }
        Some(("status", matches)) => {
            let (options, flags) = status::cli::options(matches);
            Ok((Action::Status(options), flags))
        }
        Some(("reset", matches)) => {
            let (options, flags) = reset::cli::options(matches)?;
            Ok((Action::Reset(options), flags))
        }
        Some(("dead-letters", matches)) => {
            dead_letters::cli::action(matches).ok_or(RunOutcome::Usage.code())
        }
        Some(("report", matches)) => {
            let parsed = run_report::cli::options(matches).ok_or(RunOutcome::Usage.code());
            parsed.map(|(options, flags)| (Action::Report(options), flags))
        }
        Some(("init", matches)) => {
            let options = init::cli::options(matches).ok_or(RunOutcome::Usage.code());
            options.map(|options| (Action::Init(options), Vec::new()))
        }
        Some(("settings", matches)) => Ok((listing::action(matches), cli::flags(&GROUPS, matches))),
        Some(("man", matches)) => {
            let directory: Option<&PathBuf> = matches.get_one("directory");
            let directory = directory.ok_or(RunOutcome::Usage.code())?;
            Ok((Action::ManPages(directory.clone()), Vec::new()))
        }
        Some(("completions", matches)) => match matches.get_one::<Shell>("shell") {
            Some(shell) => Ok((Action::Completions(*shell), Vec::new())),
            None => Err(RunOutcome::Usage.code()),
        },
        _ => Err(RunOutcome::Usage.code()),
    }
}

/// The command with its subcommands and flags.
pub fn command() -> Command {
    Command::new("forward")
        .about("Reads one bounded window of a Kafka topic, delivers each record to the endpoint of its route, and exits")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(run::command())
        .subcommand(check::command())
        .subcommand(test::command())
        .subcommand(window_plan::cli::command())
        .subcommand(explain::cli::command())
        .subcommand(status::cli::command())
        .subcommand(reset::cli::command())
        .subcommand(dead_letters::cli::command())
        .subcommand(run_report::cli::command())
        .subcommand(init::cli::command())
        .subcommand(listing::command())
        .subcommand(completions::command())
        .subcommand(man_pages::command())
}

/// A file or an object.
pub(crate) fn location(text: &str) -> Result<Location, String> {
    let parsed = text.parse();
    parsed.map_err(|()| "expected a path, or an object as oci://BUCKET/OBJECT".to_owned())
}

/// The option `--output`.
pub(crate) fn form(help: &'static str) -> Arg {
    Arg::new("output")
        .long("output")
        .value_name("FORM")
        .help(help)
        .value_parser(["text", "json"])
        .default_value("text")
}

/// The value of [`form`].
pub(crate) fn output(matches: &ArgMatches) -> Output {
    match matches.get_one::<String>("output").map(String::as_str) {
        Some("json") => Output::Json,
        _ => Output::Text,
    }
}

#[cfg(test)]
mod tests;
