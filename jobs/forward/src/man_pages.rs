//! `forward man`: a manual page for each command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, ValueHint, value_parser};

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("man")
        .about("Writes a manual page for each command into a directory")
        .arg(
            Arg::new("directory")
                .value_name("DIRECTORY")
                .help("Where the pages are written. It is created if it does not exist. Pages of an earlier version are replaced.")
                .required(true)
                .value_hint(ValueHint::DirPath)
                .value_parser(value_parser!(PathBuf)),
        )
        .after_help(
            "Examples:\n  \
             For the current user:\n    \
             forward man ~/.local/share/man/man1\n  \
             To read a page without installing it:\n    \
             forward man /tmp/man\n    \
             man /tmp/man/forward-run.1\n\n\
             Exit codes:\n   0  The pages are written.\n  64  The command line is invalid.\n  74  A page cannot be written.",
        )
}

/// Writes the pages of the command and of all its subcommands, as `forward.1`, `forward-run.1` and so on.
///
/// # Errors
/// A page cannot be written.
pub fn write(command: Command, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(command, directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    #[test]
    fn each_command_has_a_page_with_its_flags_and_examples() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("man1");
        for _ in 0..2 {
            write(cli::command(), &directory).unwrap();
        }
        for (name, parts) in [
            ("forward", &["dead\\-letters"][..]),
            (
                "forward-run",
                &["\\-\\-dry\\-run", "Examples:", "KAFKA_TOPIC"],
            ),
            ("forward-dead-letters-replay", &["\\-\\-cause", "Examples:"]),
            ("forward-report", &["\\-\\-output"]),
            ("forward-man", &["DIRECTORY"]),
        ] {
            let page = fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
            assert!(page.contains(".SH NAME"), "{name}");
            for part in parts {
                assert!(page.contains(part), "{name}: {part}\n{page}");
            }
        }
        assert!(!directory.join("forward-help.1").exists());
        assert!(write(cli::command(), Path::new("/dev/null")).is_err());
    }
}
