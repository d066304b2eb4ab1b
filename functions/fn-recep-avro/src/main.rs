//! The program `fn-recep-avro`. See [`fn_recep_avro::host`].

use std::process::ExitCode;

fn main() -> ExitCode {
    fn_recep_avro::host::main(std::env::args_os())
}
