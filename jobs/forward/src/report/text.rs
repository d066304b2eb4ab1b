//! The report as text with aligned tables. Pure.

use std::fmt::Write;
use std::io::IsTerminal;

use super::RunReport;
use super::content::{self, Table};
use crate::exit::RunOutcome;

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
        let _ = writeln!(text, "{}", content::DRY_RUN);
    }
    let _ = writeln!(text, "{}", clean(&content::identity(report)));
    text.push_str(&section(&content::partitions(report), 0));
    text.push_str(&section(&content::routes(report), 1));
    let verdict = match report.balanced {
        true => paint.green("balanced:"),
        false => paint.red("DOES NOT BALANCE:"),
    };
    let _ = writeln!(text, "\n{verdict} {}", content::balance(report));
    for line in content::findings(report) {
        let _ = writeln!(text, "{}", clean(&line));
    }
    if let Some(causes) = content::dead_letters(report) {
        let _ = writeln!(text, "dead letters: {}", clean(&causes));
    }
    for sample in content::samples(report) {
        let _ = writeln!(text, "  {}", clean(&sample));
    }
    for note in &report.notes {
        let _ = writeln!(text, "{} {}", paint.yellow("note:"), clean(note));
    }
    text
}

/// A table with its remarks, after an empty line; empty if it has neither.
fn section(content: &Table, left: usize) -> String {
    if content.rows.is_empty() && content.remarks.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n");
    if !content.rows.is_empty() {
        let head = content.head.iter().map(|name| (*name).to_owned()).collect();
        let cells = |row: &Vec<String>| row.iter().map(|cell| clean(cell)).collect();
        let rows: Vec<_> = std::iter::once(head)
            .chain(content.rows.iter().map(cells))
            .collect();
        text.push_str(&table(&rows, left));
    }
    for remark in &content.remarks {
        text.push_str(remark);
        text.push('\n');
    }
    text
}

/// The most partitions in a table.
const MAX_PARTITIONS: usize = 64;

/// As [`table`], of the first 64 partitions. A last line has the number of the others.
pub(crate) fn partition_table<P>(
    head: &[&str],
    partitions: &[P],
    left: usize,
    cells: impl Fn(&P) -> Vec<String>,
) -> String {
    let mut rows = vec![head.iter().map(|name| (*name).to_owned()).collect()];
    rows.extend(partitions.iter().take(MAX_PARTITIONS).map(cells));
    let mut text = table(&rows, left);
    let hidden = partitions.len().saturating_sub(MAX_PARTITIONS);
    if hidden > 0 {
        let _ = writeln!(text, "{hidden} more partitions");
    }
    text
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
pub(crate) fn clean(text: &str) -> String {
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
    use super::super::PartitionReport;
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
