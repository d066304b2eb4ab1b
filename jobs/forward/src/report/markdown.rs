//! The report as GitHub Flavored Markdown, for a chat, an issue or a job summary. Pure.
//!
//! Text that others wrote is escaped: it adds no markup, no row and no HTML.

use std::fmt::Write;

use super::RunReport;
use super::content::{self, Table};

/// The report as Markdown that ends with a line break.
pub fn render(report: &RunReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "## Run of {}: {}\n\n**Exit code {}.** {}\n",
        escape(&report.topic),
        escape(&report.outcome.name().replace('_', " ")),
        report.exit_code,
        report.outcome.meaning()
    );
    if report.dry_run {
        let _ = writeln!(text, "{}\n", content::DRY_RUN);
    }
    let verdict = match report.balanced {
        true => "Balanced",
        false => "**DOES NOT BALANCE**",
    };
    let _ = writeln!(
        text,
        "- {}\n- from {} to {}\n- {verdict}: {}",
        escape(&content::identity(report)),
        escape(&report.started),
        escape(&report.ended),
        content::balance(report)
    );
    for line in content::findings(report) {
        let _ = writeln!(text, "- {}", escape(&line));
    }
    for (title, table, left) in [
        ("Routes", content::routes(report), 1),
        ("Partitions", content::partitions(report), 0),
    ] {
        text.push_str(&section(title, &table, left));
    }
    if let Some(causes) = content::dead_letters(report) {
        let _ = writeln!(text, "\n### Dead letters\n\n{}\n", escape(&causes));
        for sample in content::samples(report) {
            let _ = writeln!(text, "- {}", escape(&sample));
        }
    }
    if !report.notes.is_empty() {
        text.push_str("\n### Notes\n\n");
    }
    for note in &report.notes {
        let _ = writeln!(text, "- note: {}", escape(note));
    }
    text
}

/// A table. The first `left` columns are left-aligned, and those without numbers.
fn section(title: &str, table: &Table, left: usize) -> String {
    if table.rows.is_empty() && table.remarks.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {title}\n\n");
    if !table.rows.is_empty() {
        let alignment = table.head.iter().enumerate().map(|(column, name)| {
            match column < left || ["answers", ""].contains(name) {
                true => "---",
                false => "---:",
            }
        });
        let _ = writeln!(text, "| {} |", table.head.join(" | "));
        let _ = writeln!(text, "|{}|", alignment.collect::<Vec<_>>().join("|"));
    }
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    for remark in &table.remarks {
        let _ = writeln!(text, "\n{remark}");
    }
    text
}

/// Text without a meaning in Markdown (CommonMark 0.31, section 2.4) or HTML. Line breaks become spaces.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '$' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => escaped.push(' '),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::tests::{hostile, report};
    use super::*;

    #[test]
    fn shows_tables_and_the_balance() {
        let expected = "\
## Run of orders: more work

**Exit code 12.** A limit, the deadline or a shutdown request ended the run early. The next run continues from there.

- run r1, topic orders, group frontdoor, 0.41 s
- from 1970-01-01T00:00:01.500Z to 1970-01-01T00:00:01.910Z
- Balanced: 2,400 planned = 2,000 delivered + 380 skipped + 4 dead letters + 6 already completed + 8 deferred + 2 empty

### Routes

| route | matched | delivered | dead letters | deferred | attempts | p50 ms | p99 ms | max ms | answers |  |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|
| A | 1,201 | 1,200 | 1 | 0 | 15 | 1.5 | 20.0 | 2000.0 | 200×10, 503×2, timeout×3 |  |
| B | 801 | 800 | 1 | 0 | 15 | 1.5 | 20.0 | 2000.0 | 200×10, 503×2, timeout×3 |  |

### Partitions

| partition | start | end | planned | delivered | skipped | dead letters | already completed | deferred | empty | lag before | lag after |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|
| 0 | 100 | 1,300 | 1,200 | 1,000 | 190 | 2 | 3 | 4 | 1 | 1,200 | 4 |
| 1 | 100 | 1,300 | 1,200 | 1,000 | 190 | 2 | 3 | 4 | 1 | 1,200 | 4 |

### Notes

- note: the broker keeps no commit metadata
";
        assert_eq!(render(&report()), expected);
    }

    #[test]
    fn text_of_others_adds_no_markup() {
        let text = render(&hostile());
        assert!(
            !text.contains("<script") && !text.contains("<img"),
            "{text}"
        );
        let columns = |line: &str| line.replace("\\|", "").matches('|').count();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 3, "{text}");
        for row in rows {
            assert_eq!(columns(row), 12, "{row}");
        }
        for part in ["`", "*", "_", "[", "]", "|", "~", "#"] {
            let unescaped = format!(" {part}");
            let line = text.lines().find(|line| line.contains("note:")).unwrap();
            assert!(!line.contains(&unescaped), "{line}");
            assert!(line.contains(&format!(" \\{part}")), "{line}");
        }
        assert!(
            !text.contains('\u{1b}') && text.lines().count() < 40,
            "{text}"
        );
    }
}
