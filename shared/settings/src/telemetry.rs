//! Logs: one line an event, to standard error, readable by people on a terminal and by machines elsewhere.

use std::io::{IsTerminal, Stderr, Write};
use std::sync::OnceLock;

use tracing::info;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::common::{LOG_FORMAT, LOG_LEVEL};
use crate::{SettingError, Settings};

/// Goes to the start of the terminal's line and clears it (ECMA-48's EL).
pub const CLEAR_LINE: &str = "\r\u{1b}[2K";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogFormat {
    /// Text for people; coloured on a terminal only.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging as `log_format` and `log_level` say. Called again, with settings that took longer to be had, it goes
/// on as those say.
///
/// # Errors
/// `log_format` is none of its words, or `log_level` neither one of its own nor directives.
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
    let filter = settings.parsed(
        &LOG_LEVEL,
        filter,
        "error, warn, info, debug, trace, off, or directives such as info,delivery=debug",
    )?;
    let is_first = init(format, filter);
    // Settings that were gathered before there was a log had nobody to tell.
    if is_first && let Some(principal) = settings.identity() {
        info!(principal, "signing in to Oracle Cloud");
    }
    Ok(())
}

/// A level, or several directives of `EnvFilter`, joined by commas. A directive may be a level for all, or have one for
/// its target; `EnvFilter` takes any other word for a target's name, so that a slip such as `inof` would be silence.
fn filter(text: &str) -> Option<EnvFilter> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    let is_sound = |directive: &str| is_level(directive.trim()) || directive.contains('=');
    let filter = text
        .split(',')
        .all(is_sound)
        .then(|| EnvFilter::try_new(text));
    filter?.ok()
}

/// Logs to standard error what passes from now on; true if nothing was logged before.
fn init(format: LogFormat, filter: EnvFilter) -> bool {
    static LOG: OnceLock<Log> = OnceLock::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::EVERY_PROGRAM;

    #[test]
    fn a_level_is_one_of_its_words_or_directives() {
        for (text, prints) in [
            ("info", "info"),
            ("WARN", "warn"),
            ("off", "off"),
            ("info,delivery=debug", "delivery=debug,info"),
            ("delivery=trace", "delivery=trace"),
        ] {
            assert_eq!(filter(text).unwrap().to_string(), prints, "{text}");
        }
        for slip in [
            "",
            "inof",
            "verbose",
            "delivery=debgu",
            "info,debgu",
            "info,,warn",
            "3",
        ] {
            assert!(filter(slip).is_none(), "{slip}");
        }
    }

    #[test]
    fn a_slip_in_the_level_is_an_error_that_names_it() {
        let given = |name: &str| (name == "LOG_LEVEL").then(|| "inof".to_owned());
        let error = start(&Settings::given(&[&EVERY_PROGRAM], &[], given)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "LOG_LEVEL is \"inof\", expected error, warn, info, debug, trace, off, or directives such as info,delivery=debug"
        );
    }
}
