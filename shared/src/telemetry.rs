//! Logs: one line an event, to standard error, readable by people on a terminal and by machines elsewhere.

use std::io::{IsTerminal, Stderr, Write};
use std::sync::OnceLock;

use tracing::info;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

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

/// Starts logging as `log_format` and `log_level` say. Called again, with settings that took longer to be had, it goes
/// on as those say.
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
    let is_first = init(format, settings.required(&LOG_LEVEL)?);
    // Settings that were gathered before there was a log had nobody to tell.
    if is_first && let Some(principal) = settings.identity() {
        info!(principal, "signing in to Oracle Cloud");
    }
    Ok(())
}

/// Logs to standard error at `level` (an `EnvFilter` directive such as `info` or `jobs=debug`) from now on; true if
/// nothing was logged before.
fn init(format: LogFormat, level: &str) -> bool {
    static LOG: OnceLock<Log> = OnceLock::new();
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    if let Some(log) = LOG.get() {
        // Without the subscriber there is nothing to change.
        let _ = log.filter.reload(filter);
        let _ = log.lines.reload(lines(format));
        return false;
    }
    let (filter, filter_handle) = reload::Layer::new(filter);
    let (lines, lines_handle) = reload::Layer::new(lines(format));
    // A test may have installed a subscriber already: the first one stays.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    let log = Log {
        filter: filter_handle,
        lines: lines_handle,
    };
    LOG.set(log).is_ok()
}

/// What can be changed while we run.
struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    lines: reload::Handle<Lines, Filtered>,
}

type Filtered = Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type Lines = Box<dyn Layer<Filtered> + Send + Sync>;

fn lines(format: LogFormat) -> Lines {
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(writer(terminal));
    match format {
        LogFormat::Text => lines.with_ansi(terminal && !no_colour()).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
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
