//! The tables of the page.

use std::collections::BTreeMap;
use std::time::SystemTime;

use delivery::CircuitPhase;
use html_page::escape;

use super::super::history::{History, KeptReport};
use super::super::snapshot::{LiveProgress, LiveRoute, Phase, Snapshot};
use super::text::{duration, moment, plural};
use crate::report::html::{Column, HtmlTable, severity, table};
use crate::report::text::thousands;
use crate::report::{PartitionReport, RouteEnd, RouteReport};

/// The most routes and the most partitions in a table.
const MOST_ROWS: usize = 100;

/// The most reports in the table.
const MOST_REPORTS: usize = 20;

const fn text(name: &str) -> Column<'_> {
    Column {
        name,
        is_number: false,
    }
}

const fn number(name: &str) -> Column<'_> {
    Column {
        name,
        is_number: true,
    }
}

/// The routes: those of the window that runs, or else those of the last one.
pub(super) fn routes(snapshot: &Snapshot, now: SystemTime) -> String {
    let reported = snapshot.history.last().map(|last| last.routes.as_slice());
    let live = live(snapshot).map(|progress| progress.routes.as_slice());
    let (count, rows, caption): (usize, Vec<Vec<String>>, &str) = match (live, reported) {
        (Some(routes), _) => (
            routes.len(),
            routes
                .iter()
                .take(MOST_ROWS)
                .map(|route| live_route(route, now))
                .collect(),
            "In the window that runs. Buffered records are accepted for the route and not completed, those in flight included.",
        ),
        (None, Some(routes)) => (
            routes.len(),
            routes
                .iter()
                .take(MOST_ROWS)
                .map(|route| idle_route(route, now))
                .collect(),
            "After the last window. No request is in flight between two windows.",
        ),
        (None, None) => return String::new(),
    };
    table(&HtmlTable {
        title: "Routes",
        caption,
        head: vec![
            text("route"),
            text("circuit"),
            text("paused until"),
            number("requests in flight"),
            number("buffered"),
            number("delivered"),
            number("dead letters"),
            text("state"),
        ],
        rows,
        remarks: &more(count, "route"),
    })
}

fn live_route(route: &LiveRoute, now: SystemTime) -> Vec<String> {
    let state = match &route.deferred {
        Some(reason) => format!("deferred to the next window: {}", escape(reason)),
        None => String::new(),
    };
    vec![
        escape(&route.name),
        circuit(route.activity.circuit),
        paused(route.paused_until, now),
        thousands(count(route.activity.requests_in_flight)),
        thousands(count(route.buffered)),
        thousands(route.delivered),
        thousands(route.dead_lettered),
        state,
    ]
}

/// A route between two windows. The next one begins with an open circuit if the endpoint is paused.
fn idle_route(route: &RouteReport, now: SystemTime) -> Vec<String> {
    let until = route.retry_at.as_deref().and_then(time);
    let phase = match until {
        Some(until) if until > now => CircuitPhase::Open,
        _ => CircuitPhase::Closed,
    };
    let state = match route.state {
        RouteEnd::Open => String::new(),
        RouteEnd::Deferred => format!("{} deferred to the next window", thousands(route.deferred)),
    };
    vec![
        escape(&route.route),
        circuit(phase),
        paused(until, now),
        "0".to_owned(),
        "0".to_owned(),
        thousands(route.delivered),
        thousands(route.dead_lettered),
        state,
    ]
}

fn circuit(phase: CircuitPhase) -> String {
    let (class, name) = match phase {
        CircuitPhase::Closed => ("good", "closed"),
        CircuitPhase::HalfOpen => ("warning", "half-open"),
        CircuitPhase::Open => ("bad", "open"),
    };
    format!("<span class=\"state {class}\">{name}</span>")
}

fn paused(until: Option<SystemTime>, now: SystemTime) -> String {
    until
        .filter(|until| *until > now)
        .map_or_else(String::new, moment)
}

