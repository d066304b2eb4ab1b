//! Makes Avro messages from JSON, and shows what is in them.

use std::process::ExitCode;

fn main() -> ExitCode {
    create_avro_sample::main()
}
