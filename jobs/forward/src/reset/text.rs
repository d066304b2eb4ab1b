//! A reset for people. Pure.

use std::fmt::Write;

use super::report::{PartitionReset, ResetReport};
use crate::report::text::{partition_table, thousands};
use crate::request_preview::text::printable;

/// The reset as text.
pub fn render(report: &ResetReport) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "topic {}, group {}, {}\n",
        printable(&report.topic),
        printable(&report.group),
        report.time
    );
    let head = [
        "partition",
        "start",
        "end",
        "committed",
        "to",
        "skipped",
        "repeated",
    ];
    text.push_str(&partition_table(&head, &report.partitions, 0, row));
    let _ = writeln!(
        text,
        "\nskipped: at most {} records, which no run delivers any more\nrepeated: at most {} records, which the next run \
         delivers again",
        thousands(report.skipped),
        thousands(report.repeated)
    );
    text.push_str(&counted(&report.partitions));
    for note in &report.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    let end = match report.applied {
        true => "the commits were moved",
        false if report.partitions.iter().any(|one| one.changes) => {
            "this is a preview: nothing was changed; --yes moves the commits"
        }
        false => "the commits have these offsets already: nothing was changed",
    };
    let _ = writeln!(text, "{end}");
    text
}

fn row(one: &PartitionReset) -> Vec<String> {
    vec![
        one.partition.to_string(),
        thousands(one.log_start),
        thousands(one.log_end),
        one.committed.map_or("-".to_owned(), thousands),
        thousands(one.to),
        thousands(one.skipped),
        thousands(one.repeated),
    ]
}

/// What `--count` has read.
fn counted(partitions: &[PartitionReset]) -> String {
    let counted: Vec<_> = partitions
        .iter()
        .filter_map(|one| one.records.as_ref())
        .collect();
    if counted.is_empty() {
        return String::new();
    }
    let skipped = counted.iter().map(|records| records.skipped).sum();
    let repeated = counted.iter().map(|records| records.repeated).sum();
    let end = match counted.iter().all(|records| records.complete) {
        true => "",
        false => ", but not all were read in time (--timeout)",
    };
    format!(
        "counted: {} records skipped, {} repeated{end}\n",
        thousands(skipped),
        thousands(repeated)
    )
}

#[cfg(test)]
mod tests {
    use super::super::report::{ResetRecords, VERSION};
    use super::*;

    fn report(applied: bool, changes: bool) -> ResetReport {
        let records = ResetRecords {
            complete: false,
            skipped: 0,
            repeated: 7,
        };
        ResetReport {
            version: VERSION,
            topic: "orders".to_owned(),
            group: "frontdoor".to_owned(),
            time: "2026-11-27T14:18:19.837Z".to_owned(),
            applied,
            partitions: vec![PartitionReset {
                partition: 3,
                log_start: 0,
                log_end: 1200,
                committed: Some(1100),
                to: 1000,
                changes,
                skipped: 0,
                repeated: 100,
                records: Some(records),
            }],
            skipped: 0,
            repeated: 100,
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_last_line_says_whether_the_commits_were_moved() {
        for (applied, changes, last) in [
            (
                false,
                true,
                "this is a preview: nothing was changed; --yes moves the commits",
            ),
            (true, true, "the commits were moved"),
            (
                false,
                false,
                "the commits have these offsets already: nothing was changed",
            ),
        ] {
            let text = render(&report(applied, changes));
            assert_eq!(text.lines().last(), Some(last));
            assert!(text.contains("repeated: at most 100 records"), "{text}");
            assert!(
                text.contains("7 repeated, but not all were read in time"),
                "{text}"
            );
        }
    }
}
