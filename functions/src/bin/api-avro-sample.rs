//! `api-avro-sample`: the sample endpoint; see `functions::api`.

use std::process::ExitCode;

fn main() -> ExitCode {
    functions::api::program(std::env::args_os())
}
