//! The page around the plots.

use std::fmt::Write;

use html_page::escape;

use super::table::{self, Column, HtmlTable};
use super::{lag, latency, outcomes, progress};
use crate::exit::RunOutcome;
use crate::report::RunReport;
use crate::report::content::{self, Table};
use crate::report::text::thousands;

/// The text of the style element.
pub(crate) fn style() -> String {
    format!("\n{}{}", html_page::STYLE, include_str!("style.css"))
}

/// The whole page.
pub(super) fn page(report: &RunReport) -> String {
    let mut page = head(report);
    // Writing to a String cannot fail.
    let _ = write!(page, "<main>\n{}{}", tiles(report), findings(report));
    for plot in [
        outcomes::plot(report),
        progress::plot(report),
        latency::plot(report),
        lag::plot(report),
    ] {
        page.push_str(&plot);
    }
    page.push_str(&table("Routes", &content::routes(report), 1));
    page.push_str(&table("Partitions", &content::partitions(report), 0));
    let causes = content::dead_letters(report);
    let letters: Vec<String> = causes.into_iter().chain(content::samples(report)).collect();
    page.push_str(&list("Dead letters", &letters));
    page.push_str(&list("Notes", &report.notes));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(report: &RunReport) -> String {
    let title = format!(
        "Run of {}: {}",
        escape(&report.topic),
        report.outcome.name().replace('_', " ")
    );
    let dry_run = match report.dry_run {
        true => format!("<p>{}</p>\n", content::DRY_RUN),
        false => String::new(),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>{}</style>\n</head>\n\
         <body>\n<header>\n<h1>{title}</h1>\n<p class=\"outcome {}\"><strong>Exit code {}.</strong> {}</p>\n{dry_run}\
         <p class=\"identity\">{}<br>from {} to {}</p>\n</header>\n",
        style(),
        severity(report.outcome),
        report.exit_code,
        escape(report.outcome.meaning()),
        escape(&content::identity(report)),
        escape(&report.started),
        escape(&report.ended),
    )
}

/// The class of an outcome's colour.
pub(crate) fn severity(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Completed => "good",
        RunOutcome::CompletedWithDeadLetters
        | RunOutcome::Partial
        | RunOutcome::MoreWork
        | RunOutcome::ConcurrentRun => "warning",
        _ => "bad",
    }
}

/// The totals.
fn tiles(report: &RunReport) -> String {
    let totals = &report.totals;
    let sum = |lag: fn(&crate::report::PartitionReport) -> i64| {
        let lags = report.partitions.iter().map(lag);
        lags.fold(0, i64::saturating_add)
    };
    let tiles = [
        ("planned", totals.planned, true),
        ("delivered", totals.delivered, true),
        ("skipped", totals.skipped, false),
        ("dead letters", totals.dead_lettered, false),
        ("already completed", totals.already_completed, false),
        ("deferred", totals.deferred, false),
        ("empty offsets", totals.empty_offsets, false),
        ("lag before", sum(|p| p.lag_before), true),
        ("lag after", sum(|p| p.lag_after), true),
    ];
    let shown = tiles
        .iter()
        .filter(|(_, count, always)| *always || *count != 0);
    let tiles: String = shown
        .map(|(name, count, _)| {
            let count = thousands(*count);
            format!("<div><dt>{name}</dt><dd>{count}</dd></div>\n")
        })
        .collect();
    format!("<dl class=\"tiles\">\n{tiles}</dl>\n")
}

fn findings(report: &RunReport) -> String {
    let (class, verdict) = match report.balanced {
        true => ("balance", "Balanced:"),
        false => ("balance bad", "DOES NOT BALANCE:"),
    };
    let balance = content::balance(report);
    let lines = content::findings(report).into_iter();
    let lines: String = lines
        .map(|line| format!("<p>{}</p>\n", escape(&line)))
        .collect();
    format!("<p class=\"{class}\"><strong>{verdict}</strong> {balance}</p>\n{lines}")
}

/// A table. The first `left` columns are left-aligned, and those without numbers.
fn table(title: &str, content: &Table, left: usize) -> String {
    let head = content.head.iter().enumerate();
    let head = head.map(|(index, name)| Column {
        name: if name.is_empty() { "state" } else { name },
        is_number: index >= left && !["answers", ""].contains(name),
    });
    let cells = |row: &Vec<String>| row.iter().map(|cell| escape(cell)).collect();
    table::table(&HtmlTable {
        title,
        caption: "",
        head: head.collect(),
        rows: content.rows.iter().map(cells).collect(),
        remarks: &content.remarks,
    })
}

fn list(title: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines = lines.iter();
    let items: String = lines
        .map(|line| format!("<li>{}</li>\n", escape(line)))
        .collect();
    format!("<section>\n<h2>{title}</h2>\n<ul>\n{items}</ul>\n</section>\n")
}
