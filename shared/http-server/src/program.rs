//! How a program that answers HTTP begins, and how it ends: its runtime, and its exit code.

use std::fmt::Display;
use std::future::Future;
use std::process::ExitCode;

use runtime::{console, exit};
use settings::SettingError;

/// Why a program ends, in one sentence, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    code: u8,
    /// The sentence, for standard error.
    pub sentence: String,
}

// By value, so that they stand in a `map_err` by their names.
#[allow(clippy::needless_pass_by_value)]
impl Failure {
    /// A configuration that cannot work.
    pub fn configuration(sentence: impl Display) -> Self {
        Self {
            code: exit::CONFIGURATION,
            sentence: sentence.to_string(),
        }
    }

    /// Anything that no setting can mend, such as a host that ends us.
    pub fn software(sentence: impl Display) -> Self {
        Self {
            code: exit::SOFTWARE,
            sentence: sentence.to_string(),
        }
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Self::configuration(error)
    }
}

/// Lives as long as `life` does, on this one thread. A failure is one sentence on standard error.
pub fn run(name: &str, life: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(life);
            // A thread that asks an absent broker for metadata must not keep the process alive.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => Err(Failure::software(format!("starting the runtime: {error}"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, sentence }) => {
            console::say(format_args!("{name}: {sentence}"));
            ExitCode::from(code)
        }
    }
}
