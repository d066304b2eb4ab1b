//! Encodes JSON as Avro messages, and decodes Avro messages to JSON.

use std::process::ExitCode;

fn main() -> ExitCode {
    create_avro_sample::main()
}
