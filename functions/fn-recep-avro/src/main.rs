//! `fn-recep-avro`: takes Avro over HTTP, proves it, publishes it to Kafka. See [`fn_recep_avro::host`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fn_recep_avro::host::main(std::env::args_os())
}
