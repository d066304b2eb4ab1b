//! Logs: one line an event, to standard error, readable by people on a terminal and by machines elsewhere.

use std::io::{IsTerminal, Stderr, Write};

use tracing_subscriber::EnvFilter;

use crate::settings::catalog::{LOG_FORMAT, LOG_LEVEL};
use crate::settings::{SettingError, Settings};

/// Goes to the start of the terminal's line and clears it (ECMA-48's EL).
pub const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people; coloured on a terminal only.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging as `log_format` and `log_level` say.
///
/// # Errors
/// `log_format` is none of its words.
pub fn start(settings: &Settings) -> Result<(), SettingError> {
    let automatic = if std::io::stderr().is_terminal() {
        LogFormat::Text
    } else {
        LogFormat::Json
    };
    let format = settings.choice(
        &LOG_FORMAT,
        &[
            ("auto", automatic),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ],
        "text, json or auto",
    )?;
    init(format, settings.required(&LOG_LEVEL)?);
    // The settings were gathered before there was a log.
    if let Some(principal) = settings.identity() {
        tracing::info!(principal, "signed in to Oracle Cloud");
    }
    Ok(())
}

/// Starts logging to standard error at `level` (an `EnvFilter` directive such as `info` or `jobs=debug`).
///
/// Called once, first thing in `main`; a second call changes nothing.
pub fn init(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer(std::io::stderr().is_terminal()));
    // A test may have installed a subscriber already: the first one stays.
    let _ = match format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal() && !no_colour())
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init(),
    };
}

/// Standard error; on a terminal each event begins on a clear line, as a progress line may stand there.
fn writer(terminal: bool) -> impl Fn() -> Stderr {
    move || {
        let mut stderr = std::io::stderr();
        if terminal {
            // A log that cannot be written has nobody to tell.
            let _ = stderr.write_all(CLEAR_LINE.as_bytes());
        }
        stderr
    }
}

/// <https://no-color.org>
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
