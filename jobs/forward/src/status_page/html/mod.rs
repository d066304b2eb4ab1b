//! The page for people. It has no script: it loads itself again. Pure.
//!
//! Style, plots and tables are those of a report's page. Text of endpoints and brokers was masked and shortened in the report,
//! and is escaped here.

mod lag;
mod tables;
mod text;

use std::fmt::Write;
use std::sync::LazyLock;
use std::time::SystemTime;

use html_page::{Policy, escape};

use super::history::History;
use super::snapshot::{LivePartition, LiveWindow, Phase, Snapshot};
use crate::report::html;
use crate::report::text::thousands;
use text::{duration, moment, plural};

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 5;

const HUE: u32 = 213;

static STYLE: LazyLock<String> = LazyLock::new(|| html::style() + include_str!("style.css"));

/// The content security policy of the page.
pub(super) fn policy() -> String {
    policy_of(&STYLE)
}

/// The content security policy of the page of a report.
pub(super) fn report_policy() -> String {
    policy_of(&html::style())
}

fn policy_of(style: &str) -> String {
    let policy = Policy {
        style,
        script: None,
    };
    policy.to_string()
}

/// The page at the time `now`. `refreshes`: it loads itself again.
pub(super) fn render(snapshot: &Snapshot, now: SystemTime, refreshes: bool) -> String {
    let history = &snapshot.history;
    let mut page = head(snapshot, now, refreshes);
    // Writing to a String cannot fail.
    let _ = write!(page, "<main>\n{}", tiles(history));
    if let Phase::Running(window) = &snapshot.phase {
        page.push_str(&progress(window, now));
    }
    page.push_str(&tables::routes(snapshot, now));
    page.push_str(&tables::partitions(snapshot));
    page.push_str(&lag::plot(history));
    page.push_str(&tables::reports(history));
    page.push_str(&tables::dead_letters(history));
    page.push_str(&notes(history));
    page.push_str("</main>\n");
    page + &footer(snapshot, now, refreshes)
}

fn head(snapshot: &Snapshot, now: SystemTime, refreshes: bool) -> String {
    let job = &snapshot.job;
    let topic = escape(&job.topic);
    let (state, sentence) = state(&snapshot.phase, now);
    let refresh = match refreshes {
        true => format!("<meta http-equiv=\"refresh\" content=\"{REFRESH}\">\n"),
        false => String::new(),
    };
    let (severity, outcome) = match snapshot.history.last() {
        None => ("", "No window has ended yet.".to_owned()),
        Some(last) => (
            html::severity(last.outcome),
            format!(
                "The last window ended with exit code {}: {}",
                last.exit_code,
                escape(last.outcome.meaning())
            ),
        ),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n{refresh}{}\n<title>{topic}: {state}</title>\n\
         <style>{}</style>\n</head>\n<body>\n<header>\n<h1>Delivery of {topic}</h1>\n\
         <p>{sentence}</p>\n<p class=\"outcome {severity}\">{outcome}</p>\n\
         <p class=\"identity\">group {}, a window every {}</p>\n</header>\n",
        html_page::icon(HUE),
        *STYLE,
        escape(&job.group),
        duration(job.every),
    )
}

/// The state in a word, and in a sentence.
fn state(phase: &Phase, now: SystemTime) -> (&'static str, String) {
    match phase {
        Phase::Starting => (
            "starting",
            "<strong>Starting.</strong> The first window begins now.".to_owned(),
        ),
        Phase::Waiting { due } => {
            let at = moment(*due);
            let sentence = match due.duration_since(now) {
                Ok(wait) if !wait.is_zero() => {
                    format!("The next window is due in {}, at {at}.", duration(wait))
                }
                _ => format!("The next window is due since {at}."),
            };
            ("waiting", format!("<strong>Waiting.</strong> {sentence}"))
        }
        Phase::Running(window) => (
            "running",
            format!(
                "<strong>A window runs</strong> since {}.",
                moment(window.started)
            ),
        ),
    }
}

