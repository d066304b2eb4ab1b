//! Logs: one line for each event, on standard error, as text on a terminal and as JSON elsewhere.

use std::io::{IsTerminal, Stderr, Write};
use std::str::FromStr;
use std::sync::OnceLock;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// Moves the cursor to the start of the terminal's line and clears the line (ECMA-48, EL).
pub const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text, with colours on a terminal.
    Text,
    /// One JSON object for each line.
    Json,
}

impl LogFormat {
    /// Text if standard error is a terminal, else JSON.
    pub fn detect() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// Which events are logged: a level, or directives of [`Targets`] joined by commas, such as `info,delivery=debug`.
#[derive(Debug)]
pub struct LogFilter(Targets);

/// The text is neither a level nor a list of directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLogFilter;

impl FromStr for LogFilter {
    type Err = InvalidLogFilter;

    /// Accepts error, warn, info, debug, trace, off, and directives with a target and a level. `Targets` would accept
    /// any other word as the name of a target, so that a typing error such as `inof` would disable the log.
    fn from_str(text: &str) -> Result<Self, InvalidLogFilter> {
        const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
        let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
        let is_directive = |word: &str| is_level(word.trim()) || word.contains('=');
        if !text.split(',').all(is_directive) {
            return Err(InvalidLogFilter);
        }
        text.parse().map(Self).map_err(|_| InvalidLogFilter)
    }
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Starts the log, or changes format and filter of a started one. Returns true for the first call of the process.
pub fn start(format: LogFormat, filter: LogFilter) -> bool {
    let LogFilter(filter) = filter;
    if let Some(log) = LOG.get() {
        // Fails only if another subscriber is installed.
        let _ = log.filter.reload(filter);
        let _ = log.lines.reload(lines(format));
        return false;
    }
    let (filter, filter_handle) = reload::Layer::new(filter);
    let (lines, lines_handle) = reload::Layer::new(lines(format));
    let (export, export_handle) = reload::Layer::new(None);
    // Fails if a test has installed another subscriber, which then stays.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(export)
        .try_init();
    let log = Log {
        filter: filter_handle,
        lines: lines_handle,
        export: export_handle,
    };
    LOG.set(log).is_ok()
}

/// The parts of the log that can be changed.
struct Log {
    filter: reload::Handle<Targets, Registry>,
    lines: reload::Handle<Lines, Filtered>,
    export: reload::Handle<Option<LogExport>, Written>,
}

type Filtered = Layered<reload::Layer<Targets, Registry>, Registry>;
type Lines = Box<dyn Layer<Filtered> + Send + Sync>;
/// The subscriber that filters events and writes lines.
pub type Written = Layered<reload::Layer<Lines, Filtered>, Filtered>;
/// What else receives the events that are logged.
pub type LogExport = Box<dyn Layer<Written> + Send + Sync>;

/// Passes the logged events to another receiver, too. The log must have been started.
pub fn export(layer: LogExport) {
    if let Some(log) = LOG.get() {
        // Fails only if another subscriber is installed.
        let _ = log.export.reload(Some(layer));
    }
}

fn lines(format: LogFormat) -> Lines {
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(writer(terminal));
    match format {
        LogFormat::Text => lines.with_ansi(terminal && !is_colour_disabled()).boxed(),
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    }
}

/// Standard error. On a terminal, each event first clears the line, which may hold a progress display.
fn writer(terminal: bool) -> impl Fn() -> Stderr {
    move || {
        let mut stderr = std::io::stderr();
        if terminal {
            let _ = stderr.write_all(CLEAR_LINE.as_bytes());
        }
        stderr
    }
}

/// <https://no-color.org>
fn is_colour_disabled() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_a_list_of_directives() {
        for (text, prints) in [
            ("info", "info"),
            ("WARN", "warn"),
            ("off", "off"),
            ("info,delivery=debug", "delivery=debug,info"),
            ("delivery=trace", "delivery=trace"),
        ] {
            let LogFilter(filter) = text.parse().unwrap();
            assert_eq!(filter.to_string(), prints, "{text}");
        }
        for invalid in [
            "",
            "inof",
            "verbose",
            "delivery=debgu",
            "info,debgu",
            "info,,warn",
            "3",
        ] {
            assert!(invalid.parse::<LogFilter>().is_err(), "{invalid}");
        }
    }
}
