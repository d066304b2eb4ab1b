//! Dead letters for people. Pure.

use std::fmt::Write;

use super::report::{DiscardReport, LetterDetails, LetterReport, LettersReport, ReplayedTo};
use crate::explain::{render_content, shown};
use crate::report::text::{table, thousands};
use crate::request_preview::text::printable;

/// The most characters of a reason in a row.
const MAX_REASON: usize = 100;

/// Counts by cause and route, then the newest letters.
pub fn render_list(report: &LettersReport) -> String {
    let mut text = String::new();
    let number = |count: u64| thousands(i64::try_from(count).unwrap_or(i64::MAX));
    let discarded = match report.discarded {
        0 => String::new(),
        count => format!(", {} of them discarded", number(count)),
    };
    let replayed = match report.replayed {
        Some(0) => String::new(),
        Some(count) => format!(", {} replayed with this selection", number(count)),
        None => ", replays of this selection are not known".to_owned(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "topic {}: {} dead letters{discarded}{replayed}",
        printable(&report.topic),
        number(report.total),
    );
    if !report.groups.is_empty() {
        let mut rows =
            vec![["cause", "route", "count", "discarded", "replayed"].map(str::to_owned)];
        rows.extend(report.groups.iter().map(|group| {
            [
                printable(&group.cause),
                group.route.as_deref().map_or("-".to_owned(), printable),
                number(group.count),
                number(group.discarded),
                group.replayed.map_or("?".to_owned(), number),
            ]
        }));
        let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
        let _ = write!(text, "\n{}", table(&rows, 2));
    }
    if !report.letters.is_empty() {
        let shown = u64::try_from(report.letters.len()).unwrap_or(u64::MAX);
        match shown < report.total {
            true => {
                let _ = writeln!(text, "\nthe newest {} (--limit)", number(shown));
            }
            false => text.push('\n'),
        }
        for letter in &report.letters {
            row(&mut text, letter);
        }
    }
    let unrecognized = &report.unrecognized;
    if let (Some(first), Some(reason)) = (&unrecognized.first, &unrecognized.reason) {
        let _ = writeln!(
            text,
            "note: {} records are not dead letters that this program reads, the first is {}: {}",
            number(unrecognized.count),
            printable(first),
            printable(reason)
        );
    }
    if !report.complete {
        text.push_str("note: the records were not all read in time (--timeout)\n");
    }
    text
}

fn row(text: &mut String, letter: &LetterReport) {
    let route = letter.route.as_deref().map(printable);
    let route = route.map_or(String::new(), |route| format!(" (route {route})"));
    let origin = letter.origin.as_deref().map(printable);
    let origin = origin.map_or(String::new(), |origin| format!(" of {origin}"));
    let reason: String = letter.reason.chars().take(MAX_REASON).collect();
    let _ = writeln!(
        text,
        "{}  {}{origin}  {}{route}: {}",
        time(letter.timestamp),
        printable(&letter.coordinates),
        printable(&letter.cause),
        printable(&reason),
    );
    if let Some(why) = &letter.discarded {
        let _ = writeln!(text, "    discarded: {}", printable(why));
    }
    for target in letter.replayed.iter().flatten() {
        let _ = match target {
            ReplayedTo::Route => writeln!(text, "    replayed to its route"),
            ReplayedTo::Source => writeln!(text, "    replayed to the topic that it came from"),
        };
    }
}

/// One dead letter with its record.
pub fn render_details(details: &LetterDetails) -> String {
    let mut text = String::new();
    if let Some(problem) = &details.problem {
        let _ = writeln!(
            text,
            "{}: not a dead letter\n  {}",
            printable(&details.coordinates),
            printable(problem)
        );
    }
    let Some(letter) = &details.letter else {
        return text;
    };
    let _ = writeln!(
        text,
        "{}: {}",
        printable(&letter.coordinates),
        printable(&letter.cause)
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:9}  {value}");
    };
    line("reason", &shown(&letter.reason));
    let optional = [
        ("route", &letter.route),
        ("record", &letter.origin),
        ("run", &letter.run),
        ("discarded", &letter.discarded),
        ("idem. key", &details.idempotency_key),
    ];
    line("written", &time(letter.timestamp));
    for (name, value) in optional {
        if let Some(value) = value {
            line(name, &shown(value));
        }
    }
    text.push_str("\n  the record\n");
    match &details.record {
        Some(record) => render_content(&mut text, record),
        None => {
            text.push_str("  is not in the dead letter: the share group does not copy records\n")
        }
    }
    text
}

/// The number of discarded letters.
pub fn render_discard(report: &DiscardReport) -> String {
    let verb = match report.dry_run {
        true => "would be",
        false => "were",
    };
    let before = match report.already_discarded {
        0 => String::new(),
        count => format!(", {count} were before"),
    };
    format!(
        "topic {}: {} dead letters {verb} discarded{before}\n",
        printable(&report.topic),
        report.discarded
    )
}

fn time(timestamp: Option<i64>) -> String {
    let time = timestamp.and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.map_or("-".to_owned(), |time| format!("{time:.3}"))
}
