//! Settings as command-line flags and back, and as the README's table. Pure, but for [`parse`], which prints.
//!
//! A secret has no flag: a command line is visible to every user of the machine (`ps`).

use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command};

use super::{Group, Setting};
use runtime::exit::USAGE;

/// Adds a flag for every setting of these groups, under the group's heading, and names the secrets, which have
/// none, at the end of the help.
pub fn with_settings(mut command: Command, groups: &[&'static Group]) -> Command {
    let mut secrets = String::new();
    for group in groups {
        for setting in group.settings {
            if setting.secret {
                let _ = writeln!(secrets, "  {}  {}", setting.variable(), setting.help);
            } else {
                command = command.arg(argument(setting).help_heading(group.heading));
            }
        }
    }
    if secrets.is_empty() {
        return command;
    }
    let before = match command.get_after_help() {
        Some(text) => format!("{text}\n\n"),
        None => String::new(),
    };
    command.after_help(format!(
        "{before}Secrets are read from the environment or config.properties, never from a flag, which everyone on \
         the machine could see:\n{}",
        secrets.trim_end()
    ))
}

/// The flags for settings of these groups that were given, for [`Settings::gather`](super::Settings::gather).
pub fn given(groups: &[&'static Group], matches: &ArgMatches) -> Vec<(&'static str, String)> {
    groups
        .iter()
        .flat_map(|group| group.settings)
        .filter_map(|setting| {
            let value = matches.try_get_one::<String>(setting.name).ok()??;
            Some((setting.name, value.clone()))
        })
        .collect()
}

/// Reads a command line. On `--help`, `--version` and on an error it prints what is due and hands back the exit
/// code: 0, or 64 for a command line that is not understood.
///
/// # Errors
/// There is nothing more to do but exit with the code.
pub fn parse(
    command: Command,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, u8> {
    command.try_get_matches_from(arguments).map_err(|error| {
        // Nobody is left to tell when the terminal is gone.
        let _ = error.print();
        exit_code(&error)
    })
}

/// The exit code of what clap has to say.
pub fn exit_code(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => USAGE,
    }
}

/// A flag's value as a duration, for clap's `value_parser`.
///
/// # Errors
/// Not of the form `500ms`, `30s`, `5m`, `1h`, or nothing at all.
pub fn duration(text: &str) -> Result<Duration, String> {
    super::values::duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a duration such as 500ms, 30s, 5m or 1h".to_owned())
}

/// The README's tables of settings, one for each group.
pub fn markdown(groups: &[&Group]) -> String {
    let mut text = String::new();
    for group in groups {
        let _ = writeln!(
            text,
            "### {}\n\n| Setting | Default | Meaning |\n|---|---|---|",
            group.heading
        );
        for setting in group.settings {
            let default = match setting.default {
                Some(default) => format!("`{default}`"),
                None => String::new(),
            };
            let note = if setting.secret { " Secret." } else { "" };
            let _ = writeln!(
                text,
                "| `{}` | {} | {}{note} |",
                setting.variable(),
                cell(&default),
                cell(setting.help)
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        Some(default) => format!(" [default: {default}]"),
        None => String::new(),
    };
    Arg::new(setting.name)
        .long(setting.flag())
        .aliases(setting.aliases.iter().map(|alias| alias.replace('_', "-")))
        .value_name(value_name(setting))
        .help(format!(
            "{}{default} [env: {}]",
            setting.help,
            setting.variable()
        ))
}

/// What stands for the value in the help: its kind where the default shows it, else the last word of the name.
fn value_name(setting: &Setting) -> String {
    let default = setting.default.unwrap_or_default();
    if super::values::duration(default).is_some() {
        return "DURATION".to_owned();
    }
    if default.parse::<f64>().is_ok() {
        return "NUMBER".to_owned();
    }
    if super::values::bytes(default).is_some() {
        return "SIZE".to_owned();
    }
    let last = setting.name.rsplit('_').next().unwrap_or(setting.name);
    last.to_ascii_uppercase()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{EVERY_PROGRAM, LOG_LEVEL};
    use crate::samples::{GROUPS, KAFKA, KAFKA_TOPIC};

    fn command() -> Command {
        with_settings(
            Command::new("program").after_help("Examples: none."),
            &[&EVERY_PROGRAM, &KAFKA],
        )
    }

    #[test]
    fn every_group_together_makes_a_command_that_clap_accepts() {
        with_settings(Command::new("program"), &GROUPS).debug_assert();
    }

    #[test]
    fn flags_come_back_under_the_names_of_their_settings() {
        let matches = command()
            .try_get_matches_from(["program", "--kafka-topic", "orders", "--log-level=debug"])
            .unwrap();
        assert_eq!(
            given(&GROUPS, &matches),
            [
                (LOG_LEVEL.name, "debug".to_owned()),
                (KAFKA_TOPIC.name, "orders".to_owned()),
            ]
        );
    }

    #[test]
    fn an_alias_is_accepted_and_not_shown() {
        let matches = command()
            .try_get_matches_from(["program", "--kafka-bootstrapserver", "b:9092"])
            .unwrap();
        assert_eq!(
            given(&GROUPS, &matches),
            [("kafka_bootstrap_servers", "b:9092".to_owned())]
        );
        let help = command().render_help().to_string();
        assert!(!help.contains("--kafka-bootstrapserver"), "{help}");
    }

    #[test]
    fn the_help_names_default_and_variable_under_a_heading() {
        let help = command().render_long_help().to_string();
        assert!(help.contains("The broker:"), "{help}");
        assert!(help.contains("--kafka-topic <TOPIC>"), "{help}");
        let joined = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            joined.contains("[default: FrontDoorTopic] [env: KAFKA_TOPIC]"),
            "{help}"
        );
    }

    #[test]
    fn a_secret_has_no_flag_and_the_help_says_where_it_goes() {
        let error = command()
            .try_get_matches_from(["program", "--kafka-password", "hunter2"])
            .unwrap_err();
        assert_eq!(exit_code(&error), USAGE);
        let help = command().render_help().to_string();
        assert!(help.contains("Examples: none.\n\nSecrets"), "{help}");
        assert!(
            help.contains("  KAFKA_PASSWORD  The SASL password"),
            "{help}"
        );
    }

    #[test]
    fn an_unknown_flag_is_a_usage_error_and_help_is_none() {
        let code = |argument: &str| {
            let error = command()
                .version("1")
                .try_get_matches_from(["program", argument])
                .unwrap_err();
            exit_code(&error)
        };
        assert_eq!(code("--kafka-topc"), 64);
        assert_eq!(code("--help"), 0);
        assert_eq!(code("--version"), 0);
    }

    #[test]
    fn the_table_has_one_row_for_each_setting() {
        let table = markdown(&GROUPS);
        for setting in GROUPS.iter().flat_map(|group| group.settings) {
            let row = format!("| `{}` |", setting.variable());
            assert_eq!(table.matches(&row).count(), 1, "{}", setting.name);
        }
        assert!(table.contains("| `KAFKA_TOPIC` | `FrontDoorTopic` | The topic."));
    }
}
