//! The command line of `forward settings`, and what it prints.

use clap::{Arg, ArgAction, ArgMatches, Command};
use settings::{Settings, Source, cli, markdown};

use super::Action;
use crate::exit::RunOutcome;
use crate::settings::GROUPS;

/// The subcommand.
pub(super) fn command() -> Command {
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
        )
        .defer(|command| cli::with_settings(command, &GROUPS))
}

/// The action.
pub(super) fn action(matches: &ArgMatches) -> Action {
    match matches.get_flag("kafka") {
        true => Action::KafkaSettings,
        false => Action::Settings {
            markdown: matches.get_flag("markdown"),
        },
    }
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
