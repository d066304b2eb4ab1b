//! The plan for people. Pure.

use std::fmt::Write;

use super::document::{PlanDocument, PlanProgress, PlannedPartition};
use crate::report::text::{partition_table, table, thousands};
use crate::request_preview::text::printable;

/// The plan as text.
pub fn render(plan: &PlanDocument) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "topic {}, group {}, {}",
        printable(&plan.topic),
        printable(&plan.group),
        plan.created
    );
    let progress = match plan.progress {
        PlanProgress::Group => "its progress is in the commits of the group",
        PlanProgress::Plan => "its progress is in a group of its own",
    };
    let _ = writeln!(text, "{} offsets, {progress}\n", thousands(plan.offsets));
    text.push_str(&partitions(&plan.partitions, plan.shards.is_some()));
    text.push('\n');
    text.push_str(&routes(plan));
    for schema in &plan.schemas {
        let registered = schema.registered.as_deref().unwrap_or("not in a registry");
        let _ = writeln!(
            text,
            "schema {} {} ({registered})",
            printable(&schema.name),
            schema.fingerprint
        );
    }
    for note in &plan.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    text
}

fn partitions(partitions: &[PlannedPartition], has_shards: bool) -> String {
    let head = ["partition", "start", "end", "offsets", "completed", "shard"];
    let columns = head.len() - usize::from(!has_shards);
    partition_table(&head[..columns], partitions, 0, |one| {
        let completed = one.end - one.start - one.offsets();
        let mut cells = vec![
            one.partition.to_string(),
            thousands(one.start),
            thousands(one.end),
            thousands(one.offsets()),
            thousands(completed),
            one.shard.map_or(String::new(), |shard| shard.to_string()),
        ];
        cells.truncate(columns);
        cells
    })
}

fn routes(plan: &PlanDocument) -> String {
    let mut rows = vec![["route", "records", "url"].map(str::to_owned).to_vec()];
    for route in &plan.routes {
        rows.push(vec![
            printable(&route.route),
            route.records.map_or("-".to_owned(), thousands),
            printable(&route.url),
        ]);
    }
    let mut text = table(&rows, 1);
    if let Some(counts) = plan.expected {
        let end = match counts.complete {
            true => "all records of the window were read",
            false => "the records of the window were not all read in time (--timeout)",
        };
        let _ = writeln!(
            text,
            "{} records read, {} completed already, {} to be skipped, {} for the dead-letter topic without a route; {end}",
            thousands(counts.read),
            thousands(counts.already_completed),
            thousands(counts.skipped),
            thousands(counts.without_route),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::document;
    use super::*;

    #[test]
    fn a_plan_has_a_line_for_each_partition_and_route() {
        let mut plan = document();
        plan.notes = vec!["a note\u{1b}[31m".to_owned()];
        let text = render(&plan);
        for line in [
            "140 offsets, its progress is in the commits of the group",
            "        0    100  200       90         10",
            "A      -        https://a.example/",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
        assert!(
            !text.contains('\u{1b}') && !text.contains("shard"),
            "{text}"
        );
        plan.shards = Some(2);
        plan.partitions[0].shard = Some(2);
        plan.progress = PlanProgress::Plan;
        let text = render(&plan);
        assert!(
            text.contains("a group of its own") && text.contains("shard"),
            "{text}"
        );
    }
}