/// The partitions. Committed offsets of a window that runs are those of this moment.
pub(super) fn partitions(snapshot: &Snapshot) -> String {
    let reported = snapshot.history.last_listed();
    let reported = reported.map_or(&[][..], |last| &last.partitions);
    let live = live(snapshot).map_or(&[][..], |progress| &progress.partitions);
    let mut rows: BTreeMap<i32, (i64, i64, &str)> = BTreeMap::new();
    for PartitionReport {
        partition,
        committed,
        lag_after,
        ..
    } in reported
    {
        rows.insert(*partition, (*committed, *lag_after, ""));
    }
    for partition in live {
        let lag = partition.end.saturating_sub(partition.committed).max(0);
        rows.insert(
            partition.partition,
            (partition.committed, lag, "in the window"),
        );
    }
    let count = rows.len();
    // Of many partitions, those with the longest lag.
    if count > MOST_ROWS {
        let mut lags: Vec<(i64, i32)> = rows.iter().map(|(id, (_, lag, _))| (*lag, *id)).collect();
        lags.sort_unstable();
        for (_, id) in lags.iter().take(count - MOST_ROWS) {
            rows.remove(id);
        }
    }
    let caption = match live.is_empty() {
        true => "Committed offset, and lag to the end of the log, after the last window.",
        false => {
            "Committed offset at this moment. In the window that runs, the lag is that to the end of the window; of other partitions, that after the last window."
        }
    };
    let mut head = vec![number("partition"), number("lag"), number("committed")];
    if !live.is_empty() {
        head.push(text("state"));
    }
    let rows = rows.into_iter().map(|(id, (committed, lag, state))| {
        let cells = [
            id.to_string(),
            thousands(lag),
            thousands(committed),
            state.to_owned(),
        ];
        cells.into_iter().take(head.len()).collect()
    });
    table(&HtmlTable {
        title: "Partitions",
        caption,
        rows: rows.collect(),
        head: head.clone(),
        remarks: &more(count, "partition"),
    })
}

/// The last reports, the newest first.
pub(super) fn reports(history: &History) -> String {
    let reports = history.reports();
    let kept = reports.len();
    let rows = reports.take(MOST_REPORTS).map(report_row);
    let remarks = match kept {
        0 => vec!["No window has ended yet.".to_owned()],
        kept if kept > MOST_REPORTS => {
            vec![format!(
                "{} are kept.",
                plural(kept - MOST_REPORTS, "older report")
            )]
        }
        _ => Vec::new(),
    };
    table(&HtmlTable {
        title: "Last reports",
        caption: "The windows that have ended, the newest first. The time leads to the report.",
        head: vec![
            text("ended"),
            text("outcome"),
            number("exit code"),
            number("planned"),
            number("delivered"),
            number("skipped"),
            number("dead letters"),
            number("deferred"),
            number("lag"),
            number("duration"),
            text("JSON"),
        ],
        rows: rows.collect(),
        remarks: &remarks,
    })
}

fn report_row(report: &KeptReport) -> Vec<String> {
    let run = escape(&report.run);
    let ended = moment(report.ended);
    let totals = &report.totals;
    let seconds = std::time::Duration::try_from_secs_f64(report.seconds).unwrap_or_default();
    vec![
        format!("<a href=\"/report?run={run}&amp;output=html\">{ended}</a>"),
        format!(
            "<span class=\"state {}\">{}</span>",
            severity(report.outcome),
            report.outcome.name().replace('_', " ")
        ),
        report.exit_code.to_string(),
        thousands(totals.planned),
        thousands(totals.delivered),
        thousands(totals.skipped),
        thousands(totals.dead_lettered),
        thousands(totals.deferred),
        report.lag.map_or_else(|| "unknown".to_owned(), thousands),
        duration(seconds),
        format!("<a href=\"/report?run={run}\" aria-label=\"JSON of run {run}\">JSON</a>"),
    ]
}

/// The dead letters by cause.
pub(super) fn dead_letters(history: &History) -> String {
    let last = history.last().map(|last| &last.dead_letters.causes);
    let rows = history.dead_letters().iter().map(|(cause, sum)| {
        let last = last.and_then(|causes| causes.get(cause));
        let number = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
        vec![
            escape(&cause.replace('_', " ")),
            number(last.copied().unwrap_or(0)),
            number(*sum),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let remarks = match rows.is_empty() {
        true => vec!["None since the start of the process.".to_owned()],
        false => Vec::new(),
    };
    table(&HtmlTable {
        title: "Dead letters by cause",
        caption: "",
        head: vec![
            text("cause"),
            number("last window"),
            number("since the start of the process"),
        ],
        rows,
        remarks: &remarks,
    })
}

fn live(snapshot: &Snapshot) -> Option<&LiveProgress> {
    match &snapshot.phase {
        Phase::Running(window) => window.progress.as_ref(),
        Phase::Starting | Phase::Waiting { .. } => None,
    }
}

fn more(count: usize, noun: &str) -> Vec<String> {
    let hidden = count.saturating_sub(MOST_ROWS);
    match hidden {
        0 => Vec::new(),
        hidden => vec![format!(
            "{} not shown.",
            plural(hidden, &format!("more {noun}"))
        )],
    }
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn time(rfc3339: &str) -> Option<SystemTime> {
    let timestamp: jiff::Timestamp = rfc3339.parse().ok()?;
    Some(timestamp.into())
}
