//! `create-avro-sample`: JSON → Avro messages in a file, and back.
//!
//! What enters is a command line, JSON and a schema; what leaves is a file that is complete or not there at all.

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

use args::{Args, Task, Wrapping};
use failure::Failure;
use output::Target;

/// What one file may hold when it is decoded: far above a sample, below a small machine's memory.
const LIMITS: Limits = Limits {
    max_decoded: 1 << 30,
    max_records: 10_000_000,
};

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            // Nothing is left to tell it to if the terminal is gone.
            error.print().unwrap_or_default();
            return ExitCode::from(code);
        }
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unheard) => ExitCode::SUCCESS,
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
            wrapping,
        } => create(&file, json.as_deref(), schema.as_deref(), wrapping),
    }
}

fn create(
    file: &Path,
    json: Option<&str>,
    schema: Option<&Path>,
    wrapping: Wrapping,
) -> Result<(), Failure> {
    let schema = schema_of(schema)?;
    let records = input::records(json)?;
    let data = encode(&schema, &records)?;
    let bytes = wrap(&schema, &data, wrapping)?;
    let target = Target::of(file);
    target.write(&bytes)?;
    let count = match data.len() {
        1 => "1 record".to_owned(),
        count => format!("{count} records"),
    };
    console::say(format_args!(
        "wrote {count} of {} to {target} ({wrapping}, {} bytes)",
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

fn wrap(schema: &Schema, data: &[Vec<u8>], wrapping: Wrapping) -> Result<Vec<u8>, Failure> {
    match (wrapping, data) {
        (_, []) => Err(Failure::data("there is no JSON record in the input")),
        (Wrapping::Container(codec), _) => {
            container::write_compressed(codec, schema.json(), output::sync_marker()?, &[], data)
                .map_err(|error| Failure::io("compressing the records", &error))
        }
        (Wrapping::Raw, [datum]) => Ok(datum.clone()),
        (Wrapping::SingleObject, [datum]) => Ok(avro::single_object(schema, datum)),
        (_, several) => Err(Failure::usage(format!(
            "{} records do not fit into one {wrapping}, which holds exactly one: add --container",
            several.len()
        ))),
    }
}

fn decode(file: &Path, schema: Option<&Path>) -> Result<(), Failure> {
    let bytes = input::bytes(file)?;
    let named = schema.is_some();
    let mut schema = schema_of(schema)?;
    let framing = Framing::detect(&schema, &bytes);
    if framing == Framing::Container && !named {
        // The file says itself what is in it.
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
        return configured();
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::io(format!("reading the schema {}", path.display()), &error))?;
    Schema::parse(&text).map_err(|error| in_file(path, &error))
}

/// The schema that every other program takes, from where it takes it.
fn configured() -> Result<Schema, Failure> {
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
