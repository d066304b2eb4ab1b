//! `forward completions`: the completion script of a shell.
//!
//! The scripts know commands, flags, files and fixed values. Names of routes and partitions are not completed: that needs a
//! request to the program at each key, which clap_complete has as an unstable feature only.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error, value_parser};
use clap_complete::Shell;

use crate::dead_letter::Cause;

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("completions")
        .about("Prints a completion script")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .help("The shell to generate the script for.")
                .required(true)
                .value_parser(value_parser!(Shell)),
        )
        .after_help(
            "Examples:\n  \
             For the current user of bash:\n    \
             forward completions bash > ~/.local/share/bash-completion/completions/forward\n  \
             For zsh, in a directory of fpath:\n    \
             forward completions zsh > ~/.zfunc/_forward\n  \
             For fish:\n    \
             forward completions fish > ~/.config/fish/completions/forward.fish",
        )
}

/// The completion script of a shell for the command.
pub fn script(shell: Shell, mut command: Command) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "forward", &mut script);
    script
}

/// Parses any text. The job's causes are completed; other programs have other causes.
#[derive(Clone)]
pub(crate) struct CauseParser;

impl TypedValueParser for CauseParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let causes = Cause::ALL.iter();
        Some(Box::new(
            causes.map(|cause| PossibleValue::new(cause.name())),
        ))
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::cli;

    /// The names of all subcommands, at every depth.
    fn names(command: &Command) -> Vec<String> {
        let subcommands = command.get_subcommands();
        let names = subcommands.flat_map(|one| {
            let mut names = names(one);
            names.push(one.get_name().to_owned());
            names
        });
        names.collect()
    }

    #[test]
    fn the_script_of_each_shell_knows_all_commands_and_causes() {
        let command = cli::command();
        let names = names(&command);
        assert!(
            names.contains(&"replay".to_owned()) && names.len() > 10,
            "{names:?}"
        );
        for shell in Shell::value_variants() {
            let script = script(*shell, cli::command());
            let script = String::from_utf8(script).unwrap();
            for name in &names {
                assert!(script.contains(name), "{shell}: {name}");
            }
            assert!(script.contains("kafka-bootstrap-servers"), "{shell}");
            // Elvish and PowerShell do not complete values.
            if matches!(shell, Shell::Bash | Shell::Zsh | Shell::Fish) {
                assert!(script.contains("unknown-schema"), "{shell}");
            }
        }
    }

    #[test]
    fn another_cause_than_the_jobs_is_accepted() {
        let class = "org.apache.kafka.common.errors.SerializationException";
        let arguments = ["forward", "dead-letters", "list", "--cause", class];
        assert!(cli::command().try_get_matches_from(arguments).is_ok());
    }
}
