//! The command line, and the task it stands for.

use std::fmt;
use std::path::PathBuf;

use avro::container::Codec;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;

use super::failure::Failure;

/// Makes Avro messages from JSON, and shows what is in them.
///
/// The JSON is checked against the schema; what does not fit is named, and then nothing is written.
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

    /// The record as JSON; absent or `-`, standard input, where there may be many, one after another.
    #[arg(value_name = "JSON")]
    json: Option<String>,

    /// The Avro schema [default: that of AVRO_SCHEMA, else the record User of id, name, email].
    #[arg(long, value_name = "AVSC")]
    schema: Option<PathBuf>,

    /// Write an object container file, which holds the schema and any number of records.
    #[arg(long, conflicts_with = "single_object")]
    container: bool,

    /// How the container's blocks are compressed [default: null].
    #[arg(long, requires = "container", value_parser = PossibleValuesParser::new(Codec::ALL.map(Codec::name)))]
    codec: Option<String>,

    /// Write the single-object encoding: a header with the schema's fingerprint, then the datum.
    #[arg(long)]
    single_object: bool,

    /// Show a file's records as JSON, one a line, however they are wrapped; `-` is standard input.
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

Exit codes: 0 done; 64 usage; 65 the JSON, the schema or the file is not as it should be; 74 reading or writing failed;
78 the settings, among which AVRO_SCHEMA is, from the environment or config.properties."#;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    /// JSON → file.
    Create {
        file: PathBuf,
        json: Option<String>,
        schema: Option<PathBuf>,
        wrapping: Wrapping,
    },
    /// File → JSON.
    Decode {
        file: PathBuf,
        schema: Option<PathBuf>,
    },
    /// A completion script.
    Completions(Shell),
}

/// What the records are put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    Raw,
    SingleObject,
    Container(Codec),
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrapping::Raw => f.write_str("raw datum"),
            Wrapping::SingleObject => f.write_str("single object"),
            Wrapping::Container(codec) => write!(f, "container file, codec {}", codec.name()),
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
        let file = self
            .file
            .ok_or_else(|| Failure::usage("no file to write is named"))?;
        let codec = self.codec.as_deref().and_then(Codec::named);
        let wrapping = match (self.container, self.single_object) {
            (true, _) => Wrapping::Container(codec.unwrap_or(Codec::Null)),
            (_, true) => Wrapping::SingleObject,
            _ => Wrapping::Raw,
        };
        Ok(Task::Create {
            file,
            json: self.json.filter(|json| json != "-"),
            schema,
            wrapping,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }
}
