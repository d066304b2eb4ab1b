//! Runs one window, for cron, or one window every interval in a process that stays.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use offsets::counters::PartitionCounters;

use crate::cli::{Output, RunOptions};
use crate::exit::RunOutcome;
use crate::metrics::{self, JobMetrics};
use crate::pipeline::Pipeline;
use crate::report::progress_line::{ProgressLine, ProgressSnapshot};
use crate::report::{RunReport, text};
use crate::run::{Progress, Run};
use crate::run_report::ReportDestinations;
use crate::status_page::Board;

/// The longest wait between two signs of life for the status page.
const MAX_SLEEP: Duration = Duration::from_secs(1);

/// Runs one window, or one every `options.every` until a shutdown is requested, and prints the report of each.
///
/// Before each window but the first, `is_outdated` is called with the outcome of the last one. If it returns true, the
/// settings have changed: this returns `None`, to be called again with the new ones. `next` is when the next window is
/// due. `board` receives the progress and the reports, for the status page.
///
/// After an outcome that the next window may correct (a concurrent run, an unreachable broker, an endpoint that is down)
/// the next window runs. After one that an operator must correct, the process ends.
pub fn run(
    run: &Run<'_>,
    options: &RunOptions,
    next: &mut Instant,
    board: Option<&Board>,
    mut is_outdated: impl FnMut(RunOutcome) -> bool,
) -> Option<RunOutcome> {
    let Some(every) = options.every else {
        return Some(window(run, options, board).outcome);
    };
    loop {
        let outcome = window(run, options, board).outcome;
        if needs_operator(outcome) || run.shutdown.load(Ordering::Relaxed) {
            return Some(outcome);
        }
        // After a window that took longer than the interval, the next one starts at once. Missed windows are not run:
        // the next window has their records.
        *next = (*next + every).max(Instant::now());
        if let Some(board) = board {
            board.wait_until(*next);
        }
        if !sleep_until(*next, run.shutdown, board) {
            return Some(outcome);
        }
        if is_outdated(outcome) {
            return None;
        }
    }
}

fn needs_operator(outcome: RunOutcome) -> bool {
    matches!(
        outcome,
        RunOutcome::DataLoss
            | RunOutcome::DeadLetterThreshold
            | RunOutcome::Internal
            | RunOutcome::Configuration
    )
}

fn window(run: &Run<'_>, options: &RunOptions, board: Option<&Board>) -> RunReport {
    let id = run_id(SystemTime::now());
    let _span = tracing::info_span!("window", run = id).entered();
    let names: Vec<&str> = run.routes.names().collect();
    let terminal = options.shows_progress(&io::stderr()).then(io::stderr);
    let mut line = ProgressLine::new(terminal, Instant::now());
    let is_used = |metrics: &&JobMetrics| metrics.is_used(&run.config.metrics);
    let metrics = run.metrics.filter(is_used);
    if let Some(metrics) = metrics {
        metrics.begin(&run.config.kafka.topic, &run.config.group);
    }
    if let Some(board) = board {
        board.begin_window(&id);
    }
    let mut report = run.window(&id, |progress| {
        let pipeline = match progress {
            Progress::Local(pipeline) => pipeline,
            Progress::Shared(counters) => return show_shared(counters, &mut line),
        };
        show(pipeline, &names, &mut line);
        if let Some(metrics) = metrics {
            metrics.observe(pipeline, &names);
        }
        if let Some(board) = board {
            board.show_progress(pipeline, &names);
        }
    });
    line.clear();
    let destinations = ReportDestinations {
        config: run.config,
        location: options.report.as_ref(),
        oracle_cloud: run.oracle_cloud,
    };
    destinations.write(&mut report);
    if let Some(board) = board {
        board.end_window(&report);
    }
    print(&report, options);
    if let Some(metrics) = metrics {
        metrics::publish(metrics, &run.config.metrics, &report);
    }
    report
}

fn show(pipeline: &Pipeline<'_>, names: &[&str], line: &mut ProgressLine<io::Stderr>) {
    let buffered: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(route, name)| {
            let delivery = pipeline.delivery();
            (
                *name,
                delivery.map_or(0, |delivery| delivery.buffered(route)),
            )
        })
        .collect();
    line.show(Instant::now(), || {
        let partitions = pipeline.partitions();
        let (planned, scanned) = partitions.offsets();
        let delivered = partitions
            .routes()
            .iter()
            .map(|route| route.delivered)
            .sum();
        ProgressSnapshot {
            planned,
            scanned,
            delivered,
            buffered: &buffered,
        }
    });
}

/// The same of a window that workers share.
fn show_shared(counters: &[&PartitionCounters], line: &mut ProgressLine<io::Stderr>) {
    line.show(Instant::now(), || {
        let sum =
            |count: fn(&PartitionCounters) -> i64| counters.iter().map(|one| count(one)).sum();
        ProgressSnapshot {
            planned: sum(PartitionCounters::planned),
            scanned: sum(|one| one.planned() - one.unread),
            delivered: sum(|one| one.delivered),
            buffered: &[],
        }
    });
}

/// Prints the report, and logs its numbers.
fn print(report: &RunReport, options: &RunOptions) {
    let mut out = io::stdout().lock();
    let printed = match options.output {
        Output::Json => writeln!(out, "{}", report.json()),
        Output::Text => {
            let colour = text::wants_colour(&io::stdout(), |name| std::env::var(name).ok());
            write!(out, "{}", text::render(report, colour))
        }
    };
    if let Err(error) = printed.and_then(|()| out.flush()) {
        tracing::warn!(%error, "cannot print the report");
    }
    let totals = &report.totals;
    tracing::info!(
        outcome = report.outcome.name(),
        exit_code = report.exit_code,
        planned = totals.planned,
        delivered = totals.delivered,
        skipped = totals.skipped,
        dead_lettered = totals.dead_lettered,
        deferred = totals.deferred,
        balanced = report.balanced,
        seconds = report.seconds,
        "the window ended"
    );
}

/// The start of the run in milliseconds since 1970, and the process id: unique on one machine, and sorted by time.
fn run_id(now: SystemTime) -> String {
    let milliseconds = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    format!("{milliseconds}-{}", std::process::id())
}

/// Waits for the moment, on the thread that the signals unpark. False if a shutdown was requested before.
fn sleep_until(moment: Instant, shutdown: &AtomicBool, board: Option<&Board>) -> bool {
    loop {
        if let Some(board) = board {
            board.advance();
        }
        if shutdown.load(Ordering::Relaxed) {
            return false;
        }
        let left = moment.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        // A signal unparks the thread.
        std::thread::park_timeout(left.min(MAX_SLEEP));
    }
}
