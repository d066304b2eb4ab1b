//! The report as text with aligned tables. Pure.

use std::fmt::Write;
use std::io::IsTerminal;

use super::{PartitionReport, RouteEnd, RouteReport, RunReport};
use crate::exit::RunOutcome;

/// The maximum number of partitions in the table.
const MOST_ROWS: usize = 16;

/// The line that follows the outcome of a dry run.
const DRY_RUN: &str = "This is a dry run: nothing was delivered, written or committed. The outcome is that of a run whose \
                       endpoints accept every record.\n";

/// True when text for this stream may be coloured: it is a terminal, and `NO_COLOR` (<https://no-color.org>) is not set.
pub fn wants_colour(
    stream: &impl IsTerminal,
    environment: impl Fn(&str) -> Option<String>,
) -> bool {
    stream.is_terminal() && environment("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// The report as text that ends with a line break.
pub fn render(report: &RunReport, colour: bool) -> String {
    let mut text = String::new();
    let paint = Paint(colour);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} (exit code {}): {}",
        paint.outcome(report.outcome, &report.outcome.name().replace('_', " ")),
        report.exit_code,
        report.outcome.meaning()
    );
    if report.dry_run {
        text.push_str(DRY_RUN);
    }
    let _ = writeln!(
        text,
        "run {}, topic {}, group {}, {} s",
        clean(&report.run),
        clean(&report.topic),
        clean(&report.group),
        report.seconds
    );
    if !report.partitions.is_empty() {
        text.push('\n');
        text.push_str(&partitions(report));
    }
    if !report.routes.is_empty() {
        text.push('\n');
        text.push_str(&routes(report));
    }
    text.push('\n');
    let _ = writeln!(text, "{}", balance(report, &paint));
    if let Some(oldest) = &report.oldest_deferred {
        let _ = writeln!(
            text,
            "oldest deferred record: {}/{}@{}, route {}, {} s old",
            clean(&report.topic),
            oldest.partition,
            oldest.offset,
            oldest.route.as_deref().map_or("none".into(), clean),
            oldest.age_seconds
        );
    }
    text.push_str(&answers(report));
    text.push_str(&dead_letters(report));
    for note in &report.notes {
        let _ = writeln!(text, "{} {}", paint.yellow("note:"), clean(note));
    }
    text
}

/// The answers that routes keep.
fn answers(report: &RunReport) -> String {
    let mut text = String::new();
    for route in &report.routes {
        let Some(answers) = route.answers else {
            continue;
        };
        let kept = [(answers.success, "success"), (answers.error, "error")];
        let kept = kept
            .iter()
            .filter_map(|(count, name)| Some(format!("{} {name}", thousands((*count)?))));
        let kept: Vec<String> = kept.collect();
        let (route, kept) = (clean(&route.route), kept.join(", "));
        let _ = writeln!(text, "answers written of route {route}: {kept}");
    }
    text
}

/// The dead letters by cause, and the samples.
fn dead_letters(report: &RunReport) -> String {
    let causes = report.dead_letters.causes.iter();
    let causes: Vec<String> = causes
        .map(|(cause, count)| format!("{count} {}", clean(cause)))
        .collect();
    if causes.is_empty() {
        return String::new();
    }
    let mut text = format!("dead letters: {}\n", causes.join(", "));
    for sample in &report.dead_letters.samples {
        let _ = writeln!(
            text,
            "  {}/{}@{}: {}: {}",
            clean(&report.topic),
            sample.partition,
            sample.offset,
            clean(&sample.cause),
            clean(&sample.reason)
        );
    }
    text
}

fn partitions(report: &RunReport) -> String {
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
    // The first columns are always shown, the others where a value is not zero.
    let shown: Vec<&Column> = COLUMNS
        .iter()
        .enumerate()
        .filter(|(index, (_, value))| *index < 5 || report.partitions.iter().any(|p| value(p) != 0))
        .map(|(_, column)| column)
        .collect();
    let mut rows = vec![shown.iter().map(|(name, _)| (*name).to_owned()).collect()];
    let busy = report
        .partitions
        .iter()
        .filter(|p| p.planned > 0 || p.lag_after > 0);
    let idle = report.partitions.len() - busy.clone().count();
    for partition in busy.clone().take(MOST_ROWS) {
        rows.push(
            shown
                .iter()
                .map(|(_, value)| thousands(value(partition)))
                .collect(),
        );
    }
    let hidden = busy.count().saturating_sub(MOST_ROWS);
    let mut text = if rows.len() > 1 {
        table(&rows, 0)
    } else {
        String::new()
    };
    for (count, what) in [
        (hidden, "more partitions"),
        (idle, "partitions without new records"),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{} {what}", thousands(count as i64));
        }
    }
    text
}

