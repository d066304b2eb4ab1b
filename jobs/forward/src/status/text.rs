//! The status for people. Pure.

use std::fmt::Write;

use super::report::{DeadLetterStatus, PartitionStatus, StatusReport};
use crate::report::text::{Paint, partition_table, table, thousands};
use crate::request_preview::text::printable;

/// The skew from which it is worth a line.
const MIN_SKEW: f64 = 1.5;

/// The width of the longest bar.
const BAR: i128 = 20;

/// The status as text. `has_bars`: whether bars show the lag of each partition.
pub fn render(report: &StatusReport, has_bars: bool, has_colour: bool) -> String {
    let paint = Paint(has_colour);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "topic {}, group {}, {}",
        printable(&report.topic),
        printable(&report.group),
        report.time
    );
    let oldest = report.oldest_age_seconds.map_or(String::new(), |age| {
        format!(", the oldest is {} old", span(age))
    });
    let _ = writeln!(text, "lag {} offsets{oldest}", thousands(report.lag));
    if let Some(skew) = report.skew.filter(|skew| *skew >= MIN_SKEW) {
        let _ = writeln!(
            text,
            "skew {skew:.1}: the largest partition has {skew:.1} times the mean of all; records with one key are in one partition"
        );
    }
    text.push('\n');
    text.push_str(&partitions(&report.partitions, has_bars));
    text.push('\n');
    text.push_str(&routes(report));
    text.push('\n');
    if let Some(last) = &report.last_run {
        let balance = if last.balanced {
            ""
        } else {
            ", DOES NOT BALANCE"
        };
        let _ = writeln!(
            text,
            "last run: {}, {} (exit code {}){balance}, ended {}",
            printable(&last.run),
            last.outcome.name(),
            last.exit_code,
            printable(&last.ended)
        );
    }
    text.push_str(&dead_letters(report.dead_letters.as_ref()));
    for note in &report.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    for exceeded in &report.exceeded {
        let _ = writeln!(text, "{} {exceeded}", paint.red("EXCEEDED:"));
    }
    text
}

fn partitions(partitions: &[PartitionStatus], has_bars: bool) -> String {
    let head = [
        "partition",
        "start",
        "end",
        "committed",
        "beyond",
        "lag",
        "oldest",
        "age",
        "",
    ];
    let largest = partitions.iter().map(|one| one.lag).max().unwrap_or(0);
    partition_table(&head, partitions, 1, |one| {
        let oldest = one.oldest;
        let age = oldest.and_then(|oldest| oldest.age_seconds).map(span);
        vec![
            one.partition.to_string(),
            thousands(one.log_start),
            thousands(one.log_end),
            one.committed.map_or("-".to_owned(), thousands),
            thousands(one.completed_beyond_commit),
            thousands(one.lag),
            oldest.map_or("-".to_owned(), |oldest| thousands(oldest.offset)),
            age.unwrap_or("-".to_owned()),
            if has_bars {
                bar(one.lag, largest)
            } else {
                String::new()
            },
        ]
    })
}

fn routes(report: &StatusReport) -> String {
    let mut head = vec!["route".to_owned(), String::new(), String::new()];
    if report.pending.is_some() {
        head.splice(1..2, ["not completed".to_owned(), "oldest".to_owned()]);
    }
    let mut rows = vec![head];
    for route in &report.routes {
        let paused = route.paused_until.as_ref();
        let paused = paused.map_or(String::new(), |until| format!("paused until {until}"));
        let mut row = vec![printable(&route.route), paused, String::new()];
        if let Some(pending) = route.pending {
            let age = route.oldest_age_seconds.map_or("-".to_owned(), span);
            row.splice(1..1, [thousands(pending), age]);
            row.pop();
        }
        rows.push(row);
    }
    let mut text = table(&rows, 1);
    if let Some(pending) = report.pending {
        let end = match pending.complete {
            true => "all records of the lag were read",
            false => "the records of the lag were not all read in time (--timeout)",
        };
        let _ = writeln!(
            text,
            "{} records read, {} to be skipped, {} for the dead-letter topic without a route; {end}",
            thousands(pending.read),
            thousands(pending.skipped),
            thousands(pending.without_route),
        );
    }
    text
}

