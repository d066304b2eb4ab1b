//! The command line.

use std::fmt;
use std::path::PathBuf;

use avro::container::Codec;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use super::failure::Failure;

/// Encodes JSON as Avro messages, and decodes Avro messages to JSON.
///
/// The JSON must match the schema. Otherwise the error names the field, and nothing is written.
#[derive(Debug, Parser)]
#[command(
    name = "create-avro-sample",
    version,
    after_help = EXAMPLES,
    override_usage = "create-avro-sample [OPTIONS] FILE [JSON]\n       create-avro-sample [--schema AVSC] --decode FILE"
)]
pub(super) struct Args {
    /// The file to write; `-` is standard output.
    #[arg(value_name = "FILE", required_unless_present_any = ["decode", "completions"])]
    file: Option<PathBuf>,

    /// The record as JSON. If absent or `-`, any number of records is read from standard input.
    #[arg(value_name = "JSON")]
    json: Option<String>,

    /// The Avro schema [default: the setting AVRO_SCHEMA, otherwise the record User of id, name, email].
    #[arg(long, value_name = "AVSC")]
    schema: Option<PathBuf>,

    /// Write an object container file, with the schema and any number of records.
    #[arg(long, conflicts_with = "single_object")]
    container: bool,

    /// The codec of the container's blocks [default: null].
    #[arg(long, requires = "container", value_parser = PossibleValuesParser::new(Codec::ALL.map(Codec::name)))]
    codec: Option<String>,

    /// Write the single-object encoding: a header with the schema's fingerprint, and the datum.
    #[arg(long)]
    single_object: bool,

    /// Print the records of a file of any of these formats as JSON, one per line; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "json", "container", "codec", "single_object"])]
    decode: Option<PathBuf>,

    /// Print a completion script for a shell.
    #[arg(long, value_name = "SHELL", exclusive = true)]
    completions: Option<Shell>,
}

const EXAMPLES: &str = r#"Examples:
  create-avro-sample message.bin '{"id":10029,"name":"John","email":"john@bla.com"}'
  create-avro-sample --container --codec deflate people.avro < people.jsonl
  create-avro-sample --decode people.avro

Exit codes: 0 success; 64 invalid command line; 65 invalid JSON, schema or Avro file; 74 reading or writing failed;
78 invalid settings (AVRO_SCHEMA, from the environment or config.properties)."#;

/// What the program does.
#[derive(Debug)]
pub(super) enum Task {
    /// Encode JSON to a file.
    Create {
        file: PathBuf,
        json: Option<String>,
        schema: Option<PathBuf>,
        format: OutputFormat,
    },
    /// Decode a file to JSON.
    Decode {
        file: PathBuf,
        schema: Option<PathBuf>,
    },
    /// Print a completion script.
    Completions(Shell),
}

/// The format of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutputFormat {
    Raw,
    SingleObject,
    Container(Codec),
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputFormat::Raw => f.write_str("raw datum"),
            OutputFormat::SingleObject => f.write_str("single object"),
            OutputFormat::Container(codec) => write!(f, "container file, codec {}", codec.name()),
        }
    }
}

impl Args {
    pub(super) fn task(self) -> Result<Task, Failure> {
        if let Some(shell) = self.completions {
            return Ok(Task::Completions(shell));
        }
        let schema = self.schema;
        if let Some(file) = self.decode {
            return Ok(Task::Decode { file, schema });
        }
        let file = self.file.ok_or_else(|| Failure::usage("FILE is missing"))?;
        let codec = self.codec.as_deref().and_then(Codec::named);
        let format = match (self.container, self.single_object) {
            (true, _) => OutputFormat::Container(codec.unwrap_or(Codec::Null)),
            (_, true) => OutputFormat::SingleObject,
            _ => OutputFormat::Raw,
        };
        Ok(Task::Create {
            file,
            json: self.json.filter(|json| json != "-"),
            schema,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_definition_is_valid() {
        Args::command().debug_assert();
    }
}