fn routes(report: &RunReport) -> String {
    let head = [
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
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for route in &report.routes {
        rows.push(route_row(route));
    }
    table(&rows, 1)
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
    let milliseconds = |value: f64| {
        if route.statuses.is_empty() {
            String::new()
        } else {
            format!("{value:.1}")
        }
    };
    vec![
        clean(&route.route),
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

fn balance(report: &RunReport, paint: &Paint) -> String {
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
    let verdict = if report.balanced {
        paint.green("balanced:")
    } else {
        paint.red("DOES NOT BALANCE:")
    };
    let sign = if report.balanced { "=" } else { "≠" };
    format!(
        "{verdict} {} planned {sign} {}",
        thousands(totals.planned),
        sum.join(" + ")
    )
}

/// Columns as wide as their widest cell. The first `left` columns and the last two are left-aligned.
pub(crate) fn table(rows: &[Vec<String>], left: usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let flush_left = column < left || (left > 0 && column + 2 >= columns);
            let _ = match flush_left {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replaces control characters, so that text from endpoints and brokers cannot control the terminal.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Colours text, if it is true.
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn outcome(&self, outcome: RunOutcome, text: &str) -> String {
        match outcome {
            RunOutcome::Completed => self.green(text),
            RunOutcome::CompletedWithDeadLetters
            | RunOutcome::Partial
            | RunOutcome::MoreWork
            | RunOutcome::ConcurrentRun => self.yellow(text),
            _ => self.red(text),
        }
    }

    fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    fn yellow(&self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn red(&self, text: &str) -> String {
        self.paint("31", text)
    }

    /// ECMA-48's Select Graphic Rendition.
    fn paint(&self, colour: &str, text: &str) -> String {
        if self.0 {
            format!("\u{1b}[1;{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    use super::*;
    use crate::dead_letter::DeadLetterSample;

    #[test]
    fn shows_tables_and_the_balance() {
        let text = render(&report(), false);
        let expected = "\
more work (exit code 12): A limit, the deadline or a shutdown request ended the run early. The next run continues from there.
run r1, topic orders, group frontdoor, 0.41 s

partition  start    end  planned  delivered  skipped  dead letters  already completed  deferred  empty  lag before  lag after
        0    100  1,300    1,200      1,000      190             2                  3         4      1       1,200          4
        1    100  1,300    1,200      1,000      190             2                  3         4      1       1,200          4

route  matched  delivered  dead letters  deferred  attempts  p50 ms  p99 ms  max ms  answers
A        1,201      1,200             1         0        15     1.5    20.0  2000.0  200×10, 503×2, timeout×3
B          801        800             1         0        15     1.5    20.0  2000.0  200×10, 503×2, timeout×3

balanced: 2,400 planned = 2,000 delivered + 380 skipped + 4 dead letters + 6 already completed + 8 deferred + 2 empty
note: the broker keeps no commit metadata
";
        assert_eq!(text, expected);
    }

    #[test]
    fn leaves_out_what_is_zero_and_counts_what_it_does_not_show() {
        let mut report = report();
        let template = PartitionReport {
            start: 5,
            end: 6,
            planned: 1,
            delivered: 1,
            ..PartitionReport::default()
        };
        report.partitions = (0..40)
            .map(|partition| match partition {
                0..20 => PartitionReport {
                    partition,
                    ..template.clone()
                },
                _ => PartitionReport {
                    partition,
                    ..PartitionReport::default()
                },
            })
            .collect();
        let text = render(&report, false);
        assert!(
            text.contains("\npartition  start  end  planned  delivered\n"),
            "{text}"
        );
        assert!(
            text.contains("\n4 more partitions\n20 partitions without new records\n"),
            "{text}"
        );
    }

    #[test]
    fn a_dry_run_says_so() {
        let mut report = report();
        report.dry_run = true;
        assert!(render(&report, false).contains("\nThis is a dry run: nothing was delivered"));
    }

    #[test]
    fn shows_dead_letters_by_cause_with_samples() {
        let mut report = report();
        report.dead_letters.causes =
            [("undecodable".to_owned(), 2), ("unmatched".to_owned(), 1)].into();
        report.dead_letters.samples = vec![DeadLetterSample {
            partition: 1,
            offset: 42,
            cause: "undecodable".to_owned(),
            reason: "the datum\nends".to_owned(),
        }];
        assert!(render(&report, false).contains(
            "\ndead letters: 2 undecodable, 1 unmatched\n  orders/1@42: undecodable: the datum\u{fffd}ends\n"
        ));
    }

    #[test]
    fn an_imbalance_cannot_be_overlooked() {
        let mut report = report();
        report.balanced = false;
        assert!(
            render(&report, false).contains("DOES NOT BALANCE: 2,400 planned ≠ 2,000 delivered")
        );
    }

    #[test]
    fn colours_only_when_asked_and_control_characters_never() {
        let mut report = report();
        report.notes = vec!["evil \u{1b}[2J\nline".to_owned()];
        assert!(!render(&report, false).contains('\u{1b}'));
        let coloured = render(&report, true);
        assert!(coloured.starts_with("\u{1b}[1;33mmore work\u{1b}[0m"));
        assert!(coloured.contains("evil \u{fffd}[2J\u{fffd}line"));
    }

    #[test]
    fn colour_is_for_terminals() {
        let file = tempfile::tempfile().unwrap();
        assert!(!wants_colour(&file, |_| None));
    }

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
