//! The definitions of the commands about dead letters, with their help.

use clap::{Arg, ArgAction, ArgGroup, Command, ValueHint, value_parser};
use settings::cli;

use super::super::outcome::LettersOutcome;
use super::arguments::{at, reason, timeout, with_selection};
use crate::cli::{form, location};
use crate::exit::RunOutcome;
use crate::settings::GROUPS;

pub(super) fn list() -> Command {
    let command = Command::new("list")
        .about("Counts dead letters by cause and route, and lists the newest")
        .next_help_heading("This list");
    let command = with_selection(command)
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("The most dead letters that are listed: the newest. All are counted. [default: 20]")
                .value_parser(value_parser!(u16)),
        )
        .arg(timeout())
        .arg(form("The form of the list on standard output."))
        .after_help(format!(
            "Examples:\n  \
             What was not delivered in the last day, and why?\n    \
             forward dead-letters list --config-location config.properties --since 24h\n  \
             What did the endpoint of route A reject?\n    \
             forward dead-letters list --cause refused --route A --limit 100 --output json\n  \
             The dead letters of a connector:\n    \
             forward dead-letters list --dead-letter-topic connect-dlq\n\n\
             A dead letter is shown as replayed if a replay with the same selection has delivered it.\n\
             Nothing is written, and no consumer group is joined.\n\n\
             Exit codes:\n{}",
            LettersOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

pub(super) fn show() -> Command {
    let command = Command::new("show")
        .about("Shows a dead letter with its cause and its record")
        .next_help_heading("This dead letter")
        .arg(at().required(true).num_args(1))
        .arg(timeout())
        .arg(form("The form of the dead letter on standard output."))
        .after_help(format!(
            "Examples:\n  \
             Why is this record a dead letter, and what is in it?\n    \
             forward dead-letters show --config-location config.properties orders-dead-letter/0@17\n\n\
             Nothing is written, and no consumer group is joined.\n\n\
             Exit codes:\n{}",
            LettersOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

pub(super) fn replay() -> Command {
    let command = Command::new("replay")
        .about("Delivers the records of dead letters to the routes that take them now")
        .next_help_heading("This replay");
    let command = with_selection(command)
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("TARGET")
                .help("Where the records go: route (to the endpoint of the route that takes them now) or source (to KAFKA_TOPIC, which they come from).")
                .value_parser(["route", "source"])
                .default_value("route"),
        )
        .arg(
            Arg::new("dry_run")
                .long("dry-run")
                .help("Read, decode and route the records, but deliver and commit nothing.")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("report")
                .long("report")
                .value_name("LOCATION")
                .help("Also write the report to this file, or to Object Storage as oci://BUCKET/OBJECT, as JSON.")
                .value_hint(ValueHint::FilePath)
                .value_parser(location),
        )
        .arg(timeout())
        .arg(form("The form of the report on standard output: that of forward run."))
        .after_help(format!(
            "Examples:\n  \
             What would be sent?\n    \
             forward dead-letters replay --config-location config.properties --cause refused --route A --dry-run\n  \
             Send it, and continue it after an interruption: the same selection again\n    \
             forward dead-letters replay --config-location config.properties --cause refused --route A\n  \
             Back to the topic, for all of its consumers:\n    \
             forward dead-letters replay --cause undecodable --to source\n  \
             One record:\n    \
             forward dead-letters replay orders-dead-letter/0@17\n\n\
             The requests have the bytes and the idempotency keys of the first delivery. The progress is in the consumer \
             group KAFKA_GROUP_ID.replay.FINGERPRINT of the selection: what it has delivered, it does not deliver again. \
             A record that is rejected again stays a dead letter, counts as dead_lettered, and is sent by the next replay \
             of the selection. Discarded letters are skipped, as is what is not selected.\n\n\
             Exit codes:\n{}",
            RunOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

pub(super) fn discard() -> Command {
    let command = Command::new("discard")
        .about("Records in the dead-letter topic that dead letters are not to be replayed, and why")
        .next_help_heading("This command");
    let command = with_selection(command)
        .group(
            ArgGroup::new("selection")
                .args(["coordinates", "cause", "route", "since", "until", "partition"])
                .multiple(true)
                .required(true),
        )
        .arg(
            Arg::new("reason")
                .long("reason")
                .value_name("TEXT")
                .help("Why, in at most 500 characters.")
                .required(true)
                .value_parser(reason),
        )
        .arg(
            Arg::new("dry_run")
                .long("dry-run")
                .help("Count the dead letters, but write nothing.")
                .action(ArgAction::SetTrue),
        )
        .arg(timeout())
        .arg(form("The form of the result on standard output."))
        .after_help(format!(
            "Examples:\n  \
             A test record that no endpoint needs:\n    \
             forward dead-letters discard orders-dead-letter/0@17 --reason \"sent by a load test\"\n  \
             All of one cause before a time:\n    \
             forward dead-letters discard --cause undecodable --until 2026-11-27T08:00:00Z --reason \"ticket 4711\"\n\n\
             The record of a discarded letter stays in the topic, and list shows it as discarded. Replays skip it.\n\n\
             Exit codes:\n{}",
            LettersOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}
