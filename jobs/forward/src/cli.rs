//! The command line of `forward`: arguments in, an action and settings out.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;
use settings::{Location, Settings, Source, cli, markdown};

use crate::completions;
use crate::dead_letters::{self, LettersOptions, ReplayOptions};
use crate::exit::RunOutcome;
use crate::explain::{self, ExplainOptions};
use crate::init::{self, InitOptions};
use crate::man_pages;
use crate::reset::{self, ResetOptions};
use crate::route_test::{STREAM_CLUSTER, STREAM_TOPIC, TestOutcome};
use crate::run_report::{self, ReportOptions};
use crate::settings::GROUPS;
use crate::status::{self, StatusOptions};
use crate::window_plan::{self, PlanFile, PlanOptions};

/// Settings given as flags, for [`Settings::gather`]: name and value.
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

/// Options of a check that are not settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The form of the report on standard output.
    pub output: Output,
    /// Check the settings, the schema and the routes only.
    pub offline: bool,
}

/// Options of a test that are not settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOptions {
    /// The file of samples; `-` is standard input.
    pub records: PathBuf,
    /// The form of the results on standard output.
    pub output: Output,
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
        Some(("run", matches)) => Ok((Action::Run(options(matches)), cli::flags(&GROUPS, matches))),
        Some(("check", matches)) => {
            let options = CheckOptions {
                output: output(matches),
                offline: matches.get_flag("offline"),
            };
            Ok((Action::Check(options), cli::flags(&GROUPS, matches)))
        }
        Some(("test", matches)) => {
            let options = TestOptions {
                records: matches.get_one("records").cloned().unwrap_or_default(),
                output: output(matches),
            };
            Ok((Action::Test(options), cli::flags(&GROUPS, matches)))
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
        Some(("settings", matches)) => {
            let markdown = matches.get_flag("markdown");
            let action = if matches.get_flag("kafka") {
                Action::KafkaSettings
            } else {
                Action::Settings { markdown }
            };
            Ok((action, cli::flags(&GROUPS, matches)))
        }
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
        .subcommand(run())
        .subcommand(check())
        .subcommand(test())
        .subcommand(window_plan::cli::command())
        .subcommand(explain::cli::command())
        .subcommand(status::cli::command())
        .subcommand(reset::cli::command())
        .subcommand(dead_letters::cli::command())
        .subcommand(run_report::cli::command())
        .subcommand(init::cli::command())
        .subcommand(cli::with_settings(
            Command::new("settings")
                .about("Prints every setting of the job with its value and source")
                .arg(
                    Arg::new("kafka")
                        .long("kafka")
                        .help("Print the properties of the Kafka clients instead, by librdkafka's names.")
                        .conflicts_with("markdown")
                        .action(ArgAction::SetTrue),
                )
                .arg(
                    Arg::new("markdown")
                        .long("markdown")
                        .help("Print settings and exit codes as Markdown tables.")
                        .action(ArgAction::SetTrue),
                )
                .after_help(
                    "Examples:\n  \
                     Where does each value come from?\n    \
                     forward settings --config-location config.properties\n  \
                     What do the Kafka clients use?\n    \
                     forward settings --kafka --config-location config.properties\n\n\
                     Secrets are shown as [redacted].",
                ),
            &GROUPS,
        ))
        .subcommand(completions::command())
        .subcommand(man_pages::command())
}

/// The job's settings and exit codes as Markdown tables.
pub fn markdown() -> String {
    format!(
        "{}\n### Exit codes of `forward run`\n\n{}",
        markdown::tables(&GROUPS),
        RunOutcome::markdown()
    )
}

/// Every setting of the job that has a value, one per line: environment variable, value (secrets as `[redacted]`) and
/// source.
pub fn listing(settings: &Settings) -> String {
    let listing = settings.listing();
    let mut rows = Vec::new();
    for setting in GROUPS.iter().flat_map(|group| group.settings) {
        let values = listing.iter().filter(|(name, ..)| setting.has_value(name));
        rows.extend(
            values.map(|(name, value, source)| (name.to_ascii_uppercase(), value, *source)),
        );
    }
    let widest = |width: fn(&(String, &String, Source)) -> usize| rows.iter().map(width).max();
    let name = widest(|row| row.0.len()).unwrap_or(0);
    let value = widest(|row| row.1.chars().count()).unwrap_or(0);
    rows.iter()
        .map(|(variable, text, source)| format!("{variable:<name$}  {text:<value$}  ({source})\n"))
        .collect()
}

fn run() -> Command {
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
    cli::with_settings(command, &GROUPS)
}

fn check() -> Command {
    let command = Command::new("check")
        .about("Checks that everything a run needs is reachable, one line per check, without any effect")
        .next_help_heading("This check")
        .arg(form("The form of the result on standard output."))
        .arg(
            Arg::new("offline")
                .long("offline")
                .help("Check the settings, the schema and the routes only, without any connection. Secrets and the broker need not be known; documents in Oracle Cloud are errors.")
                .action(ArgAction::SetTrue),
        )
        .after_help(
            "Examples:\n  \
             Check a routes file in CI:\n    \
             forward check --offline --routes routes.yaml --avro-schema order.avsc\n\n\
             Checked are the Oracle Cloud principal, the settings file, each secret and document, the broker with its \
             topics and group and the permissions for them, and each route's endpoint (by GET).\n\nExit codes: 0 if no \
             check failed, else that of the first failed check: 78 the settings, 74 the broker, 75 an endpoint.",
        );
    cli::with_settings(command, &GROUPS)
}

fn test() -> Command {
    let command = Command::new("test")
        .about("Routes sample records and prints the requests that a run would send, without any connection")
        .next_help_heading("This test")
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("FILE")
                .help("A file with a sample in each line, or - for standard input: {\"value\": …, \"key\"?: TEXT, \"headers\"?: {…}, \"timestamp\"?: MILLISECONDS, \"expect\"?: ROUTE or null}. The value is the record as JSON of AVRO_SCHEMA, or null for a tombstone.")
                .required(true)
                .value_hint(ValueHint::FilePath)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(form("The form of the results on standard output."))
        .after_help(format!(
            "Examples:\n  \
             Test a routes file in CI:\n    \
             forward test --routes routes.yaml --avro-schema order.avsc --records samples.ndjson\n  \
             Show the request of one record:\n    \
             echo '{{\"value\": {{\"id\": 1010, \"name\": \"Paul\", \"email\": \"p@x.org\"}}}}' | forward test --routes routes.yaml --records -\n\n\
             Neither a broker nor the secrets of the routes need be known. Idempotency keys are \
             {STREAM_CLUSTER}/{STREAM_TOPIC}/0/OFFSET; the offset is the number of the line, counted from 0. Credentials \
             are shown as [redacted].\n\n\
             Exit codes:\n{}",
            TestOutcome::help().trim_end()
        ));
    cli::with_settings(command, &GROUPS)
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

fn options(matches: &ArgMatches) -> RunOptions {
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

#[cfg(test)]
mod tests;
