//! Settings as command-line flags. Pure, except [`parse`], which prints.
//!
//! A secret has no flag: `ps` shows the command line to every user of the machine.

use std::ffi::OsString;
use std::fmt::Write;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, ValueHint};

use runtime::exit::USAGE;

use crate::{Group, Setting, units};

/// Adds a flag for every setting of these groups, under the group's heading. The end of the help lists the secrets,
/// which have no flag.
pub fn with_settings(mut command: Command, groups: &[&'static Group]) -> Command {
    let mut secrets = String::new();
    for group in groups {
        for setting in group.settings {
            if setting.secret || setting.family {
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
        "{before}Secrets and properties are read from the environment or config.properties, never from a flag, which \
         other users of the machine could see:\n{}",
        secrets.trim_end()
    ))
}

/// The flags on the command line that set settings of these groups, for [`Settings::gather`](super::Settings::gather).
pub fn flags(groups: &[&'static Group], matches: &ArgMatches) -> Vec<(&'static str, String)> {
    groups
        .iter()
        .flat_map(|group| group.settings)
        .filter_map(|setting| {
            let value = matches.try_get_one::<String>(setting.name).ok()??;
            Some((setting.name, value.clone()))
        })
        .collect()
}

/// Parses a command line. Prints the help, the version or the error.
///
/// # Errors
/// The exit code: 0 after `--help` and `--version`, 64 for an invalid command line.
pub fn parse(
    command: Command,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<ArgMatches, u8> {
    command.try_get_matches_from(arguments).map_err(|error| {
        // Fails if the terminal is closed.
        let _ = error.print();
        exit_code(&error)
    })
}

/// The exit code for an error of clap: 0 for `--help` and `--version`, else 64.
pub fn exit_code(error: &clap::Error) -> u8 {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
        _ => USAGE,
    }
}

/// A flag's value as a duration, for clap's `value_parser`.
///
/// # Errors
/// Zero, or not of the form `500ms`, `30s`, `5m`, `1h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    units::duration(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "expected a duration such as 500ms, 30s, 5m or 1h".to_owned())
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        Some(default) => format!(" [default: {default}]"),
        None => String::new(),
    };
    let hint = match setting.document || setting.documents {
        true => ValueHint::FilePath,
        false => ValueHint::Unknown,
    };
    Arg::new(setting.name)
        .value_hint(hint)
        .long(setting.flag())
        .aliases(setting.aliases.iter().map(|alias| alias.replace('_', "-")))
        .value_name(value_name(setting))
        .help(format!(
            "{}{default} [env: {}]",
            setting.help,
            setting.variable()
        ))
}

/// The placeholder of the value in the help: its type, if the default shows it, else the last word of the name.
fn value_name(setting: &Setting) -> String {
    let default = setting.default.unwrap_or_default();
    if units::duration(default).is_some() {
        return "DURATION".to_owned();
    }
    if default.parse::<f64>().is_ok() {
        return "NUMBER".to_owned();
    }
    if units::bytes(default).is_some() {
        return "SIZE".to_owned();
    }
    let last = setting.name.rsplit('_').next().unwrap_or(setting.name);
    last.to_ascii_uppercase()
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
    fn clap_accepts_all_groups_together() {
        with_settings(Command::new("program"), &GROUPS).debug_assert();
    }

    #[test]
    fn reads_flags_by_the_names_of_their_settings() {
        let matches = command()
            .try_get_matches_from(["program", "--kafka-topic", "orders", "--log-level=debug"])
            .unwrap();
        assert_eq!(
            flags(&GROUPS, &matches),
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
            flags(&GROUPS, &matches),
            [("kafka_bootstrap_servers", "b:9092".to_owned())]
        );
        let help = command().render_help().to_string();
        assert!(!help.contains("--kafka-bootstrapserver"), "{help}");
    }

    #[test]
    fn the_help_shows_default_and_variable_under_a_heading() {
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
    fn a_secret_has_no_flag_and_the_help_says_how_to_set_it() {
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
    fn an_unknown_flag_is_a_usage_error_and_help_is_not() {
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
}
