//! The command line of `forward dead-letters`.

mod arguments;
mod commands;

use std::time::Duration;

use clap::{ArgMatches, Command};
use settings::cli;

use super::selection::Selection;
use crate::cli::{Action, Flags, Output, RunOptions, output};
use crate::pipeline::LetterTarget;
use crate::settings::GROUPS;
use arguments::{coordinates, selection};
use commands::{discard, list, replay, show};

/// The rows of a list without `--limit`.
const DEFAULT_LIMIT: usize = 20;

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
        .after_help(
            "Examples:\n  \
             Which are there, and why?\n    \
             forward dead-letters list --since 24h\n    \
             forward dead-letters show orders-dead-letter/0@17\n  \
             After the repair:\n    \
             forward dead-letters replay --cause refused --dry-run\n    \
             forward dead-letters replay --cause refused",
        )
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
                    plan: None,
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
