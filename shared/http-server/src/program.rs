//! The life of a program that answers HTTP: its runtime and its exit code.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use runtime::{console, exit};
use settings::SettingError;

/// Why a program ends unsuccessfully.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    /// One sentence for standard error.
    pub message: String,
}

// The arguments are passed by value so that the functions can be passed to `map_err`.
#[allow(clippy::needless_pass_by_value)]
impl Failure {
    /// The configuration is invalid: exit code 78 (`EX_CONFIG`).
    pub fn configuration(message: impl Display) -> Self {
        Self {
            code: exit::CONFIGURATION,
            message: message.to_string(),
        }
    }

    /// Any failure that no setting can correct: exit code 70 (`EX_SOFTWARE`).
    pub fn software(message: impl Display) -> Self {
        Self {
            code: exit::SOFTWARE,
            message: message.to_string(),
        }
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self::configuration(error)
    }
}

/// Runs `main` on a runtime with one thread and returns the exit code.
///
/// A failure is printed to standard error as one line that begins with the program's `name`.
pub fn run(name: &str, main: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(main);
            // A blocking thread may still wait for the metadata of an unreachable broker. The program does not wait
            // for it.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::software(format!("starting the runtime: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, message }) => {
            console::say(format_args!("{name}: {message}"));
            ExitCode::from(code)
        }
    }
}
