//! `api-avro-sample`: the sample endpoint; see `api_avro_sample`.

use std::process::ExitCode;

fn main() -> ExitCode {
    api_avro_sample::program(std::env::args_os())
}
