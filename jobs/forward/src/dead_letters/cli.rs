//! The command line of `forward dead-letters`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use record::Coordinates;
use settings::cli;

use super::outcome::LettersOutcome;
use super::selection::Selection;
use crate::cli::{Action, Flags, Output, RunOptions, form, output};
use crate::dead_letter::discard::MAX_REASON;
use crate::exit::RunOutcome;
use crate::pipeline::LetterTarget;
use crate::settings::{DEAD_LETTER_TOPIC, GROUPS};
use crate::time_bound::TimeBound;

/// A command about dead letters, with what is no setting.
#[derive(Clone, Debug, PartialEq)]
pub struct LettersOptions {
    /// The command.
    pub command: LettersCommand,
    /// How long each scan of the topic may take.
    pub timeout: Duration,
    /// The form of the result on standard output.
    pub output: Output,
}

/// A command about dead letters.
#[derive(Clone, Debug, PartialEq)]
pub enum LettersCommand {
    /// Count and list them.
    List {
        /// Which.
        selection: Selection,
        /// The most rows.
        limit: usize,
    },
    /// Show one.
    Show {
        /// Its coordinates.
        coordinates: String,
    },
    /// Record that they are not to be replayed.
    Discard {
        /// Which.
        selection: Selection,
        /// Why.
        reason: String,
        /// Write nothing.
        dry_run: bool,
    },
}

/// Options of a replay that are not settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayOptions {
    /// Which dead letters.
    pub selection: Selection,
    /// Where their records go.
    pub target: LetterTarget,
    /// The options of the run.
    pub run: RunOptions,
    /// How long reading the discarded letters may take.
    pub timeout: Duration,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("dead-letters")
        .about("Lists, shows, replays and discards dead letters")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list())
        .subcommand(show())
        .subcommand(replay())
        .subcommand(discard())
}

/// What the subcommand requests, and the settings given as flags. `None`: there is no such subcommand.
pub(crate) fn action(matches: &ArgMatches) -> Option<(Action, Flags)> {
    let (name, matches) = matches.subcommand()?;
    let mut flags = cli::flags(&GROUPS, matches);
    let timeout = matches.get_one::<Duration>("timeout").copied();
    let timeout = timeout.unwrap_or(Duration::from_secs(60));
    let command = match name {
        "list" => LettersCommand::List {
            selection: selection(matches, &mut flags),
            limit: matches
                .get_one::<u16>("limit")
                .map_or(DEFAULT_LIMIT, |limit| usize::from(*limit)),
        },
        "show" => LettersCommand::Show {
            coordinates: coordinates(matches, &mut flags).into_iter().next()?,
        },
        "discard" => LettersCommand::Discard {
            selection: selection(matches, &mut flags),
            reason: matches.get_one("reason").cloned().unwrap_or_default(),
            dry_run: matches.get_flag("dry_run"),
        },
        "replay" => {
            let options = ReplayOptions {
                selection: selection(matches, &mut flags),
                target: match matches.get_one::<String>("to").map(String::as_str) {
                    Some("source") => LetterTarget::Topic,
                    _ => LetterTarget::Routes,
                },
                run: RunOptions {
                    every: None,
                    output: output(matches),
                    report: matches.get_one("report").cloned(),
                    dry_run: matches.get_flag("dry_run"),
                    progress: true,
                },
                timeout,
            };
            return Some((Action::ReplayDeadLetters(options), flags));
        }
        _ => return None,
    };
    let options = LettersOptions {
        command,
        timeout,
        output: output(matches),
    };
    Some((Action::DeadLetters(options), flags))
}

/// The rows of a list without `--limit`.
const DEFAULT_LIMIT: usize = 20;

fn list() -> Command {
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
             Nothing is written, and no consumer group is joined.\n\n\
             Exit codes:\n{}",
            LettersOutcome::help().trim_end()
        ));
    cli::with_settings(command, &GROUPS)
}

fn show() -> Command {
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
    cli::with_settings(command, &GROUPS)
}

fn replay() -> Command {
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
                .value_name("FILE")
                .help("Also write the report to this file, as JSON.")
                .value_parser(value_parser!(PathBuf)),
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
    cli::with_settings(command, &GROUPS)
}

fn discard() -> Command {
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
    cli::with_settings(command, &GROUPS)
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.chars().count() > MAX_REASON {
        true => Err(format!("expected a text of 1 to {MAX_REASON} characters")),
        false => Ok(text.to_owned()),
    }
}

fn with_selection(command: Command) -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(at().num_args(1..))
        .arg(text("cause", "CAUSE", "Those with this cause, such as refused, or class of an exception."))
        .arg(text("route", "ROUTE", "Those of records that this route took."))
        .arg(
            text("since", "TIME", "Those that were written at this time (RFC 3339) or later, or in this time before now (2h).")
                .value_parser(TimeBound::parse),
        )
        .arg(
            text("until", "TIME", "Those that were written before this time (RFC 3339), or before this time before now.")
                .value_parser(TimeBound::parse),
        )
        .arg(
            text("partition", "NUMBER", "Those in this partition of the dead-letter topic.")
                .value_parser(value_parser!(i32).range(0..)),
        )
        .arg(
            text("offsets", "FIRST-LAST", "Those at these offsets of the partition, both included.")
                .requires("partition")
                .value_parser(offsets),
        )
}

fn at() -> Arg {
    Arg::new("coordinates")
        .value_name("TOPIC/PARTITION@OFFSET")
        .help("The coordinates of a dead letter in its topic. TOPIC/ may be left out: the topic is that of DEAD_LETTER_TOPIC.")
        .value_parser(|text: &str| {
            // The topic of a text without one is known after the settings are read.
            let parsed = Coordinates::parse(text, Some("topic"));
            parsed.map(|_| text.to_owned())
        })
}

fn timeout() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .help("How long each of these may take: reading the dead letters, and reading which of them are discarded.")
        .default_value("60s")
        .value_parser(cli::duration)
}

fn selection(matches: &ArgMatches, flags: &mut Flags) -> Selection {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let bound = |name: &str| matches.get_one::<TimeBound>(name).copied();
    Selection {
        coordinates: coordinates(matches, flags),
        cause: text("cause"),
        route: text("route"),
        since: bound("since"),
        until: bound("until"),
        partition: matches.get_one("partition").copied(),
        offsets: matches.get_one("offsets").copied(),
    }
}

/// The coordinates. The topic that they name is the dead-letter topic.
fn coordinates(matches: &ArgMatches, flags: &mut Flags) -> Vec<String> {
    let found = matches.get_many::<String>("coordinates");
    let found: Vec<String> = found.into_iter().flatten().cloned().collect();
    let mut topics = found.iter().filter_map(|text| text.split_once('/'));
    if let Some((topic, _)) = topics.next() {
        flags.retain(|(name, _)| *name != DEAD_LETTER_TOPIC.name);
        flags.push((DEAD_LETTER_TOPIC.name, topic.to_owned()));
    }
    found
}

/// `10-20`, or one offset.
fn offsets(text: &str) -> Result<(i64, i64), String> {
    let number = |text: &str| text.parse().ok().filter(|number: &i64| *number >= 0);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    number(first)
        .zip(number(last))
        .filter(|(first, last)| first <= last)
        .ok_or_else(|| "expected FIRST-LAST, such as 10-20".to_owned())
}
