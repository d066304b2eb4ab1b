//! The command line of `forward plan`, and the options of `forward run` about plans.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};
use settings::cli;

use super::outcome::PlanOutcome;
use super::shard::{MAX_SHARDS, Shard};
use crate::cli::{Flags, Output};
use crate::settings::GROUPS;

/// Options of a plan that are not settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Read and route the records of the window, to count them per route.
    pub count: bool,
    /// Divide the partitions into this many shards.
    pub shards: Option<u32>,
    /// How long reading records may take.
    pub timeout: Duration,
    /// The form of the plan on standard output.
    pub output: Output,
}

/// The plan that a run executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// The shard; `None`: all of the plan.
    pub shard: Option<Shard>,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let command = Command::new("plan")
        .about("Writes the window that a run would have now as a plan, which can be reviewed and executed")
        .next_help_heading("This plan")
        .arg(
            Arg::new("count")
                .long("count")
                .help("Also read and route the records of the window, and count them per route.")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("shards")
                .long("shards")
                .value_name("NUMBER")
                .help("Divide the partitions into this many shards of similar size, for forward run --shard.")
                .value_parser(value_parser!(u32).range(1..=i64::from(MAX_SHARDS))),
        )
        .arg(timeout())
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("FORM")
                .help("The form of the plan on standard output. Only json can be executed.")
                .value_parser(["text", "json"])
                .default_value("json"),
        )
        .after_help(format!(
            "Examples:\n  \
             Plan what the next run would read, look at it, execute it:\n    \
             forward plan --config-location config.properties --count > plan.json\n    \
             forward run --config-location config.properties --plan plan.json\n  \
             Plan a replay in four shards, and execute one of them:\n    \
             forward plan --window-start 2026-11-22T08:00:00Z --shards 4 > plan.json\n    \
             forward run --plan plan.json --shard 2/4\n\n\
             The window is that of WINDOW_START, WINDOW_END and WINDOW_MAX_RECORDS; WINDOW_MAX_BYTES has no effect. Nothing \
             is written, and the consumer group is not joined.\n\n\
             Exit codes:\n{}",
            PlanOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options, and the settings given as flags.
pub(crate) fn options(matches: &ArgMatches) -> (PlanOptions, Flags) {
    let options = PlanOptions {
        count: matches.get_flag("count"),
        shards: matches.get_one("shards").copied(),
        timeout: timeout_of(matches),
        output: crate::cli::output(matches),
    };
    (options, cli::flags(&GROUPS, matches))
}

/// How long a dry read may take.
pub(crate) fn timeout() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .help("How long reading records may take.")
        .default_value("60s")
        .value_parser(cli::duration)
}

/// The value of [`timeout`].
pub(crate) fn timeout_of(matches: &ArgMatches) -> Duration {
    let timeout = matches.get_one("timeout").copied();
    timeout.unwrap_or(Duration::from_secs(60))
}

/// The options of a run about plans.
pub(crate) fn run_options() -> [Arg; 2] {
    [
        Arg::new("plan")
            .long("plan")
            .value_name("FILE")
            .help("Execute this plan of forward plan, and no other window; - is standard input. The settings of the window have no effect.")
            .conflicts_with("every")
            .value_hint(ValueHint::FilePath)
            .value_parser(value_parser!(PathBuf)),
        Arg::new("shard")
            .long("shard")
            .value_name("NUMBER/SHARDS")
            .help("Execute only this shard of the plan, such as 2/4.")
            .requires("plan")
            .value_parser(Shard::parse),
    ]
}

/// The plan of a run, if it has one.
pub(crate) fn plan_file(matches: &ArgMatches) -> Option<PlanFile> {
    let path = matches.get_one("plan").cloned();
    path.map(|path| PlanFile {
        path,
        shard: matches.get_one("shard").copied(),
    })
}
