//! The tables and sentences of a report, for every form. The text is not escaped. Pure.

use super::text::thousands;
use super::{PartitionReport, RouteEnd, RouteReport, RunReport};

/// The maximum number of partitions in a table, and of rows in a plot.
pub(super) const MOST_ROWS: usize = 16;

/// The sentence that follows the outcome of a dry run.
pub(super) const DRY_RUN: &str = "This is a dry run: nothing was delivered, written or committed. The outcome is that of a \
                                  run whose endpoints accept every record.";

/// A table, and what follows it.
pub(super) struct Table {
    /// The names of the columns.
    pub(super) head: Vec<&'static str>,
    /// The cells of each row.
    pub(super) rows: Vec<Vec<String>>,
    /// Rows that are not shown.
    pub(super) remarks: Vec<String>,
}

/// Run, topic, group and duration.
pub(super) fn identity(report: &RunReport) -> String {
    format!(
        "run {}, topic {}, group {}, {} s",
        report.run, report.topic, report.group, report.seconds
    )
}

/// The partitions with offsets in the window or with a lag.
pub(super) fn busy_partitions(report: &RunReport) -> impl Iterator<Item = &PartitionReport> {
    let partitions = report.partitions.iter();
    partitions.filter(|p| p.planned > 0 || p.lag_after > 0)
}

/// The partitions. The first columns are always shown, the others where a value is not zero.
pub(super) fn partitions(report: &RunReport) -> Table {
    type Column = (&'static str, fn(&PartitionReport) -> i64);
    const COLUMNS: [Column; 12] = [
        ("partition", |p| i64::from(p.partition)),
        ("start", |p| p.start),
        ("end", |p| p.end),
        ("planned", |p| p.planned),
        ("delivered", |p| p.delivered),
        ("skipped", |p| p.skipped),
        ("dead letters", |p| p.dead_lettered),
        ("already completed", |p| p.already_completed),
        ("deferred", |p| p.deferred),
        ("empty", |p| p.empty_offsets),
        ("lag before", |p| p.lag_before),
        ("lag after", |p| p.lag_after),
    ];
    let shown: Vec<&Column> = COLUMNS
        .iter()
        .enumerate()
        .filter(|(index, (_, value))| *index < 5 || report.partitions.iter().any(|p| value(p) != 0))
        .map(|(_, column)| column)
        .collect();
    let cells = |partition: &PartitionReport| {
        let cells = shown.iter();
        cells
            .map(|(_, value)| thousands(value(partition)))
            .collect()
    };
    let busy = busy_partitions(report).count();
    let remarks = [
        (busy.saturating_sub(MOST_ROWS), "more partitions"),
        (
            report.partitions.len() - busy,
            "partitions without new records",
        ),
    ];
    let remarks = remarks.iter().filter(|(count, _)| *count > 0);
    Table {
        head: shown.iter().map(|(name, _)| *name).collect(),
        rows: busy_partitions(report).take(MOST_ROWS).map(cells).collect(),
        remarks: remarks
            .map(|(count, what)| format!("{} {what}", thousands(*count as i64)))
            .collect(),
    }
}

/// The routes.
pub(super) fn routes(report: &RunReport) -> Table {
    Table {
        head: vec![
            "route",
            "matched",
            "delivered",
            "dead letters",
            "deferred",
            "attempts",
            "p50 ms",
            "p99 ms",
            "max ms",
            "answers",
            "",
        ],
        rows: report.routes.iter().map(route_row).collect(),
        remarks: Vec::new(),
    }
}

fn route_row(route: &RouteReport) -> Vec<String> {
    let counted = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let statuses = route.statuses.iter();
    let mut answers: Vec<String> = statuses
        .map(|(status, count)| format!("{status}×{}", counted(*count)))
        .collect();
    let without = [
        (route.timeouts, "timeout"),
        (route.connection_errors, "no connection"),
    ];
    for (count, what) in without.into_iter().filter(|(count, _)| *count > 0) {
        answers.push(format!("{what}×{}", counted(count)));
    }
    let state = match (route.state, &route.retry_at) {
        (_, Some(at)) => format!("no request before {at}"),
        (RouteEnd::Open, None) => String::new(),
        (RouteEnd::Deferred, None) => "deferred to the next run".to_owned(),
    };
    let milliseconds = |value: f64| match route.statuses.is_empty() {
        true => String::new(),
        false => format!("{value:.1}"),
    };
    vec![
        route.route.clone(),
        thousands(route.matched),
        thousands(route.delivered),
        thousands(route.dead_lettered),
        thousands(route.deferred),
        counted(route.attempts),
        milliseconds(route.latency_ms.p50),
        milliseconds(route.latency_ms.p99),
        milliseconds(route.latency_ms.max),
        answers.join(", "),
        state,
    ]
}

/// The sum of the planned records.
pub(super) fn balance(report: &RunReport) -> String {
    let totals = &report.totals;
    let parts = [
        (totals.delivered, "delivered"),
        (totals.skipped, "skipped"),
        (totals.dead_lettered, "dead letters"),
        (totals.already_completed, "already completed"),
        (totals.deferred, "deferred"),
        (totals.empty_offsets, "empty"),
    ];
    let sum: Vec<String> = parts
        .iter()
        .filter(|(count, name)| *count != 0 || *name == "delivered")
        .map(|(count, name)| format!("{} {name}", thousands(*count)))
        .collect();
    let sign = if report.balanced { "=" } else { "≠" };
    format!(
        "{} planned {sign} {}",
        thousands(totals.planned),
        sum.join(" + ")
    )
}

/// The oldest deferred record, and the answers that routes keep.
pub(super) fn findings(report: &RunReport) -> Vec<String> {
    let oldest = report.oldest_deferred.as_ref().map(|oldest| {
        format!(
            "oldest deferred record: {}/{}@{}, route {}, {} s old",
            report.topic,
            oldest.partition,
            oldest.offset,
            oldest.route.as_deref().unwrap_or("none"),
            oldest.age_seconds
        )
    });
    let answers = report.routes.iter().filter_map(|route| {
        let answers = route.answers?;
        let kept = [(answers.success, "success"), (answers.error, "error")];
        let kept = kept
            .iter()
            .filter_map(|(count, name)| Some(format!("{} {name}", thousands((*count)?))));
        let kept: Vec<String> = kept.collect();
        Some(format!(
            "answers written of route {}: {}",
            route.route,
            kept.join(", ")
        ))
    });
    oldest.into_iter().chain(answers).collect()
}

/// The dead letters by cause; `None` if there is none.
pub(super) fn dead_letters(report: &RunReport) -> Option<String> {
    let causes = report.dead_letters.causes.iter();
    let causes: Vec<String> = causes
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    (!causes.is_empty()).then(|| causes.join(", "))
}

/// The first dead letters.
pub(super) fn samples(report: &RunReport) -> impl Iterator<Item = String> {
    let samples = report.dead_letters.samples.iter();
    samples.map(|sample| {
        format!(
            "{}/{}@{}: {}: {}",
            report.topic, sample.partition, sample.offset, sample.cause, sample.reason
        )
    })
}