/// The totals of the last window.
fn tiles(history: &History) -> String {
    let Some(last) = history.last() else {
        return String::new();
    };
    let totals = &last.totals;
    let lag = history.report(None).and_then(|report| report.lag);
    let tiles = [
        ("lag", lag),
        ("planned", Some(totals.planned)),
        ("delivered", Some(totals.delivered)),
        ("skipped", Some(totals.skipped)),
        ("dead letters", Some(totals.dead_lettered)),
        ("deferred", Some(totals.deferred)),
    ];
    let tiles = tiles.iter().map(|(name, count)| {
        let count = count.map_or_else(|| "unknown".to_owned(), thousands);
        format!("<div><dt>{name}</dt><dd>{count}</dd></div>\n")
    });
    format!(
        "<section>\n<h2>Last window</h2>\n<dl class=\"tiles\">\n{}</dl>\n</section>\n",
        tiles.collect::<String>()
    )
}

/// The window that runs.
fn progress(window: &LiveWindow, now: SystemTime) -> String {
    let run = escape(&window.run);
    let Some(progress) = &window.progress else {
        return format!(
            "<section>\n<h2>Window in progress</h2>\n<p>Run {run} lists offsets and joins the group.</p>\n</section>\n"
        );
    };
    let elapsed = now.duration_since(window.started).unwrap_or_default();
    let sum = |count: fn(&LivePartition) -> i64| {
        let counts = progress.partitions.iter().map(count);
        counts.fold(0, i64::saturating_add)
    };
    let planned = progress.planned.max(0);
    let completed = sum(|p| p.completed).clamp(0, planned);
    format!(
        "<section>\n<h2 id=\"window\">Window in progress</h2>\n\
         <progress aria-labelledby=\"window\" value=\"{completed}\" max=\"{}\"></progress>\n\
         <p>Run {run} has completed {} of {} offsets in {} and read {}: {} delivered, {} skipped, {} dead letters so far.</p>\n\
         </section>\n",
        planned.max(1),
        thousands(completed),
        thousands(planned),
        duration(elapsed),
        thousands(progress.read),
        thousands(sum(|p| p.delivered)),
        thousands(sum(|p| p.skipped)),
        thousands(sum(|p| p.dead_lettered)),
    )
}

/// The notes of the last report.
fn notes(history: &History) -> String {
    let Some(last) = history.last().filter(|last| !last.notes.is_empty()) else {
        return String::new();
    };
    const MOST: usize = 20;
    let notes = last.notes.iter().take(MOST);
    let mut items: String = notes
        .map(|note| format!("<li>{}</li>\n", escape(note)))
        .collect();
    let hidden = last.notes.len().saturating_sub(MOST);
    if hidden > 0 {
        let _ = writeln!(
            items,
            "<li>{} in the report</li>",
            plural(hidden, "more note")
        );
    }
    format!("<section>\n<h2>Notes of the last window</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

fn footer(snapshot: &Snapshot, now: SystemTime, refreshes: bool) -> String {
    let history = &snapshot.history;
    let refresh = match refreshes {
        true => format!(
            "It is loaded again every {REFRESH} seconds: <a href=\"/?refresh=off\">stop</a>."
        ),
        false => {
            "It is not loaded again: <a href=\"/\">refresh it every few seconds</a>.".to_owned()
        }
    };
    let windows = usize::try_from(history.windows()).unwrap_or(usize::MAX);
    format!(
        "<footer>\n<p>This page is of {}. {refresh}</p>\n\
         <p>The process started at {} and has completed {}. Version {}. The last report as JSON: <a href=\"/report\">/report</a>.</p>\n\
         </footer>\n</body>\n</html>\n",
        moment(now),
        moment(snapshot.job.started),
        plural(windows, "window"),
        env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests;
