//! The command line of `forward run`.

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint};
use settings::{Location, cli};

use super::{Output, form, location, output};
use crate::exit::RunOutcome;
use crate::settings::GROUPS;
use crate::window_plan::{self, PlanFile};

/// Options of a run that are not settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunOptions {
    /// The interval at which windows start; `None`: one window, then exit.
    pub every: Option<Duration>,
    /// The form of the report on standard output.
    pub output: Output,
    /// A file or an object that also receives the report, as JSON.
    pub report: Option<Location>,
    /// Read, decode and route, but deliver, write and commit nothing.
    pub dry_run: bool,
    /// Whether progress may be shown on a terminal.
    pub progress: bool,
    /// The plan to execute; `None`: the window of the settings.
    pub plan: Option<PlanFile>,
}

impl RunOptions {
    /// True when progress is not disabled and this stream is a terminal.
    pub fn shows_progress(&self, stream: &impl IsTerminal) -> bool {
        self.progress && stream.is_terminal()
    }
}

/// The subcommand.
pub(super) fn command() -> Command {
    let command = Command::new("run")
        .about("Runs one window, or one after another, and reports the outcome of every record")
        .next_help_heading("This run")
        .arg(
            Arg::new("every")
                .long("every")
                .value_name("DURATION")
                .help("Start a window at this interval in one long-lived process, instead of exiting after the first.")
                .value_parser(cli::duration),
        )
        .args(window_plan::cli::run_options())
        .arg(
            Arg::new("dry_run")
                .long("dry-run")
                .help("Read, decode and route the records, but deliver, write and commit nothing. The exit code is that of a run whose endpoints accept every record.")
                .action(ArgAction::SetTrue),
        )
        .arg(form("The form of the report on standard output."))
        .arg(
            Arg::new("report")
                .long("report")
                .value_name("LOCATION")
                .help("Also write the report to this file, or to Object Storage as oci://BUCKET/OBJECT, as JSON; each window replaces it.")
                .value_hint(ValueHint::FilePath)
                .value_parser(location),
        )
        .arg(
            Arg::new("progress")
                .long("progress")
                .value_name("WHEN")
                .help("When to show progress on standard error: auto (if it is a terminal) or never.")
                .value_parser(["auto", "never"])
                .default_value("auto"),
        )
        .after_help(format!(
            "Examples:\n  \
             Show what a window would do, without any effect:\n    \
             forward run --kafka-bootstrap-servers localhost:9092 --api-type-a-url http://localhost:9001/ \
             --api-type-b-url http://localhost:9002/ --dry-run\n  \
             A window every 30 seconds, with settings and routes from files:\n    \
             forward run --config-location config.properties --routes routes.json --every 30s --output json\n\n\
             Exit codes:\n{}",
            RunOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options.
pub(super) fn options(matches: &ArgMatches) -> RunOptions {
    let is = |name: &str, value: &str| {
        matches.get_one::<String>(name).map(String::as_str) == Some(value)
    };
    RunOptions {
        every: matches.get_one("every").copied(),
        output: output(matches),
        report: matches.get_one("report").cloned(),
        dry_run: matches.get_flag("dry_run"),
        progress: !is("progress", "never"),
        plan: window_plan::cli::plan_file(matches),
    }
}
