//! The command line of `forward reset`.

use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use settings::cli;

use super::outcome::ResetOutcome;
use super::target::ResetTarget;
use crate::cli::{Flags, Output, form, output};
use crate::settings::GROUPS;
use crate::window_plan::cli::{timeout, timeout_of};

/// Options of a reset that are not settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResetOptions {
    /// Where the commits are moved to.
    pub target: ResetTarget,
    /// The only partition; `None`: all of them.
    pub partition: Option<i32>,
    /// Move them. Otherwise this is a preview.
    pub yes: bool,
    /// Read the records that are skipped or repeated, to count them.
    pub count: bool,
    /// How long reading records may take.
    pub timeout: Duration,
    /// The form of the report on standard output.
    pub output: Output,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let command = Command::new("reset")
        .about("Moves the commits of the group, and shows what that skips or repeats; without --yes it only shows it")
        .next_help_heading("This reset")
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("TARGET")
                .help("Where the commits are moved to: earliest or latest (the start or the end of the log), a time (RFC 3339, or 2h for this time before now), or an offset of --partition.")
                .required(true)
                .value_parser(ResetTarget::parse),
        )
        .arg(
            Arg::new("partition")
                .long("partition")
                .value_name("NUMBER")
                .help("Move the commit of this partition only.")
                .value_parser(value_parser!(i32).range(0..)),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .help("Move the commits. Without this, nothing is changed.")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("count")
                .long("count")
                .help("Also read and route what is skipped or repeated, and count the records.")
                .action(ArgAction::SetTrue),
        )
        .arg(timeout())
        .arg(form("The form of the report on standard output."))
        .after_help(format!(
            "Examples:\n  \
             What would be delivered again if the endpoints had lost everything since eight o'clock?\n    \
             forward reset --config-location config.properties --to 2026-11-27T08:00:00Z\n  \
             Deliver it again with the next run:\n    \
             forward reset --config-location config.properties --to 2026-11-27T08:00:00Z --yes\n  \
             Skip a record of a partition:\n    \
             forward reset --partition 3 --to 1043 --yes\n\n\
             The group must have no live run. Records that were completed above the new commits stay completed if the commits \
             are moved forwards, and are delivered again if they are moved backwards.\n\n\
             Exit codes:\n{}",
            ResetOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options, and the settings given as flags.
///
/// # Errors
/// The exit code: an offset without a partition.
pub(crate) fn options(matches: &ArgMatches) -> Result<(ResetOptions, Flags), u8> {
    let partition = matches.get_one("partition").copied();
    let target = matches.get_one::<ResetTarget>("to").copied();
    let target = target.ok_or(runtime::exit::USAGE)?;
    if matches!(target, ResetTarget::Offset(_)) && partition.is_none() {
        let error = command().bin_name("forward reset").error(
            ErrorKind::MissingRequiredArgument,
            "--to names an offset, which is one of a partition: add --partition",
        );
        // Fails if the terminal is closed.
        let _ = error.print();
        return Err(runtime::exit::USAGE);
    }
    let options = ResetOptions {
        target,
        partition,
        yes: matches.get_flag("yes"),
        count: matches.get_flag("count"),
        timeout: timeout_of(matches),
        output: output(matches),
    };
    Ok((options, cli::flags(&GROUPS, matches)))
}
