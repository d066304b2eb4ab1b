//! The arguments that several commands about dead letters have.

use clap::{Arg, ArgMatches, Command, value_parser};
use record::Coordinates;
use settings::cli;

use super::super::selection::Selection;
use crate::cli::Flags;
use crate::completions::CauseParser;
use crate::dead_letter::discard::MAX_REASON;
use crate::settings::DEAD_LETTER_TOPIC;
use crate::time_bound::TimeBound;

pub(super) fn reason(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.chars().count() > MAX_REASON {
        true => Err(format!("expected a text of 1 to {MAX_REASON} characters")),
        false => Ok(text.to_owned()),
    }
}

pub(super) fn with_selection(command: Command) -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(at().num_args(1..))
        .arg(
            text("cause", "CAUSE", "Those with this cause, such as refused, or class of an exception.")
                .value_parser(CauseParser)
                .hide_possible_values(true),
        )
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

pub(super) fn at() -> Arg {
    Arg::new("coordinates")
        .value_name("TOPIC/PARTITION@OFFSET")
        .help("The coordinates of a dead letter in its topic. TOPIC/ may be left out: the topic is that of DEAD_LETTER_TOPIC.")
        .value_parser(|text: &str| {
            // The topic of a text without one is known after the settings are read.
            let parsed = Coordinates::parse(text, Some("topic"));
            parsed.map(|_| text.to_owned())
        })
}

pub(super) fn timeout() -> Arg {
    Arg::new("timeout")
        .long("timeout")
        .value_name("DURATION")
        .help("How long each of these may take: reading the dead letters, and reading which of them are discarded.")
        .default_value("60s")
        .value_parser(cli::duration)
}

pub(super) fn selection(matches: &ArgMatches, flags: &mut Flags) -> Selection {
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
pub(super) fn coordinates(matches: &ArgMatches, flags: &mut Flags) -> Vec<String> {
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
