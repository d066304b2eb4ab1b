//! `fn-recep-avro`: takes Avro over HTTP, proves it, publishes it to Kafka. See [`functions::host`].

use std::process::ExitCode;

fn main() -> ExitCode {
    functions::host::main(std::env::args_os())
}
