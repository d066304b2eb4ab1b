//! The command line of `forward status`.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use settings::cli;

use super::outcome::StatusOutcome;
use crate::cli::{Flags, Output, form, output};
use crate::settings::GROUPS;

/// Options of a status that are not settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusOptions {
    /// Read and route the records of the lag, to count them per route.
    pub by_route: bool,
    /// How long each of these may take: reading the oldest records, the lag, the dead letters.
    pub timeout: Duration,
    /// The limits.
    pub limits: StatusLimits,
    /// The form of the status on standard output.
    pub output: Output,
}

/// The limits that a monitoring system sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusLimits {
    /// The most records that are not completed, in all partitions together.
    pub max_lag: Option<u64>,
    /// The highest age of a record that is not completed.
    pub max_age: Option<Duration>,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let command = Command::new("status")
        .about("Shows lag, oldest records, paused routes and dead letters of the group, without any effect")
        .next_help_heading("This status")
        .arg(
            Arg::new("by_route")
                .long("by-route")
                .help("Also read and route the records that are not completed, and count them per route.")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("max_lag")
                .long("max-lag")
                .value_name("COUNT")
                .help("Exit with 30 if more records than this are not completed.")
                .value_parser(value_parser!(u64)),
        )
        .arg(
            Arg::new("max_age")
                .long("max-age")
                .value_name("DURATION")
                .help("Exit with 30 if a record that is not completed is older than this.")
                .value_parser(cli::duration),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .help("How long each of these may take: reading the oldest records, the lag, the dead letters.")
                .default_value("30s")
                .value_parser(cli::duration),
        )
        .arg(form("The form of the status on standard output."))
        .after_help(format!(
            "Examples:\n  \
             How far behind is the job?\n    \
             forward status --config-location config.properties\n  \
             Which endpoint is behind?\n    \
             forward status --by-route\n  \
             For a monitoring system:\n    \
             forward status --max-lag 10000 --max-age 1h --output json\n\n\
             Nothing is written, and the consumer group is not joined.\n\n\
             Exit codes:\n{}",
            StatusOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options, and the settings given as flags.
pub(crate) fn options(matches: &ArgMatches) -> (StatusOptions, Flags) {
    let options = StatusOptions {
        by_route: matches.get_flag("by_route"),
        timeout: matches
            .get_one::<Duration>("timeout")
            .copied()
            .unwrap_or(Duration::from_secs(30)),
        limits: StatusLimits {
            max_lag: matches.get_one("max_lag").copied(),
            max_age: matches.get_one("max_age").copied(),
        },
        output: output(matches),
    };
    (options, cli::flags(&GROUPS, matches))
}