fn dead_letters(status: Option<&DeadLetterStatus>) -> String {
    let Some(status) = status else {
        return String::new();
    };
    let more = if status.complete { "" } else { "at least " };
    let mut text = format!("dead letters of the last 24 hours: {more}{}", status.total);
    for (index, (cause, count)) in status.causes.iter().enumerate() {
        let before = if index == 0 { ": " } else { ", " };
        let _ = write!(text, "{before}{count} {}", printable(cause));
    }
    text.push('\n');
    text
}

/// A bar of up to [`BAR`] characters; at least one for a lag above zero.
fn bar(lag: i64, largest: i64) -> String {
    let (lag, largest) = (i128::from(lag.max(0)), i128::from(largest.max(1)));
    let length = (lag * BAR + largest - 1) / largest;
    "█".repeat(usize::try_from(length).unwrap_or(0))
}

/// `3725` seconds as `1h 2m`.
fn span(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, ..) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::exit::RunOutcome;
    use crate::status::last_run::LastRun;
    use crate::status::report::{OldestRecord, PendingStatus, RouteStatus, VERSION};

    fn report() -> StatusReport {
        let partition = |partition, lag, oldest| PartitionStatus {
            partition,
            log_start: 0,
            log_end: 1_500,
            committed: (partition > 0).then_some(1_000),
            lag,
            completed_beyond_commit: 20,
            oldest,
        };
        let oldest = OldestRecord {
            offset: 1_000,
            timestamp: Some(0),
            age_seconds: Some(3_725),
        };
        let route = |name: &str, paused: Option<&str>, pending| RouteStatus {
            route: name.to_owned(),
            paused_until: paused.map(str::to_owned),
            pending: Some(pending),
            oldest_age_seconds: None,
        };
        StatusReport {
            version: VERSION,
            topic: "orders".to_owned(),
            group: "g".to_owned(),
            time: "2026-11-27T14:18:19.837Z".to_owned(),
            lag: 1_501,
            oldest_age_seconds: Some(3_725),
            exceeded: vec!["x".to_owned()],
            skew: Some(1.4),
            partitions: vec![partition(0, 1_500, None), partition(1, 1, Some(oldest))],
            routes: vec![
                route("A", None, 3),
                route("B", Some("2026-11-27T15:00:00.000Z"), 1_000),
            ],
            pending: Some(PendingStatus {
                read: 1_100,
                complete: false,
                records: 1_003,
                skipped: 97,
                without_route: 0,
            }),
            last_run: Some(LastRun {
                run: "17-1".to_owned(),
                ended: "2026-11-27T14:17:00.000Z".to_owned(),
                outcome: RunOutcome::Partial,
                exit_code: 11,
                balanced: true,
            }),
            dead_letters: Some(DeadLetterStatus {
                total: 3,
                causes: BTreeMap::from([("refused".to_owned(), 2), ("unmatched".to_owned(), 1)]),
                routes: BTreeMap::new(),
                complete: false,
            }),
            notes: vec!["\u{1b}n".to_owned()],
        }
    }

    #[test]
    fn tables_show_partitions_and_routes() {
        let expected = "\
topic orders, group g, 2026-11-27T14:18:19.837Z
lag 1,501 offsets, the oldest is 1h 2m old

partition  start    end  committed  beyond    lag  oldest  age
0              0  1,500          -      20  1,500       -  -      ████████████████████
1              0  1,500      1,000      20      1   1,000  1h 2m  █

route  not completed  oldest
A                  3  -
B              1,000  -       paused until 2026-11-27T15:00:00.000Z
1,100 records read, 97 to be skipped, 0 for the dead-letter topic without a route; the records of the lag were not all read in time (--timeout)

last run: 17-1, partial (exit code 11), ended 2026-11-27T14:17:00.000Z
dead letters of the last 24 hours: at least 3: 2 refused, 1 unmatched
note: \\u{1b}n
EXCEEDED: x
";
        assert_eq!(render(&report(), true, false), expected);
        let skewed = StatusReport {
            skew: Some(2.0),
            ..report()
        };
        assert!(
            render(&skewed, true, false)
                .contains("\nskew 2.0: the largest partition has 2.0 times")
        );
        let without = render(&report(), false, true);
        assert!(!without.contains('█') && without.contains("\u{1b}[1;31mEXCEEDED:"));
    }

    #[test]
    fn spans_have_two_units() {
        let spans = [0, 59, 60, 3_599, 3_600, 86_399, 86_400, 1_000_000].map(span);
        let expected = [
            "0s", "59s", "1m 0s", "59m 59s", "1h 0m", "23h 59m", "1d 0h", "11d 13h",
        ];
        assert_eq!(spans, expected);
    }
}
