//! The command line of `forward test`.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use settings::cli;

use super::{Output, form, output};
use crate::route_test::{STREAM_CLUSTER, STREAM_TOPIC, TestOutcome};
use crate::settings::GROUPS;

/// Options of a test that are not settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOptions {
    /// The file of samples; `-` is standard input.
    pub records: PathBuf,
    /// The form of the results on standard output.
    pub output: Output,
}

/// The subcommand.
pub(super) fn command() -> Command {
    let command = Command::new("test")
        .about("Routes sample records and prints the requests that a run would send, without any connection")
        .next_help_heading("This test")
        .arg(
            Arg::new("records")
                .long("records")
                .value_name("FILE")
                .help("A file with a sample in each line, or - for standard input: {\"value\": …, \"key\"?: TEXT, \"headers\"?: {…}, \"timestamp\"?: MILLISECONDS, \"expect\"?: ROUTE or null}. The value is the record as JSON of AVRO_SCHEMA, or null for a tombstone.")
                .required(true)
                .value_hint(ValueHint::FilePath)
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(form("The form of the results on standard output."))
        .after_help(format!(
            "Examples:\n  \
             Test a routes file in CI:\n    \
             forward test --routes routes.yaml --avro-schema order.avsc --records samples.ndjson\n  \
             Show the request of one record:\n    \
             echo '{{\"value\": {{\"id\": 1010, \"name\": \"Paul\", \"email\": \"p@x.org\"}}}}' | forward test --routes routes.yaml --records -\n\n\
             Neither a broker nor the secrets of the routes need be known. Idempotency keys are \
             {STREAM_CLUSTER}/{STREAM_TOPIC}/0/OFFSET; the offset is the number of the line, counted from 0. Credentials \
             are shown as [redacted].\n\n\
             Exit codes:\n{}",
            TestOutcome::help().trim_end()
        ));
    command.defer(|command| cli::with_settings(command, &GROUPS))
}

/// The options.
pub(super) fn options(matches: &ArgMatches) -> TestOptions {
    TestOptions {
        records: matches.get_one("records").cloned().unwrap_or_default(),
        output: output(matches),
    }
}
