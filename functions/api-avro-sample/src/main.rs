//! The program `api-avro-sample`. See [`api_avro_sample::main`].

use std::process::ExitCode;

fn main() -> ExitCode {
    api_avro_sample::main(std::env::args_os())
}
