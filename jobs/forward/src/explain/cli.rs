//! The command line of `forward explain`.

use std::time::Duration;

use clap::{Arg, ArgGroup, ArgMatches, Command, value_parser};
use record::Coordinates;
use settings::cli;

use super::outcome::ExplainOutcome;
use crate::cli::{Flags, Output, form, output};
use crate::settings::GROUPS;
use crate::time_bound::TimeBound;

/// Options of an explanation that are not settings.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainOptions {
    /// The records.
    pub selection: Selection,
    /// The form of the report on standard output.
    pub output: Output,
    /// How long reading may take, for each of: the record or the search, the dead letters.
    pub timeout: Duration,
}

/// Which records are explained.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// That with these coordinates: `TOPIC/PARTITION@OFFSET`, or without the topic.
    At(String),
    /// Those of a time range.
    Search {
        /// What they have.
        criterion: Criterion,
        /// The start of the time range.
        since: TimeBound,
        /// The end of the time range, exclusive; `None`: now.
        until: Option<TimeBound>,
        /// The most records.
        limit: usize,
    },
}

/// What a record must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// This Kafka key.
    Key(String),
    /// This value of a field.
    Field {
        /// The path of the field: `id`, `address.city`.
        path: String,
        /// The value, as in JSON, without the quotation marks of a string.
        value: String,
    },
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let command = Command::new("explain")
        .about("Shows what happened to a record and what a run does with it, without any effect")
        .next_help_heading("This explanation")
        .arg(
            Arg::new("coordinates")
                .value_name("TOPIC/PARTITION@OFFSET")
                .help("The record. Without a topic (0@42) it is one of KAFKA_TOPIC.")
                .value_parser(coordinates),
        )
        .arg(
            Arg::new("key")
                .long("key")
                .value_name("KEY")
                .help("Instead: the records with this Kafka key."),
        )
        .arg(
            Arg::new("id_field")
                .long("id-field")
                .value_name("NAME=VALUE")
                .help("Instead: the records with this value of a field, such as id=1010 or customer.city=Lisbon.")
                .value_parser(field),
        )
        .arg(
            Arg::new("since")
                .long("since")
                .value_name("TIME")
                .help("The start of a search: a time (RFC 3339), or a duration before now.")
                .default_value("24h")
                .value_parser(TimeBound::parse),
        )
        .arg(
            Arg::new("until")
                .long("until")
                .value_name("TIME")
                .help("The end of a search [default: now]")
                .value_parser(TimeBound::parse),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .help("The most records that a search explains.")
                .default_value("10")
                .value_parser(value_parser!(u16).range(1..)),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("DURATION")
                .help("How long the search, and that for dead letters, may take.")
                .default_value("30s")
                .value_parser(cli::duration),
        )
        .group(
            ArgGroup::new("selection")
                .args(["coordinates", "key", "id_field"])
                .required(true),
        )
        .arg(form("The form of the explanation on standard output."))
        .after_help(format!(
            "Examples:\n  \
             Why was this record not delivered?\n    \
             forward explain --config-location config.properties orders/3@1042\n  \
             What happened to the orders of a customer in the last two hours?\n    \
             forward explain --key customer-17 --since 2h\n  \
             The same by a field, for a program:\n    \
             forward explain --id-field id=1010 --since 2026-11-27T08:00:00Z --output json\n\n\
             Nothing is written, and the consumer group is not joined. Credentials in requests are shown as [redacted].\n\n\
             Exit codes:\n{}",
            ExplainOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options, and the settings given as flags. The topic of the coordinates is `KAFKA_TOPIC`.
pub(crate) fn options(matches: &ArgMatches) -> (ExplainOptions, Flags) {
    let mut flags = cli::flags(&GROUPS, matches);
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let search = |criterion| Selection::Search {
        criterion,
        since: bound(matches, "since").unwrap_or(TimeBound::Ago(Duration::from_secs(24 * 3600))),
        until: bound(matches, "until"),
        limit: matches
            .get_one::<u16>("limit")
            .map_or(10, |limit| usize::from(*limit)),
    };
    let selection = if let Some(key) = text("key") {
        search(Criterion::Key(key))
    } else if let Some((path, value)) = matches.get_one::<(String, String)>("id_field").cloned() {
        search(Criterion::Field { path, value })
    } else {
        let coordinates = text("coordinates").unwrap_or_default();
        if let Some((topic, _)) = coordinates.split_once('/') {
            flags.retain(|(name, _)| *name != kafka::settings::KAFKA_TOPIC.name);
            flags.push((kafka::settings::KAFKA_TOPIC.name, topic.to_owned()));
        }
        Selection::At(coordinates)
    };
    let options = ExplainOptions {
        selection,
        output: output(matches),
        timeout: matches
            .get_one::<Duration>("timeout")
            .copied()
            .unwrap_or(Duration::from_secs(30)),
    };
    (options, flags)
}

fn bound(matches: &ArgMatches, name: &str) -> Option<TimeBound> {
    matches.get_one::<TimeBound>(name).copied()
}

fn coordinates(text: &str) -> Result<String, String> {
    // The topic of a text without one is known after the settings are read.
    let parsed = Coordinates::parse(text, Some("topic"));
    parsed
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => Ok((path.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}
