//! The program `create-avro-sample`: encodes JSON as Avro messages, and decodes Avro messages to JSON.
//!
//! ```sh
//! create-avro-sample message.bin '{"id":10029,"name":"John","email":"john@bla.com"}'
//! create-avro-sample --container --codec deflate people.avro < people.jsonl
//! create-avro-sample --decode people.avro
//! ```
//!
//! The formats are a raw datum, the single-object encoding and a container file. The schema is that of `--schema`,
//! otherwise the setting `AVRO_SCHEMA`, as in the other programs. A file is replaced atomically, and only if all records
//! are valid.
//!
//! The program does not send messages. The `avro` crate encodes and decodes; this crate has the command line, the files
//! and the exit codes. Its only public item is [`main`]:
//!
//! ```no_run
//! let _exit_code = create_avro_sample::main();
//! ```

mod args;
mod failure;
mod input;
mod output;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use avro::{self, Framing, Limits, Schema, container};
use clap::{CommandFactory, Parser};
use runtime::{console, exit};
use serde_json::Value;
use settings::common::{AVRO_SCHEMA, EVERY_PROGRAM, ORACLE_CLOUD};
use settings::{Settings, environment};

use args::{Args, OutputFormat, Task};
use failure::Failure;
use output::Target;

/// The limits for a decoded file: far above a sample, below the memory of a small machine.
const LIMITS: Limits = Limits {
    max_decoded: 1 << 30,
    max_records: 10_000_000,
};

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            // If standard error is closed, the message cannot be printed.
            error.print().unwrap_or_default();
            return ExitCode::from(code);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            console::say(format_args!("create-avro-sample: {failure}"));
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    match args.task()? {
        Task::Completions(shell) => {
            let mut script = Vec::new();
            let mut command = Args::command();
            clap_complete::generate(shell, &mut command, "create-avro-sample", &mut script);
            output::print(&script)
        }
        Task::Decode { file, schema } => decode(&file, schema.as_deref()),
        Task::Create {
            file,
            json,
            schema,
            format,
        } => create(&file, json.as_deref(), schema.as_deref(), format),
    }
}

fn create(
    file: &Path,
    json: Option<&str>,
    schema: Option<&Path>,
    format: OutputFormat,
) -> Result<(), Failure> {
    let schema = schema_of(schema)?;
    let records = input::records(json)?;
    let data = encode(&schema, &records)?;
    let bytes = frame(&schema, &data, format)?;
    let target = Target::of(file);
    target.write(&bytes)?;
    let count = match data.len() {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    console::say(format_args!(
        "wrote {count} of {} to {target} ({format}, {} bytes)",
        schema.name(),
        bytes.len()
    ));
    Ok(())
}

fn encode(schema: &Schema, records: &[input::Record]) -> Result<Vec<Vec<u8>>, Failure> {
    let several = records.len() > 1;
    let encoded = records.iter().enumerate().map(|(index, record)| {
        schema
            .from_json(&record.value)
            .map_err(|mismatch| match several {
                true => {
                    let (number, line) = (index + 1, record.line);
                    Failure::data(format!("record {number} (line {line}): {mismatch}"))
                }
                false => Failure::data(mismatch),
            })
    });
    encoded.collect()
}

fn frame(schema: &Schema, data: &[Vec<u8>], format: OutputFormat) -> Result<Vec<u8>, Failure> {
    match (format, data) {
        (_, []) => Err(Failure::data("the input has no JSON record")),
        (OutputFormat::Container(codec), _) => {
            container::write_compressed(codec, schema.json(), output::sync_marker()?, &[], data)
                .map_err(|error| Failure::io("compressing the records", &error))
        }
        (OutputFormat::Raw, [datum]) => Ok(datum.clone()),
        (OutputFormat::SingleObject, [datum]) => Ok(avro::single_object(schema, datum)),
        (_, several) => Err(Failure::usage(format!(
            "a {format} has exactly one record, and the input has {}: add --container",
            several.len()
        ))),
    }
}

fn decode(file: &Path, schema: Option<&Path>) -> Result<(), Failure> {
    let bytes = input::bytes(file)?;
    let has_schema_argument = schema.is_some();
    let mut schema = schema_of(schema)?;
    let framing = Framing::detect(&schema, &bytes);
    if framing == Framing::Container && !has_schema_argument {
        // Use the schema in the file's header.
        let header = container::header(&bytes).map_err(|error| in_file(file, &error))?;
        schema = Schema::parse_writer(header.schema).map_err(|error| in_file(file, &error))?;
    }
    let data =
        avro::decode(&schema, &bytes, framing, &LIMITS).map_err(|error| in_file(file, &error))?;
    let mut lines = Vec::new();
    for datum in data.iter() {
        let value: Value = schema
            .to_json(datum)
            .map_err(|fault| in_file(file, &fault))?;
        writeln!(lines, "{value}").map_err(|error| Failure::io("writing JSON", &error))?;
    }
    output::print(&lines)
}

fn schema_of(path: Option<&Path>) -> Result<Schema, Failure> {
    let Some(path) = path else {
        return configured_schema();
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::io(format!("reading the schema {}", path.display()), &error))?;
    Schema::parse(&text).map_err(|error| in_file(path, &error))
}

/// The schema of the setting `AVRO_SCHEMA`, as in the other programs.
fn configured_schema() -> Result<Schema, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("starting the runtime", &error))?;
    let environment = environment().map_err(Failure::configuration)?;
    let groups = [&EVERY_PROGRAM, &ORACLE_CLOUD];
    let settings = runtime.block_on(Settings::gather(&groups, &[], environment));
    let settings = settings.map_err(Failure::configuration)?;
    settings
        .parsed_document(&AVRO_SCHEMA, avro::BUILT_IN_SCHEMA, Schema::parse)
        .map_err(Failure::configuration)
}

fn in_file(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::data(format!("{}: {error}", Target::of(path)))
}
