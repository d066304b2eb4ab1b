//! A progress line on the terminal, redrawn in place and removed at the end.
//!
//! Log lines on a terminal clear their line first (`runtime::telemetry`), so that none follows part of a progress line.

use std::io::Write;
use std::time::{Duration, Instant};

use runtime::telemetry::CLEAR_LINE;

use super::text::thousands;

/// The shortest time between two redraws.
const REDRAW: Duration = Duration::from_millis(100);

/// What the line shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgressSnapshot<'a> {
    /// Offsets of the window.
    pub planned: i64,
    /// Offsets that have been read.
    pub scanned: i64,
    /// Records delivered.
    pub delivered: i64,
    /// Each route's name and its number of buffered and in-flight records.
    pub buffered: &'a [(&'a str, usize)],
}

/// The progress line. Without a terminal it writes nothing.
#[derive(Debug)]
pub struct ProgressLine<W: Write> {
    terminal: Option<W>,
    started: Instant,
    drawn: Option<Instant>,
}

impl<W: Write> ProgressLine<W> {
    /// A line on this terminal; `None` writes nothing.
    pub fn new(terminal: Option<W>, now: Instant) -> Self {
        Self {
            terminal,
            started: now,
            drawn: None,
        }
    }

    /// Redraws the line at most ten times a second. Cheap enough to call for each record.
    #[inline]
    pub fn show<'a>(&mut self, now: Instant, snapshot: impl FnOnce() -> ProgressSnapshot<'a>) {
        if self.terminal.is_none()
            || self
                .drawn
                .is_some_and(|drawn| now.duration_since(drawn) < REDRAW)
        {
            return;
        }
        self.drawn = Some(now);
        let line = line(&snapshot(), now.duration_since(self.started));
        // Without auto-wrap (DECAWM) the terminal cuts the line off at its own width.
        self.write(&format!("{CLEAR_LINE}\u{1b}[?7l{line}\u{1b}[?7h"));
    }

    /// Removes the line until the next [`ProgressLine::show`].
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.write(CLEAR_LINE);
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(terminal) = &mut self.terminal {
            let written = terminal.write_all(text.as_bytes());
            if written.and_then(|()| terminal.flush()).is_err() {
                // The terminal is closed; the run continues.
                self.terminal = None;
            }
        }
    }
}

impl<W: Write> Drop for ProgressLine<W> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(snapshot: &ProgressSnapshot<'_>, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = snapshot.scanned as f64 / seconds;
    let percent = match snapshot.planned {
        0 => 100,
        planned => snapshot.scanned.saturating_mul(100) / planned,
    };
    let rest = (snapshot.planned - snapshot.scanned).max(0) as f64;
    let left = if rate >= 1.0 && elapsed >= Duration::from_secs(1) && rest > 0.0 {
        format!(", {} left", duration((rest / rate).ceil() as u64))
    } else {
        String::new()
    };
    let buffered: Vec<String> = snapshot
        .buffered
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let buffered = match buffered.is_empty() {
        true => String::new(),
        false => format!(", in flight: {}", buffered.join(" ")),
    };
    format!(
        "{} of {} records ({percent} %), {} delivered, {}/s{left}{buffered}",
        thousands(snapshot.scanned),
        thousands(snapshot.planned),
        thousands(snapshot.delivered),
        thousands(rate as i64),
    )
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(scanned: i64) -> ProgressSnapshot<'static> {
        ProgressSnapshot {
            planned: 1_000_000,
            scanned,
            delivered: 1_234,
            buffered: &[("A", 64), ("B", 0)],
        }
    }

    #[test]
    fn shows_progress_rate_and_remaining_time() {
        assert_eq!(
            line(&snapshot(250_000), Duration::from_secs(30)),
            "250,000 of 1,000,000 records (25 %), 1,234 delivered, 8,333/s, 1 min 30 s left, in flight: A 64"
        );
        assert_eq!(
            line(&ProgressSnapshot::default(), Duration::ZERO),
            "0 of 0 records (100 %), 0 delivered, 0/s"
        );
    }

    #[test]
    fn redraws_ten_times_a_second_at_most_and_clears_the_line() {
        let start = Instant::now();
        let mut terminal = Vec::new();
        let mut line = ProgressLine::new(Some(&mut terminal), start);
        for millisecond in 0..1_000 {
            line.show(start + Duration::from_millis(millisecond), || snapshot(1));
        }
        line.clear();
        line.clear();
        line.show(start + Duration::from_secs(2), || snapshot(2));
        drop(line);
        let text = String::from_utf8(terminal).unwrap();
        assert_eq!(text.matches(CLEAR_LINE).count(), 10 + 1 + 1 + 1);
        assert!(text.ends_with(CLEAR_LINE) && !text.contains('\n'));
    }

    #[test]
    fn writes_nothing_without_a_terminal() {
        let mut line = ProgressLine::<Vec<u8>>::new(None, Instant::now());
        line.show(Instant::now(), || panic!("not called without a terminal"));
        line.clear();
    }

    #[test]
    fn a_closed_terminal_does_not_end_the_run() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut line = ProgressLine::new(Some(Closed), Instant::now());
        line.show(Instant::now(), || snapshot(1));
        assert!(line.terminal.is_none());
        line.show(Instant::now() + REDRAW, || {
            panic!("not called without a terminal")
        });
    }
}
