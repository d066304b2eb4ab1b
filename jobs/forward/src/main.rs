//! `forward`: reads one bounded window of a topic, delivers each record to the endpoint of its route, and exits.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(forward::program::main(std::env::args_os(), None))
}
