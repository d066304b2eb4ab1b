//! Window after window: one for cron, or one every so often in a process that stays.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::cli::{Output, RunOptions};
use crate::exit::RunOutcome;
use crate::report::progress_line::{ProgressLine, ProgressSnapshot};
use crate::report::{RunReport, text};
use crate::run::Run;
use crate::scan::Scan;

/// Runs one window, or one every `options.every` until the process is asked to stop, and tells of each.
///
/// Before each window but the first `is_outdated` hears how the last one went; if it says that there are other settings
/// now, this ends with `None`, to be called again with those. `next` is when the next window is due.
///
/// A window that another overlaps, that finds the broker away or an endpoint down is the next window's business. What
/// needs a person ends the process: records lost, poisoned or not accounted for.
pub fn run(
    run: &Run<'_>,
    options: &RunOptions,
    next: &mut Instant,
    mut is_outdated: impl FnMut(RunOutcome) -> bool,
) -> Option<RunOutcome> {
    let Some(every) = options.every else {
        return Some(window(run, options).outcome);
    };
    loop {
        let outcome = window(run, options).outcome;
        if needs_a_person(outcome) || run.shutdown.load(Ordering::Relaxed) {
            return Some(outcome);
        }
        // A window that took longer than the interval is followed by the next one at once, and missed ones are not
        // made up for: the next window holds their records.
        *next = (*next + every).max(Instant::now());
        if !sleep_until(*next, run.shutdown) {
            return Some(outcome);
        }
        if is_outdated(outcome) {
            return None;
        }
    }
}

fn needs_a_person(outcome: RunOutcome) -> bool {
    matches!(
        outcome,
        RunOutcome::DataLoss
            | RunOutcome::DeadLetterThreshold
            | RunOutcome::Internal
            | RunOutcome::Configuration
    )
}

fn window(run: &Run<'_>, options: &RunOptions) -> RunReport {
    let id = run_id(SystemTime::now());
    let _span = tracing::info_span!("window", run = id).entered();
    let names: Vec<&str> = run.routes.names().collect();
    let terminal = options.shows_progress(&io::stderr()).then(io::stderr);
    let mut line = ProgressLine::new(terminal, Instant::now());
    let report = run.window(&id, |scan| show(scan, &names, &mut line));
    line.clear();
    tell(&report, options);
    report
}

fn show(scan: &Scan<'_>, names: &[&str], line: &mut ProgressLine<io::Stderr>) {
    let buffered: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(route, name)| {
            let delivery = scan.delivery();
            (
                *name,
                delivery.map_or(0, |delivery| delivery.buffered(route)),
            )
        })
        .collect();
    line.show(Instant::now(), || {
        let (planned, scanned) = scan.offsets();
        let delivered = scan.routes.iter().map(|route| route.delivered).sum();
        ProgressSnapshot {
            planned,
            scanned,
            delivered,
            buffered: &buffered,
        }
    });
}

/// To standard output, and to the file that was asked for.
fn tell(report: &RunReport, options: &RunOptions) {
    let mut out = io::stdout().lock();
    let printed = match options.output {
        Output::Json => writeln!(out, "{}", report.json()),
        Output::Text => {
            let colour = text::wants_colour(&io::stdout(), |name| std::env::var(name).ok());
            write!(out, "{}", text::render(report, colour))
        }
    };
    if let Err(error) = printed.and_then(|()| out.flush()) {
        tracing::warn!(%error, "the report could not be printed");
    }
    if let Some(path) = &options.report
        && let Err(error) = report.save(path)
    {
        tracing::error!(path = %path.display(), %error, "the report could not be saved");
    }
    let totals = &report.totals;
    tracing::info!(
        outcome = report.outcome.name(),
        exit_code = report.exit_code,
        planned = totals.planned,
        delivered = totals.delivered,
        skipped = totals.skipped,
        dead_lettered = totals.dead_lettered,
        left = totals.deferred,
        balanced = report.balanced,
        seconds = report.seconds,
        "the window ended"
    );
}

/// When the run began, to the millisecond, and the process: unique among the runs of one machine, and sorted by time.
fn run_id(now: SystemTime) -> String {
    let milliseconds = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    format!("{milliseconds}-{}", std::process::id())
}

/// False if the process was asked to stop before.
fn sleep_until(moment: Instant, shutdown: &AtomicBool) -> bool {
    loop {
        if shutdown.load(Ordering::Relaxed) {
            return false;
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
