//! The command line of `forward check`.

use clap::{Arg, ArgAction, ArgMatches, Command};
use settings::cli;

use super::{Output, form, output};
use crate::settings::GROUPS;

/// Options of a check that are not settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// The form of the report on standard output.
    pub output: Output,
    /// Check the settings, the schema and the routes only.
    pub offline: bool,
}

/// The subcommand.
pub(super) fn command() -> Command {
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
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options.
pub(super) fn options(matches: &ArgMatches) -> CheckOptions {
    CheckOptions {
        output: output(matches),
        offline: matches.get_flag("offline"),
    }
}
