//! The command line of `forward init`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};

use super::outcome::InitOutcome;

/// Options of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOptions {
    /// The file of the schema.
    pub schema: PathBuf,
    /// Where the files are written.
    pub directory: PathBuf,
}

/// The subcommand.
pub(crate) fn command() -> Command {
    Command::new("init")
        .about("Writes a commented config.properties and routes.yaml for a schema")
        .arg(
            Arg::new("schema")
                .long("schema")
                .value_name("FILE")
                .help("The Avro schema of the records, as AVRO_SCHEMA.")
                .required(true)
                .value_hint(ValueHint::FilePath)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("directory")
                .long("directory")
                .value_name("DIRECTORY")
                .help("Where the files are written. It is created if it does not exist.")
                .default_value(".")
                .value_hint(ValueHint::DirPath)
                .value_parser(value_parser!(PathBuf)),
        )
        .after_help(format!(
            "Examples:\n  \
             Start with a schema:\n    \
             forward init --schema user.avsc --directory job\n    \
             forward check --offline --config-location job/config.properties\n\n\
             No file is replaced.\n\n\
             Exit codes:\n{}",
            InitOutcome::help().trim_end()
        ))
}

/// The options. `None`: there is no schema.
pub(crate) fn options(matches: &ArgMatches) -> Option<InitOptions> {
    Some(InitOptions {
        schema: matches.get_one("schema").cloned()?,
        directory: matches.get_one("directory").cloned()?,
    })
}
