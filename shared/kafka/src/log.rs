//! Forwards librdkafka's log lines to `tracing`, with secrets redacted.
//!
//! While a broker is unreachable librdkafka reports each attempt to connect, many times a second. Of each kind of
//! warning and error the first lines of an interval are written, and the next one carries the number of the suppressed.
//!
//! The safe wrapper takes log lines from the queue that it polls. A reader's queue is read in batches instead, so the
//! wrapper never sees its log lines, and librdkafka would print them to standard error: [`forward`] prevents that.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka_sys::{rd_kafka_set_logger, rd_kafka_t};
use runtime::log_limit::LogLimiter;
use runtime::redact;

/// Syslog's "critical", the level of lines that report a broken client.
const CRITICAL: c_int = 2;

/// Syslog's "warning". librdkafka's warnings and errors are about a connection, which it retries.
const WARNING: c_int = 4;

/// The number of lines of a kind that are written in each [`INTERVAL`]: a cluster may have several brokers to report.
const ALLOWANCE: u32 = 3;
const INTERVAL: Duration = Duration::from_secs(30);

/// Shared by all clients of the process: a client may be replaced after every failed call.
static LIMITER: LazyLock<Mutex<LogLimiter<String>>> =
    LazyLock::new(|| Mutex::new(LogLimiter::new(ALLOWANCE, INTERVAL)));

/// Whether to write a warning or error of this kind: the number of lines suppressed before it, `None` to suppress it.
pub(crate) fn admit(kind: String) -> Option<u64> {
    let mut limiter = LIMITER.lock().unwrap_or_else(PoisonError::into_inner);
    limiter.admit(kind, Instant::now())
}

/// Logs a line of librdkafka that has one of syslog's levels: critical lines as errors, warnings as warnings if
/// `shows_warnings`, and all others at debug.
pub(crate) fn write(level: c_int, facility: &str, line: &str, shows_warnings: bool) {
    let line = redacted(line);
    let is_critical = level <= CRITICAL;
    let is_warning = level <= WARNING && shows_warnings;
    if !is_critical && !is_warning {
        tracing::debug!(facility, line, "Kafka client log");
        return;
    }
    let Some(suppressed) = admit(format!("log {facility}")) else {
        return;
    };
    if is_critical {
        tracing::error!(facility, line, suppressed, "Kafka client log");
    } else {
        tracing::warn!(facility, line, suppressed, "Kafka client log");
    }
}

/// Sets a logger for the lines of this consumer that are not delivered through its queue.
pub(crate) fn forward<C: ConsumerContext>(consumer: &BaseConsumer<C>) {
    // SAFETY: the borrow of the consumer keeps its handle alive; the callback is a static function.
    unsafe { rd_kafka_set_logger(consumer.client().native_ptr(), Some(on_line)) }
}

unsafe extern "C" fn on_line(
    _: *const rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if facility.is_null() || line.is_null() {
        return;
    }
    // SAFETY: librdkafka passes two strings that end in NUL and live as long as the call.
    let (facility, line) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(line)) };
    write(
        level,
        &facility.to_string_lossy(),
        &line.to_string_lossy(),
        false,
    );
}

/// A text of librdkafka, which may quote a broker's text, without this process's secrets.
pub(crate) fn redacted(text: &str) -> String {
    // librdkafka truncates errors to 512 bytes and log lines to 2048, so a long text may end within a secret.
    const MIN_TRUNCATED_LEN: usize = 500;
    if text.len() < MIN_TRUNCATED_LEN {
        return redact::excerpt(text.as_bytes(), false);
    }
    // It adds to an error that it has truncated: ` (after 5ms in state AUTH_REQ) (_AUTHENTICATION): identical to last error`.
    let cuts = text.match_indices(" (").map(|(at, _)| at);
    redact::excerpt_with_cuts(text, cuts)
}

#[cfg(test)]
mod tests {
    use runtime::secret::Secret;

    use super::*;

    #[test]
    fn a_secret_that_librdkafka_cuts_is_masked_before_the_state_that_it_adds() {
        let secret = format!("canary{}", "x".repeat(1000));
        redact::protect("kafka::log", [Secret::new(&secret)]);
        let state =
            " (after 5ms in state AUTH_REQ, 2 identical error(s) suppressed) (_AUTHENTICATION)";
        let line = format!("b:1/bootstrap: refused: {}", &secret[..488]);
        for state in ["", state, " (_AUTHENTICATION): identical to last error"] {
            assert_eq!(
                redacted(&format!("{line}{state}")),
                format!("b:1/bootstrap: refused: [redacted]{state}")
            );
        }
    }
}
